//  SPDX-License-Identifier: MIT
//
//  Parts: texts; progress on a terminal; progress in lines; the end.

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "broker/report.h"
#include "schema/record.h"

#define BAR 32  //  Characters

typedef enum { PLAIN, GOOD, BAD, BUSY } tone_t;

//  ---------------------------------------------------------------------
//  Texts

void
fuota_report_init (fuota_report_t *self, FILE *out)
{
    const char *no_colour = getenv ("NO_COLOR"), *term = getenv ("TERM");
    bool dumb = term && strcmp (term, "dumb") == 0;
    *self = (fuota_report_t){ .out = out };
    self->live = isatty (fileno (out)) == 1 && !dumb;
    self->colour = self->live && !(no_colour && *no_colour);
}

void
fuota_report_duration (int64_t ms, char *text, size_t size)
{
    long long s = (long long) (ms < 0 ? 0 : ms) / 1000;
    if (s < 10)
        snprintf (text, size, "%lld.%llds", s,
            (long long) (ms < 0 ? 0 : ms) % 1000 / 100);
    else if (s < 60)
        snprintf (text, size, "%llds", s);
    else if (s < 3600)
        snprintf (text, size, "%lldm %02llds", s / 60, s % 60);
    else if (s < 48 * 3600)
        snprintf (text, size, "%lldh %02lldm %02llds", s / 3600, s / 60 % 60,
            s % 60);
    else
        snprintf (text, size, "%lldd %02lldh %02lldm", s / 86400, s / 3600 % 24,
            s / 60 % 60);
}

void
fuota_report_time (int64_t utc_ms, char *text, size_t size)
{
    time_t seconds = (time_t) (utc_ms / 1000);
    struct tm parts;
    if (!utc_ms || !gmtime_r (&seconds, &parts) ||
        !strftime (text, size, "%Y-%m-%d %H:%M:%S", &parts))
        snprintf (text, size, "-");
}

static const char *
s_tone (const fuota_report_t *self, tone_t tone)
{
    static const char *const codes [] = { "\x1b[0m", "\x1b[32m", "\x1b[31m",
        "\x1b[33m" };
    return self->colour ? codes [tone] : "";
}

static uint32_t
s_ended (const Summary *summary, End end)
{
    return end < summary->ended_as_count ? summary->ended_as [end] : 0;
}

static uint32_t
s_failed (const Summary *summary)
{
    return s_ended (summary, FUOTA_END_REFUSED) +
           s_ended (summary, FUOTA_END_TIMED_OUT) +
           s_ended (summary, FUOTA_END_INCOMPLETE) +
           s_ended (summary, FUOTA_END_CANCELLED);
}

//  Which steps an operator sees as one stage.
static const struct {
    const char *name;
    Step first, last;
} s_stages [] = {
    { "group set-up", FUOTA_STEP_GROUP, FUOTA_STEP_GROUP },
    { "fragmentation set-up", FUOTA_STEP_FRAG_DELETE, FUOTA_STEP_FRAG_SETUP },
    { "session", FUOTA_STEP_SESSION_WAIT, FUOTA_STEP_RESYNC },
    { "reception", FUOTA_STEP_READY, FUOTA_STEP_READY },
    { "status and repair", FUOTA_STEP_REPORT, FUOTA_STEP_UNICAST },
    { "clean-up", FUOTA_STEP_CLEAN_FRAG, FUOTA_STEP_CLEAN_GROUP },
};

#define STAGES (sizeof s_stages / sizeof *s_stages)

static uint32_t
s_at_stage (const Summary *summary, size_t stage)
{
    uint32_t count = 0;
    for (int step = s_stages [stage].first; step <= (int) s_stages [stage].last;
         step++)
        if (step < summary->at_step_count)
            count += summary->at_step [step];
    return count;
}

//  ---------------------------------------------------------------------
//  Progress on a terminal

static void
s_draw_head (fuota_report_t *self, const Summary *summary)
{
    fprintf (self->out, "%s  %s%s%s", summary->name, s_tone (self, BUSY),
        summary->phase, s_tone (self, PLAIN));
    if (summary->round)
        fprintf (self->out, "  round %u of at most %u",
            (unsigned) summary->round, (unsigned) summary->repair_rounds + 1);
    fprintf (self->out, "%s\n", summary->paused ? "  (resume to go on)" : "");
    self->drawn++;
}

//  A device that is at a later stage, or has ended well, is done with this
//  one. Where the others fell out is in their lines at the end.
static void
s_draw_stages (fuota_report_t *self, const Summary *summary)
{
    uint32_t done = summary->total - s_failed (summary);
    for (size_t i = 0; i < STAGES; i++) {
        uint32_t waiting = s_at_stage (summary, i);
        done -= waiting < done ? waiting : done;
        if (i + 1 == STAGES && !waiting)
            continue;
        fprintf (self->out, "  %-22s %s%7u waiting%s %7u done\n",
            s_stages [i].name, s_tone (self, waiting ? BUSY : PLAIN),
            (unsigned) waiting, s_tone (self, PLAIN), (unsigned) done);
        self->drawn++;
    }
}

static uint32_t
s_through (const Summary *summary)
{
    uint32_t next = summary->next_n;
    return next && next <= summary->last_n + 1 ? next - 1 : 0;
}

static void
s_draw_bar (fuota_report_t *self, const Summary *summary)
{
    char bar [BAR + 1];
    uint32_t through = s_through (summary), last = summary->last_n;
    uint32_t full = last ? (uint32_t) ((uint64_t) through * BAR / last) : 0;
    for (uint32_t i = 0; i < BAR; i++)
        bar [i] = i < full ? '#' : '.';
    bar [BAR] = 0;
    fprintf (self->out, "  fragments [%s%s%s] %u of %u (image %u, parity %u)",
        s_tone (self, GOOD), bar, s_tone (self, PLAIN), (unsigned) through,
        (unsigned) last, (unsigned) summary->nb_frag,
        (unsigned) (last > summary->nb_frag ? last - summary->nb_frag : 0));
    if (summary->resent)
        fprintf (self->out, ", %u sent again", (unsigned) summary->resent);
    fprintf (self->out, "\n");
    self->drawn++;
}

static void
s_draw_tail (fuota_report_t *self, const Summary *summary)
{
    uint32_t failed = s_failed (summary);
    char left [40] = "", air [40];
    if (summary->eta > summary->now)
        fuota_report_duration (summary->eta - summary->now, left, sizeof left);
    fuota_report_duration ((int64_t) summary->air_time, air, sizeof air);
    fprintf (self->out,
        "  devices   %s%u complete%s, %s%u failed%s of %u    %s on air%s%s\n",
        s_tone (self, GOOD), (unsigned) s_ended (summary, FUOTA_END_COMPLETE),
        s_tone (self, PLAIN), s_tone (self, failed ? BAD : PLAIN),
        (unsigned) failed, s_tone (self, PLAIN), (unsigned) summary->total, air,
        *left ? ", sending ends in " : "", left);
    self->drawn++;
}

//  Back to the first line of what was drawn, and clear from there on.
static void
s_undraw (fuota_report_t *self)
{
    if (self->drawn)
        fprintf (self->out, "\x1b[%uA\r\x1b[J", self->drawn);
    self->drawn = 0;
}

//  ---------------------------------------------------------------------
//  Progress in lines

//  Worth a line: another phase or round, a further tenth of the fragments, or
//  a device more that has ended (a tenth of the fleet if it is large).
static bool
s_news (fuota_report_t *self, const Summary *summary)
{
    uint32_t last = summary->last_n;
    uint32_t tenth = last ? (uint32_t) (s_through (summary) * 10ull / last) : 0;
    uint32_t ended = s_ended (summary, FUOTA_END_COMPLETE) + s_failed (summary);
    if (summary->total > 20)
        ended = (uint32_t) (ended * 10ull / summary->total);
    bool news = strcmp (self->phase, summary->phase) ||
                self->round != summary->round || self->tenth != tenth ||
                self->ended != ended;
    memcpy (self->phase, summary->phase, sizeof self->phase);
    self->round = summary->round;
    self->tenth = tenth;
    self->ended = ended;
    return news;
}

static void
s_line (fuota_report_t *self, const Summary *summary)
{
    char at [40];
    fuota_report_time (summary->now, at, sizeof at);
    fprintf (self->out, "%s %s: %s, round %u, fragments %u of %u", at,
        summary->name, summary->phase, (unsigned) summary->round,
        (unsigned) s_through (summary), (unsigned) summary->last_n);
    for (size_t i = 0; i < STAGES; i++)
        if (s_at_stage (summary, i))
            fprintf (self->out, ", %u at %s",
                (unsigned) s_at_stage (summary, i), s_stages [i].name);
    fprintf (self->out, ", %u complete, %u failed of %u\n",
        (unsigned) s_ended (summary, FUOTA_END_COMPLETE),
        (unsigned) s_failed (summary), (unsigned) summary->total);
}

void
fuota_report_progress (fuota_report_t *self, const Summary *summary)
{
    if (self->live) {
        s_undraw (self);
        s_draw_head (self, summary);
        s_draw_stages (self, summary);
        s_draw_bar (self, summary);
        s_draw_tail (self, summary);
    }
    else if (s_news (self, summary))
        s_line (self, summary);
    fflush (self->out);
}

void
fuota_report_note (fuota_report_t *self, const char *line)
{
    s_undraw (self);
    fprintf (self->out, "%s\n", line);
}

//  ---------------------------------------------------------------------
//  The end, a plan, faults

static void
s_image (fuota_report_t *self, const Summary *summary)
{
    fprintf (self->out,
        "image     %u bytes, SHA-256 %s\n"
        "          %u fragments of %u bytes, %u coded ones in the first "
        "round\n",
        (unsigned) summary->image_size, summary->image_sha256,
        (unsigned) summary->nb_frag, (unsigned) summary->frag_size,
        (unsigned) summary->redundancy);
}

void
fuota_report_final (fuota_report_t *self, const Summary *summary)
{
    char from [40], to [40], took [40], air [40];
    int64_t began = summary->started ? summary->started : summary->created;
    s_undraw (self);
    fuota_report_time (began, from, sizeof from);
    fuota_report_time (summary->ended, to, sizeof to);
    fuota_report_duration ((summary->ended ? summary->ended : summary->now) -
                               began,
        took, sizeof took);
    fuota_report_duration ((int64_t) summary->air_time, air, sizeof air);
    fprintf (self->out, "%s  %s\n%s%s\n", summary->name, summary->id,
        summary->phase, summary->ended ? "" : " (not over yet)");
    if (*summary->error)
        fprintf (self->out, "error     %s\n", summary->error);
    s_image (self, summary);
    fprintf (self->out,
        "sent      %u fragments in %u round%s, %u again, %s on air, loss at "
        "worst %u.%u %%\n"
        "time      %s to %s UTC, %s\n",
        (unsigned) summary->sent, (unsigned) summary->round,
        summary->round == 1 ? "" : "s", (unsigned) summary->resent, air,
        (unsigned) summary->loss / 10, (unsigned) summary->loss % 10, from, to,
        took);
    fprintf (self->out, "devices   %u", (unsigned) summary->total);
    for (int end = FUOTA_END_COMPLETE; end <= FUOTA_END_CANCELLED; end++) {
        uint32_t count = s_ended (summary, (End) end);
        tone_t tone = !count ? PLAIN : end == FUOTA_END_COMPLETE ? GOOD : BAD;
        fprintf (self->out, "%s %s%u %s%s", end == 1 ? ":" : ",",
            s_tone (self, tone), (unsigned) count, fuota_end_name ((End) end),
            s_tone (self, PLAIN));
    }
    fprintf (self->out, "\n");
}

void
fuota_report_device (fuota_report_t *self, const DeviceLine *line)
{
    if (!line) {
        fprintf (self->out, "%-16s  %-32s %5s %8s %7s %6s\n", "device", "state",
            "group", "received", "missing", "rounds");
        return;
    }
    tone_t tone = !*line->end                           ? BUSY
                  : strcmp (line->end, "complete") == 0 ? GOOD
                                                        : BAD;
    char received [16] = "-", missing [16] = "-";
    if (line->reported) {
        snprintf (received, sizeof received, "%u", (unsigned) line->received);
        snprintf (missing, sizeof missing, "%s%u",
            line->missing >= 255 ? ">=" : "", (unsigned) line->missing);
    }
    fprintf (self->out, "%016llx  %s%-32s%s %5u %8s %7s %6u\n",
        (unsigned long long) line->dev_eui, s_tone (self, tone),
        *line->end ? line->end : line->step, s_tone (self, PLAIN),
        (unsigned) line->group_id, received, missing, (unsigned) line->rounds);
}

void
fuota_report_plan (fuota_report_t *self, const Summary *summary)
{
    char period [40], air [40], window [40], start [40], end [40], eta [40];
    char by [40] = "", limit [40] = "";
    fuota_report_duration (summary->period, period, sizeof period);
    fuota_report_duration ((int64_t) summary->air_time, air, sizeof air);
    fuota_report_duration (summary->session_end - summary->session_start,
        window, sizeof window);
    if (summary->duty_limit)
        snprintf (limit, sizeof limit, " (%.1f %% allowed there)",
            summary->duty_limit / 10.0);
    fuota_report_time (summary->session_start, start, sizeof start);
    fuota_report_time (summary->session_end, end, sizeof end);
    fuota_report_time (summary->eta, eta, sizeof eta);
    fprintf (self->out, "devices   %u, class %s, DR%u, %u.%04u MHz\n",
        (unsigned) summary->total, summary->group_type ? "B" : "C",
        (unsigned) summary->region_dr,
        (unsigned) (summary->frequency / 1000000),
        (unsigned) (summary->frequency % 1000000 / 100));
    s_image (self, summary);
    if (summary->gateways > 1)
        snprintf (by, sizeof by, " by each of %u gateways",
            (unsigned) summary->gateways);
    fprintf (self->out,
        "sending   %u fragments, one every %s: %s on air%s\n"
        "duty      %.1f %% of the time%s\n"
        "window    %s (%s to %s UTC, if every device answers at its last "
        "chance)\n"
        "ETA       %s UTC, end of the first round\n",
        (unsigned) summary->last_n, period, air, by, summary->duty / 10.0,
        limit, window, start, end, eta);
}

void
fuota_report_faults (fuota_report_t *self, const Reply *reply)
{
    for (pb_size_t i = 0; i < reply->faults_count; i++)
        fprintf (self->out, "%s: %s; allowed %s\n", reply->faults [i].field,
            reply->faults [i].value, reply->faults [i].allowed);
    if (reply->faults_left_out)
        fprintf (self->out, "(and more)\n");
}
