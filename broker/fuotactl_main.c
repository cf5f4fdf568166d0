//  SPDX-License-Identifier: MIT
//
//  fuotactl - the operator's tool: one request, one answer printed.
//
//  Parts: the end of a command; files; deploy and plan; pages; one deployment;
//  check; the pool; decode; main.

#include <czmq.h>
#include "broker/cli.h"
#include "broker/client.h"
#include "broker/control.h"
#include "broker/options.h"
#include "broker/print.h"
#include "broker/security.h"

#define FEW 20  //  Devices that `show` names

//  Stable: scripts rely on them (options.c prints them)
enum {
    EXIT_OK,
    EXIT_USAGE,
    EXIT_FAULTS,
    EXIT_NOT_FOUND,
    EXIT_NO_ANSWER,
    EXIT_NOT_NOW,
    EXIT_FAILED,
    EXIT_AMBIGUOUS,
    EXIT_MALFORMED,
    EXIT_INCOMPLETE,
    EXIT_NOT_OVER,
    EXIT_WRONG
};

typedef struct {
    fuota_options_t options;
    fuota_client_t *client;
    fuota_report_t report;
    Reply reply;
    fuota_print_t print;
} self_t;

//  ---------------------------------------------------------------------
//  The end of a command

static int
s_exit_code (ReplyStatus status)
{
    static const int codes [] = { EXIT_OK, EXIT_FAULTS, EXIT_NOT_FOUND,
        EXIT_AMBIGUOUS, EXIT_NOT_NOW, EXIT_MALFORMED, EXIT_FAILED };
    return (unsigned) status < sizeof codes / sizeof *codes ? codes [status]
                                                            : EXIT_FAILED;
}

static int
s_no_answer (self_t *self)
{
    fprintf (stderr,
        "fuotactl: no answer from %s within %u s; is fuotad running?\n",
        self->options.control, (unsigned) self->options.timeout);
    if (self->options.json)
        fuota_json_print (json_pack ("{s:s}", "status", "no answer"));
    return EXIT_NO_ANSWER;
}

//  A reply that is a refusal.
static int
s_refused (self_t *self)
{
    const Reply *reply = &self->reply;
    if (self->options.json)
        fuota_json_print (fuota_json_reply (reply));
    else {
        fuota_report_t report = { .out = stderr };
        fprintf (stderr, "fuotactl: %s\n",
            *reply->words ? reply->words : fuota_json_status (reply->status));
        fuota_report_faults (&report, reply);
    }
    return s_exit_code (reply->status);
}

static int
s_usage (const char *words)
{
    fprintf (stderr, "fuotactl: %s\nTry 'fuotactl --help'.\n", words);
    return EXIT_USAGE;
}

//  A reply with one summary as an object.
static json_t *
s_summary_object (self_t *self)
{
    json_t *object = fuota_json_reply (&self->reply);
    if (self->reply.summaries_count)
        json_object_set_new (object, "deployment",
            fuota_json_summary (&self->reply.summaries [0]));
    return object;
}

//  ---------------------------------------------------------------------
//  Files

//  A whole file, ended by a zero that is not counted. NULL if that failed,
//  with the reason printed.
static uint8_t *
s_read_file (const char *path, size_t *size)
{
    FILE *file = streq (path, "-") ? stdin : fopen (path, "rb");
    size_t room = FUOTA_CONTROL_REQUEST_MAX * 4;
    uint8_t *data = file ? malloc (room + 1) : NULL;
    *size = data ? fread (data, 1, room, file) : 0;
    bool failed = !data || ferror (file);
    if (failed)
        fprintf (stderr, "fuotactl: %s: %s\n", path, strerror (errno));
    else if (*size == room) {
        fprintf (stderr, "fuotactl: %s: allowed less than %zu bytes\n", path,
            room);
        failed = true;
    }
    if (file && file != stdin)
        fclose (file);
    if (failed) {
        free (data);
        return NULL;
    }
    data [*size] = 0;
    return data;
}

//  Add a file's devices to those of --device.
static int
s_read_devices (fuota_options_t *options)
{
    size_t size, line;
    char *text = (char *) s_read_file (options->devices_file, &size);
    if (!text)
        return -1;
    long count = fuota_cli_devices (text, NULL, &line);
    if (count < 0)
        fprintf (stderr,
            "fuotactl: %s:%zu: no DevEUI; allowed 16 hex digits at the start "
            "of a line, or a comment after #\n",
            options->devices_file, line);
    else {
        options->devices = realloc (options->devices,
            (options->device_count + (size_t) count + 1) * sizeof (uint64_t));
        assert (options->devices);
        fuota_cli_devices (text, options->devices + options->device_count,
            &line);
        options->device_count += (size_t) count;
    }
    free (text);
    return count < 0 ? -1 : 0;
}

//  ---------------------------------------------------------------------
//  Deploy and plan

//  What may go wrong, though it is no fault: for people, also beside JSON.
static void
s_warnings (const self_t *self)
{
    for (pb_size_t i = 0; i < self->reply.findings_count; i++)
        fprintf (stderr, "fuotactl: warning: %s: %s\n  -> %s\n",
            self->reply.findings [i].what, self->reply.findings [i].words,
            self->reply.findings [i].advice);
}

static int
s_wish (self_t *self, const uint8_t *image, size_t size)
{
    fuota_options_t *options = &self->options;
    bool store = options->what == FUOTA_DO_DEPLOY;
    fuota_request_parts_t parts = { .request.command =
                                        store ? FUOTA_DEPLOY : FUOTA_PLAN,
        .request.has_wish = true,
        .request.wish = options->wish,
        .devices = options->devices,
        .device_count = options->device_count,
        .image = fuota_slice (image, size) };
    if (fuota_client_call (self->client, &parts, &self->reply))
        return s_no_answer (self);
    if (self->reply.status)
        return s_refused (self);
    const Summary *summary = &self->reply.summaries [0];
    s_warnings (self);
    if (options->json) {
        json_t *object = s_summary_object (self);
        json_object_set_new (object, "existed",
            json_boolean (self->reply.existed));
        fuota_json_chosen (object, &self->reply);
        fuota_json_findings (object, &self->reply);
        fuota_json_print (object);
        return EXIT_OK;
    }
    if (store)
        printf ("%s  %s  %u devices%s\n", summary->id, summary->name,
            (unsigned) summary->total,
            self->reply.existed ? "  (existed already)" : "");
    else
        fuota_report_plan (&self->report, summary);
    //  A deployment says only what an operator should look at
    if (!store || self->reply.unheard)
        fuota_print_chosen (&self->reply);
    return EXIT_OK;
}

static int
s_deploy (self_t *self)
{
    fuota_options_t *options = &self->options;
    uint8_t *image = NULL;
    size_t size = 0;
    if (!options->argument && !options->wish.image_sha256.size)
        return s_usage ("deploy: no image; allowed IMAGE or --image-sha256");
    if (options->devices_file && s_read_devices (options))
        return EXIT_USAGE;
    if (options->argument && !(image = s_read_file (options->argument, &size)))
        return EXIT_USAGE;
    //  What the broker would not even take as a message
    size_t room = FUOTA_CONTROL_REQUEST_MAX - 65536;
    int rc = size > room || options->device_count > (room - size) / 8
                 ? s_usage ("image and devices: allowed together less than 8 "
                            "MiB, at 8 bytes a device")
                 : s_wish (self, image, size);
    free (image);
    return rc;
}

//  ---------------------------------------------------------------------
//  Pages

//  All pages of a command: as lines, or gathered in self->print.list. If that
//  failed it is said, and the list is gone.
static int
s_gather (self_t *self, RequestCommand command, fuota_client_page_fn *take)
{
    const char *id = self->options.argument ? self->options.argument : "";
    self->print.list = self->options.json ? json_array () : NULL;
    self->print.seen = 0;
    int rc = fuota_client_pages (self->client, command, id, take, &self->print,
                 &self->reply)
                 ? s_no_answer (self)
             : self->reply.status ? s_refused (self)
                                  : EXIT_OK;
    if (rc)
        json_decref (self->print.list);
    return rc;
}

//  The same, and with --json printed, as an array called name.
static int
s_pages (self_t *self, RequestCommand command, const char *name,
    fuota_client_page_fn *take, json_t *object)
{
    int rc = s_gather (self, command, take);
    if (rc)
        json_decref (object);
    else if (self->options.json) {
        if (!object)
            object = fuota_json_reply (&self->reply);
        json_object_set_new (object, name, self->print.list);
        fuota_json_print (object);
    }
    return rc;
}

//  ---------------------------------------------------------------------
//  One deployment

static int
s_ask (self_t *self, RequestCommand command)
{
    if (fuota_client_ask (self->client, command, self->options.argument,
            &self->reply))
        return s_no_answer (self);
    return self->reply.status ? s_refused (self) : EXIT_OK;
}

static int
s_order (self_t *self, RequestCommand command)
{
    int rc = s_ask (self, command);
    if (rc)
        return rc;
    if (self->options.json)
        fuota_json_print (s_summary_object (self));
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
s_show (self_t *self)
{
    int rc = s_ask (self, FUOTA_SHOW);
    if (rc)
        return rc;
    Summary summary = self->reply.summaries [0];
    json_t *object = NULL;
    if (self->options.json)
        object = s_summary_object (self);
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
        rc = s_gather (self, FUOTA_GATEWAYS, fuota_print_gateways);
        if (rc) {
            json_decref (object);
            return rc;
        }
        json_object_set_new (object, "gateways", self->print.list);
    }
    rc = s_pages (self, FUOTA_DEVICES, "devices", fuota_print_devices, object);
    if (!rc && report && !self->options.json)
        rc = s_gather (self, FUOTA_GATEWAYS, fuota_print_gateways);
    return rc || !report ? rc : s_verdict (&summary);
}

static int
s_watch (self_t *self)
{
    //  Progress is for people: with --json it goes to stderr
    int rc = fuota_client_watch (self->client, self->options.argument,
        &self->report, &self->reply);
    if (rc == -1)
        return s_no_answer (self);
    if (rc == -2)
        return EXIT_NOT_OVER;
    if (rc)
        return s_refused (self);
    if (self->options.json)
        fuota_json_print (s_summary_object (self));
    else
        fuota_report_final (&self->report, &self->reply.summaries [0]);
    return s_verdict (&self->reply.summaries [0]);
}

static int
s_version (self_t *self)
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
s_check (self_t *self)
{
    fuota_request_parts_t parts = { .request.command = FUOTA_CHECK,
        .request.has_wish = true,
        .request.wish = self->options.wish };
    if (fuota_client_call (self->client, &parts, &self->reply))
        return s_no_answer (self);
    if (self->reply.status)
        return s_refused (self);
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
s_workers (self_t *self)
{
    json_t *object = NULL;
    if (self->options.json) {
        //  Its pool is in every page; the array is filled by all
        int rc =
            fuota_client_ask (self->client, FUOTA_WORKERS, "", &self->reply);
        if (rc || self->reply.status)
            return rc ? s_no_answer (self) : s_refused (self);
        object = fuota_json_reply (&self->reply);
        json_object_set_new (object, "pool",
            fuota_json_pool (&self->reply.pool));
    }
    int rc =
        s_pages (self, FUOTA_WORKERS, "workers", fuota_print_workers, object);
    if (!rc && !self->options.json)
        fuota_print_pool (&self->reply.pool);
    return rc;
}

//  A command whose answer is no more than that it was done.
static int
s_told (self_t *self, RequestCommand command, const char *what)
{
    int rc = s_ask (self, command);
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
s_remove (self_t *self)
{
    const char *id = self->options.argument;
    if (fuota_client_pages (self->client, FUOTA_REMOVE, id, s_piece, NULL,
            &self->reply))
        return s_no_answer (self);
    if (self->reply.status)
        return s_refused (self);
    if (self->options.json)
        fuota_json_print (fuota_json_reply (&self->reply));
    else
        printf ("%s: removed\n", id);
    return EXIT_OK;
}

static int
s_image (self_t *self)
{
    size_t size;
    uint8_t *image = s_read_file (self->options.argument, &size);
    if (!image)
        return EXIT_USAGE;
    fuota_request_parts_t parts = { .request.command = FUOTA_IMAGE,
        .request.has_wish = true,
        .request.wish = self->options.wish,
        .image = fuota_slice (image, size) };
    int rc = size > FUOTA_CONTROL_REQUEST_MAX - 65536
                 ? s_usage ("image: allowed less than 8 MiB")
             : fuota_client_call (self->client, &parts, &self->reply)
                 ? s_no_answer (self)
             : self->reply.status ? s_refused (self)
                                  : EXIT_OK;
    free (image);
    const Summary *summary = &self->reply.summaries [0];
    if (!rc && self->options.json) {
        json_t *object = fuota_json_reply (&self->reply);
        json_object_set_new (object, "image", fuota_json_summary (summary));
        json_object_set_new (object, "existed",
            json_boolean (self->reply.existed));
        fuota_json_print (object);
    }
    else if (!rc)
        printf ("%s  %u bytes%s, %u coded fragments of %u bytes wanted\n",
            summary->image_sha256, (unsigned) summary->image_size,
            self->reply.existed ? " (stored already)" : "",
            (unsigned) summary->redundancy, (unsigned) summary->frag_size);
    return rc;
}

static int
s_keygen (self_t *self)
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
s_decode (self_t *self)
{
    uint8_t payload [256];
    size_t size = sizeof payload;
    const fuota_options_t *options = &self->options;
    if (!fuota_cli_hex (options->argument, payload, &size) || !size)
        return s_usage ("decode: not hex; allowed 1 to 256 bytes, two digits "
                        "each");
    if (options->version > 2)
        return s_usage ("decode: --version; allowed 1 or 2");
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
s_connected (self_t *self)
{
    switch (self->options.what) {
        case FUOTA_DO_DEPLOY:
        case FUOTA_DO_PLAN:
            return s_deploy (self);
        case FUOTA_DO_CHECK:
            return s_check (self);
        case FUOTA_DO_LIST:
            return s_pages (self, FUOTA_LIST, "deployments",
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
            return s_pages (self, FUOTA_JOURNAL, "lines", fuota_print_lines,
                NULL);
        case FUOTA_DO_WORKERS:
            return s_workers (self);
        case FUOTA_DO_DRAIN:
            return s_told (self, FUOTA_DRAIN, "told");
        case FUOTA_DO_REMOVE:
            return s_remove (self);
        case FUOTA_DO_IMAGE:
            return s_image (self);
        case FUOTA_DO_GATEWAYS:
            return s_pages (self, FUOTA_GATEWAYS, "gateways",
                fuota_print_gateways, NULL);
        case FUOTA_DO_IMAGES:
            return s_pages (self, FUOTA_IMAGES, "images", fuota_print_images,
                NULL);
        case FUOTA_DO_IMAGE_REMOVE:
            return s_told (self, FUOTA_IMAGE_REMOVE, "removed");
        case FUOTA_DO_VERSION:
            return s_version (self);
        default:
            return s_usage ("command: allowed those of --help");
    }
}

static int
s_run (self_t *self)
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
        return s_usage ("--endpoint, --events: allowed ipc://PATH");
    int rc = s_connected (self);
    fuota_client_destroy (&self->client);
    return rc;
}

//  `fuotactl help deploy` is `fuotactl deploy --help`.
static int
s_help (self_t *self, char *program)
{
    const char *about = self->options.argument;
    char flag [] = "--help", word [32];
    snprintf (word, sizeof word, "%s", about ? about : "");
    if (about) {
        char *argv [] = { program, word, flag, NULL };
        if (fuota_options_parse (&self->options, 3, argv))
            return s_usage (self->options.fault);
    }
    fuota_options_help (self->options.what, stdout);
    return EXIT_OK;
}

int
main (int argc, char **argv)
{
    static self_t self;
    int rc;
    zsys_set_logident ("fuotactl");
    if (fuota_options_parse (&self.options, argc, argv))
        rc = s_usage (self.options.fault);
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
