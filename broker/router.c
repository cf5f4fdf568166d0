//  SPDX-License-Identifier: MIT

#include "broker/router.h"

unsigned
fuota_router_take (fuota_read_t *read, const fuota_event_t *event,
    uint32_t port003)
{
    fuota_key_t prefix = fuota_key_eui (event->dev_eui);
    fuota_scan_t scan;
    fuota_route_t route;
    if (event->kind == FUOTA_EVENT_FRAME || event->kind == FUOTA_EVENT_GATEWAY)
        return FUOTA_TO_RADIO;
    unsigned mask = event->gateways_count ? FUOTA_TO_RADIO : 0;
    if (fuota_scan_open (&scan, read, FUOTA_TABLE_ROUTE, &prefix, NULL))
        return mask;
    while (fuota_scan_next (&scan)) {
        mask |= FUOTA_TO_DEPLOYMENTS;
        if (!fuota_record_decode (Route_fields, &route, scan.value))
            port003 = route.dialect.port003;
    }
    fuota_scan_close (&scan);
    if (event->f_port && event->f_port == port003 && !event->host_clock)
        mask |= FUOTA_TO_CLOCK;
    return mask;
}
