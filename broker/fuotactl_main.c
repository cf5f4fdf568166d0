//  SPDX-License-Identifier: MIT
//
//  fuotactl - the operator's tool: one request, one answer printed.
//
//  Parts: one deployment; check; the pool; decode; main.

#include <czmq.h>
#include "broker/cli.h"
#include "broker/fuotactl.h"
#include "broker/security.h"
#include "schema/record.h"

#define FEW 20  //  Devices that `show` names

//  ---------------------------------------------------------------------
//  One deployment

static int
s_order (fuotactl_t *self, RequestCommand command)
{
    int rc = fuotactl_ask (self, command);
    if (rc)
        return rc;
    if (self->options.json)
        fuota_json_print (fuotactl_summary_object (self));
    else
        printf ("%s  %s: told\n", self->reply.summaries [0].id,
            self->reply.summaries [0].name);
    return EXIT_OK;
}

//  How a deployment that is over went.
static int
s_verdict (const Summary *summary)
{
    if (!summary->ended)
        return EXIT_NOT_OVER;
    return streq (summary->phase, "done") && summary->ended_as_count > 1 &&
                   summary->ended_as [FUOTA_END_COMPLETE] == summary->total
               ? EXIT_OK
               : EXIT_INCOMPLETE;
}

static int
s_show (fuotactl_t *self)
{
    int rc = fuotactl_ask (self, FUOTA_SHOW);
    if (rc)
        return rc;
    Summary summary = self->reply.summaries [0];
    json_t *object = NULL;
    if (self->options.json)
        object = fuotactl_summary_object (self);
    else {
        fuota_report_final (&self->report, &summary);
        if (!summary.ended) {
            self->report.live = true;  //  The picture, once
            fuota_report_progress (&self->report, &summary);
            self->report.drawn = 0;
        }
        fuota_report_device (&self->report, NULL);
    }
    bool report = self->options.what == FUOTA_DO_REPORT;
    if (report && object) {
        rc = fuotactl_gather (self, FUOTA_GATEWAYS, fuota_print_gateways);
        if (rc) {
            json_decref (object);
            return rc;
        }
        json_object_set_new (object, "gateways", self->print.list);
    }
    rc = fuotactl_pages (self, FUOTA_DEVICES, "devices", fuota_print_devices,
        object);
    if (!rc && report && !self->options.json)
        rc = fuotactl_gather (self, FUOTA_GATEWAYS, fuota_print_gateways);
    return rc || !report ? rc : s_verdict (&summary);
}

static int
s_watch (fuotactl_t *self)
{
    //  Progress is for people: with --json it goes to stderr
    int rc = fuota_client_watch (self->client, self->options.argument,
        &self->report, &self->reply);
    if (rc == -1)
        return fuotactl_no_answer (self);
    if (rc == -2)
        return EXIT_NOT_OVER;
    if (rc)
        return fuotactl_refused (self);
    if (self->options.json)
        fuota_json_print (fuotactl_summary_object (self));
    else
        fuota_report_final (&self->report, &self->reply.summaries [0]);
    return s_verdict (&self->reply.summaries [0]);
}

static int
s_version (fuotactl_t *self)
{
    int rc = fuota_client_ask (self->client, FUOTA_VERSION, "", &self->reply);
    const char *broker = rc ? "no answer" : self->reply.version;
    if (self->options.json)
        fuota_json_print (
            json_pack ("{s:s,s:s,s:s}", "status", rc ? "no answer" : "ok",
                "fuotactl", FUOTA_BUILD, "broker", broker));
    else
        printf ("fuotactl " FUOTA_BUILD "\nbroker   %s\n", broker);
    return rc ? EXIT_NO_ANSWER : EXIT_OK;
}

//  ---------------------------------------------------------------------
//  Check

static int
s_check (fuotactl_t *self)
{
    fuota_request_parts_t parts = { .request.command = FUOTA_CHECK,
        .request.has_wish = true,
        .request.wish = self->options.wish };
    if (fuota_client_call (self->client, &parts, &self->reply))
        return fuotactl_no_answer (self);
    if (self->reply.status)
        return fuotactl_refused (self);
    const Reply *reply = &self->reply;
    bool wrong = false;
    for (pb_size_t i = 0; i < reply->findings_count; i++)
        wrong = wrong || reply->findings [i].level >= FUOTA_FINDING_WRONG;
    if (self->options.json) {
        json_t *object = fuota_json_reply (reply);
        json_object_set_new (object, "well", json_boolean (!wrong));
        fuota_json_findings (object, reply);
        fuota_json_print (object);
    }
    else
        fuota_print_check (reply);
    return wrong ? EXIT_WRONG : EXIT_OK;
}

//  ---------------------------------------------------------------------
//  The pool

static int
s_workers (fuotactl_t *self)
{
    json_t *object = NULL;
    if (self->options.json) {
        //  Its pool is in every page; the array is filled by all
        int rc =
            fuota_client_ask (self->client, FUOTA_WORKERS, "", &self->reply);
        if (rc || self->reply.status)
            return rc ? fuotactl_no_answer (self) : fuotactl_refused (self);
        object = fuota_json_reply (&self->reply);
        json_object_set_new (object, "pool",
            fuota_json_pool (&self->reply.pool));
    }
    int rc = fuotactl_pages (self, FUOTA_WORKERS, "workers",
        fuota_print_workers, object);
    if (!rc && !self->options.json)
        fuota_print_pool (&self->reply.pool);
    return rc;
}

//  A command whose answer is no more than that it was done.
static int
s_told (fuotactl_t *self, RequestCommand command, const char *what)
{
    int rc = fuotactl_ask (self, command);
    if (rc)
        return rc;
    if (self->options.json)
        fuota_json_print (fuota_json_reply (&self->reply));
    else
        printf ("%s: %s\n", self->options.argument, what);
    return EXIT_OK;
}

//  It goes in pieces: until nothing is left.
static bool
s_piece (void *arg, const Reply *reply)
{
    (void) arg;
    (void) reply;
    return true;
}

static int
s_remove (fuotactl_t *self)
{
    const char *id = self->options.argument;
    if (fuota_client_pages (self->client, FUOTA_REMOVE, id, s_piece, NULL,
            &self->reply))
        return fuotactl_no_answer (self);
    if (self->reply.status)
        return fuotactl_refused (self);
    if (self->options.json)
        fuota_json_print (fuota_json_reply (&self->reply));
    else
        printf ("%s: removed\n", id);
    return EXIT_OK;
}

static int
s_keygen (fuotactl_t *self)
{
    char error [512];
    zcert_t *server = NULL;
    const fuota_options_t *options = &self->options;
    if (options->server && !(server = zcert_load (options->server))) {
        fprintf (stderr, "fuotactl: %s: not a file with a public key\n",
            options->server);
        return EXIT_USAGE;
    }
    int rc = fuota_security_keygen (options->argument,
        server ? zcert_public_txt (server) : NULL, error, sizeof error);
    if (rc)
        fprintf (stderr, "fuotactl: %s\n", error);
    else if (options->json)
        fuota_json_print (json_pack ("{s:s,s:s,s:s+}", "status", "ok", "public",
            options->argument, "secret", options->argument, "_secret"));
    else if (server)
        printf ("%s         who has it listed is admitted: leave it here\n"
                "%s_secret  copy this one to the worker's host, and delete it "
                "here\n",
            options->argument, options->argument);
    else
        printf ("%s         public: for --server\n"
                "%s_secret  pool.server_key\n",
            options->argument, options->argument);
    zcert_destroy (&server);
    return rc ? EXIT_FAILED : EXIT_OK;
}

//  ---------------------------------------------------------------------
//  Decode

static int
s_decode (fuotactl_t *self)
{
    uint8_t payload [256];
    size_t size = sizeof payload;
    const fuota_options_t *options = &self->options;
    if (!fuota_cli_hex (options->argument, payload, &size) || !size)
        return fuotactl_usage (
            "decode: not hex; allowed 1 to 256 bytes, two digits "
            "each");
    if (options->version > 2)
        return fuotactl_usage ("decode: --version; allowed 1 or 2");
    if (options->json)
        self->print.list = json_array ();
    unsigned told =
        fuota_decode_run (payload, size, options->port, options->version,
            options->direction, fuota_print_reading, &self->print);
    if (options->json)
        fuota_json_print (json_pack ("{s:s,s:o}", "status",
            told ? "ok" : "not found", "readings", self->print.list));
    else if (!told)
        printf ("no package reads this\n");
    return told ? EXIT_OK : EXIT_NOT_FOUND;
}

//  ---------------------------------------------------------------------
//  Main

static int
s_connected (fuotactl_t *self)
{
    switch (self->options.what) {
        case FUOTA_DO_DEPLOY:
        case FUOTA_DO_PLAN:
            return fuotactl_deploy (self);
        case FUOTA_DO_CHECK:
            return s_check (self);
        case FUOTA_DO_LIST:
            return fuotactl_pages (self, FUOTA_LIST, "deployments",
                fuota_print_summaries, NULL);
        case FUOTA_DO_SHOW:
        case FUOTA_DO_REPORT:
            return s_show (self);
        case FUOTA_DO_WATCH:
            return s_watch (self);
        case FUOTA_DO_PAUSE:
            return s_order (self, FUOTA_PAUSE);
        case FUOTA_DO_RESUME:
            return s_order (self, FUOTA_RESUME);
        case FUOTA_DO_CANCEL:
            return s_order (self, FUOTA_CANCEL);
        case FUOTA_DO_JOURNAL:
            return fuotactl_pages (self, FUOTA_JOURNAL, "lines",
                fuota_print_lines, NULL);
        case FUOTA_DO_WORKERS:
            return s_workers (self);
        case FUOTA_DO_DRAIN:
            return s_told (self, FUOTA_DRAIN, "told");
        case FUOTA_DO_REMOVE:
            return s_remove (self);
        case FUOTA_DO_IMAGE:
            return fuotactl_image (self);
        case FUOTA_DO_GATEWAYS:
            return fuotactl_pages (self, FUOTA_GATEWAYS, "gateways",
                fuota_print_gateways, NULL);
        case FUOTA_DO_IMAGES:
            return fuotactl_pages (self, FUOTA_IMAGES, "images",
                fuota_print_images, NULL);
        case FUOTA_DO_IMAGE_REMOVE:
            return s_told (self, FUOTA_IMAGE_REMOVE, "removed");
        case FUOTA_DO_VERSION:
            return s_version (self);
        default:
            return fuotactl_usage ("command: allowed those of --help");
    }
}

static int
s_run (fuotactl_t *self)
{
    fuota_options_t *options = &self->options;
    if (options->help) {
        fuota_options_help (options->what, stdout);
        return EXIT_OK;
    }
    if (options->what == FUOTA_DO_DECODE)
        return s_decode (self);
    if (options->what == FUOTA_DO_KEYGEN)
        return s_keygen (self);
    bool watch = options->what == FUOTA_DO_WATCH;
    self->client = fuota_client_new (options->control,
        watch && *options->events ? options->events : NULL,
        (int) options->timeout * 1000);
    if (!self->client)
        return fuotactl_usage ("--endpoint, --events: allowed ipc://PATH");
    int rc = s_connected (self);
    fuota_client_destroy (&self->client);
    return rc;
}

//  `fuotactl help deploy` is `fuotactl deploy --help`.
static int
s_help (fuotactl_t *self, char *program)
{
    const char *about = self->options.argument;
    char flag [] = "--help", word [32];
    snprintf (word, sizeof word, "%s", about ? about : "");
    if (about) {
        char *argv [] = { program, word, flag, NULL };
        if (fuota_options_parse (&self->options, 3, argv))
            return fuotactl_usage (self->options.fault);
    }
    fuota_options_help (self->options.what, stdout);
    return EXIT_OK;
}

int
main (int argc, char **argv)
{
    static fuotactl_t self;
    int rc;
    zsys_set_logident ("fuotactl");
    if (fuota_options_parse (&self.options, argc, argv))
        rc = fuotactl_usage (self.options.fault);
    else {
        bool aside = self.options.json && self.options.what == FUOTA_DO_WATCH;
        fuota_report_init (&self.report, aside ? stderr : stdout);
        self.print.report = &self.report;
        if (self.options.what == FUOTA_DO_SHOW && !self.options.all_devices)
            self.print.most = FEW;
        rc = self.options.what == FUOTA_DO_HELP ? s_help (&self, argv [0])
                                                : s_run (&self);
    }
    fuota_options_release (&self.options);
    return rc;
}
