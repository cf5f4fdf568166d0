//  SPDX-License-Identifier: MIT
//
//  Parts: the end of a command; a request; pages.

#include <stdio.h>
#include "broker/fuotactl.h"

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

int
fuotactl_no_answer (fuotactl_t *self)
{
    fprintf (stderr,
        "fuotactl: no answer from %s within %u s; is fuotad running?\n",
        self->options.control, (unsigned) self->options.timeout);
    if (self->options.json)
        fuota_json_print (json_pack ("{s:s}", "status", "no answer"));
    return EXIT_NO_ANSWER;
}

int
fuotactl_refused (fuotactl_t *self)
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

int
fuotactl_usage (const char *words)
{
    fprintf (stderr, "fuotactl: %s\nTry 'fuotactl --help'.\n", words);
    return EXIT_USAGE;
}

json_t *
fuotactl_summary_object (fuotactl_t *self)
{
    json_t *object = fuota_json_reply (&self->reply);
    if (self->reply.summaries_count)
        json_object_set_new (object, "deployment",
            fuota_json_summary (&self->reply.summaries [0]));
    return object;
}

//  ---------------------------------------------------------------------
//  A request

int
fuotactl_ask (fuotactl_t *self, RequestCommand command)
{
    if (fuota_client_ask (self->client, command, self->options.argument,
            &self->reply))
        return fuotactl_no_answer (self);
    return self->reply.status ? fuotactl_refused (self) : EXIT_OK;
}

//  ---------------------------------------------------------------------
//  Pages

int
fuotactl_gather (fuotactl_t *self, RequestCommand command,
    fuota_client_page_fn *take)
{
    const char *id = self->options.argument ? self->options.argument : "";
    self->print.list = self->options.json ? json_array () : NULL;
    self->print.seen = 0;
    int rc = fuota_client_pages (self->client, command, id, take, &self->print,
                 &self->reply)
                 ? fuotactl_no_answer (self)
             : self->reply.status ? fuotactl_refused (self)
                                  : EXIT_OK;
    if (rc)
        json_decref (self->print.list);
    return rc;
}

int
fuotactl_pages (fuotactl_t *self, RequestCommand command, const char *name,
    fuota_client_page_fn *take, json_t *object)
{
    int rc = fuotactl_gather (self, command, take);
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
