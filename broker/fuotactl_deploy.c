//  SPDX-License-Identifier: MIT
//
//  Parts: files; deploy and plan; an image alone.

#include <czmq.h>
#include "broker/cli.h"
#include "broker/control.h"
#include "broker/fuotactl.h"

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
s_warnings (const fuotactl_t *self)
{
    for (pb_size_t i = 0; i < self->reply.findings_count; i++)
        fprintf (stderr, "fuotactl: warning: %s: %s\n  -> %s\n",
            self->reply.findings [i].what, self->reply.findings [i].words,
            self->reply.findings [i].advice);
}

static int
s_wish (fuotactl_t *self, const uint8_t *image, size_t size)
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
        return fuotactl_no_answer (self);
    if (self->reply.status)
        return fuotactl_refused (self);
    const Summary *summary = &self->reply.summaries [0];
    s_warnings (self);
    if (options->json) {
        json_t *object = fuotactl_summary_object (self);
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

int
fuotactl_deploy (fuotactl_t *self)
{
    fuota_options_t *options = &self->options;
    uint8_t *image = NULL;
    size_t size = 0;
    if (!options->argument && !options->wish.image_sha256.size)
        return fuotactl_usage (
            "deploy: no image; allowed IMAGE or --image-sha256");
    if (options->devices_file && s_read_devices (options))
        return EXIT_USAGE;
    if (options->argument && !(image = s_read_file (options->argument, &size)))
        return EXIT_USAGE;
    //  What the broker would not even take as a message
    size_t room = FUOTA_CONTROL_REQUEST_MAX - 65536;
    int rc =
        size > room || options->device_count > (room - size) / 8
            ? fuotactl_usage ("image and devices: allowed together less than 8 "
                              "MiB, at 8 bytes a device")
            : s_wish (self, image, size);
    free (image);
    return rc;
}

//  ---------------------------------------------------------------------
//  An image alone

int
fuotactl_image (fuotactl_t *self)
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
                 ? fuotactl_usage ("image: allowed less than 8 MiB")
             : fuota_client_call (self->client, &parts, &self->reply)
                 ? fuotactl_no_answer (self)
             : self->reply.status ? fuotactl_refused (self)
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
