#  SPDX-License-Identifier: MIT
#  ChirpStack as a host: its core, which knows no connection, and its shell.
fuota_library (chirpstack host/chirpstack.c host/chirpstack_step.c
    host/chirpstack_group.c host/chirpstack_device.c
    host/chirpstack_call.c host/chirpstack_tags.c
    host/chirpstack_inquiry.c host/chirpstack_check.c
    host/chirpstack_check_api.c host/chirpstack_kinds.c host/chirpstack_list.c host/device_kind.c
    host/chirpstack_watch.c host/chirpstack_event.c
    host/chirpstack_json.c host/chirpstack_text.c host/chirpstack_book.c
    host/chirpstack_air.c host/chirpstack_gateway.c host/chirpstack_states.c
    host/chirpstack_heard.c)
target_link_libraries (chirpstack PUBLIC schema package region
    PRIVATE PkgConfig::JANSSON)

#  What a rehearsal needs in a ChirpStack (pure).
fuota_library (provision host/provision.c host/provision_call.c
    host/provision_remove.c)
target_link_libraries (provision PUBLIC chirpstack lora_core)

pkg_check_modules (MOSQUITTO IMPORTED_TARGET libmosquitto)
option (FUOTA_MQTT "MQTT to ChirpStack (needs libmosquitto)"
    ${MOSQUITTO_FOUND})
if (FUOTA_MQTT AND NOT MOSQUITTO_FOUND)
    message (FATAL_ERROR "FUOTA_MQTT needs libmosquitto-dev")
endif ()
if (FUOTA_MQTT)
    fuota_library (mqtt_link host/mqtt_connect.c host/mqtt_link.c)
    target_link_libraries (mqtt_link PUBLIC schema PkgConfig::CZMQ
        PRIVATE PkgConfig::MOSQUITTO)
    target_compile_definitions (mqtt_link PUBLIC FUOTA_MQTT=1)
else ()
    add_library (mqtt_link INTERFACE)
    target_compile_definitions (mqtt_link INTERFACE FUOTA_MQTT=0)
endif ()

#  A ZeroMQ back end as a host: events are ChirpStack's.
fuota_library (zmq_host host/zmq_host.c)
target_link_libraries (zmq_host PUBLIC chirpstack)
fuota_library (zmq_actor host/zmq_link.c host/zmq_actor.c)
target_link_libraries (zmq_actor PUBLIC zmq_host mqtt_link broker_actors
    PkgConfig::CZMQ PkgConfig::ZMQ)

if (FUOTA_MQTT AND FUOTA_GRPC)
    fuota_library (chirpstack_actor host/chirpstack_actor.c)
    target_link_libraries (chirpstack_actor PUBLIC zmq_actor grpc_link)
    #  Simulated gateways and devices on its MQTT broker.
    fuota_library (lora_actor host/lora_actor.c)
    target_link_libraries (lora_actor PUBLIC lora_core chirpstack_actor)
    target_link_libraries (engine PRIVATE chirpstack_actor lora_actor provision)
    target_compile_definitions (engine PRIVATE FUOTA_CHIRPSTACK=1)
else ()
    target_compile_definitions (engine PRIVATE FUOTA_CHIRPSTACK=0)
endif ()
