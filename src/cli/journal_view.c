/* Turns the journal's rows into text for people and for programs. */
#include "cli/journal_view.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/config.h"
#include "cli/cli.h"
#include "cli/problems.h"

int view_path(const char *verb, const char *config_path, const char *db, char **path)
{
    struct config *config;

    if (!db) {
        if (config_load(&config, config_path, CONFIG_SKIP_SECRETS, problem_print, stderr))
            return CLI_FAILED;
        *path = text_dup(text_of(config->journal_path));
        config_free(config);
    } else {
        *path = text_dup(text_of(db));
    }
    if (*path)
        return 0;
    fprintf(stderr, "sidetone %s: out of memory\n", verb);
    return CLI_FAILED;
}

int view_open(const char *verb, const char *path, struct journal_reader **out)
{
    const int err = journal_reader_open(out, path);

    if (!err)
        return 0;
    if (err == -ENOENT)
        fprintf(stderr, "sidetone %s: %s: there is none yet; the daemon makes it when a node has ami_user\n", verb, path);
    else
        fprintf(stderr, "sidetone %s: %s: %s\n", verb, path, err == -EINVAL ? "not a journal of sidetone" : err_text(err));
    return CLI_FAILED;
}

/* ---- times ---- */

static int ago(struct text t, int64_t now_us, int64_t *out)
{
    int64_t ms, days;

    if (t.n > 1 && t.p[t.n - 1] == 'd' && text_to_i64(text_head(t, t.n - 1), &days) == 0 && days >= 0 && days < 36500) {
        *out = now_us - days * 86400 * 1000000;
        return 0;
    }
    if (t.n == 0 || (t.p[t.n - 1] >= '0' && t.p[t.n - 1] <= '9') || text_to_ms(t, &ms) || ms < 0)
        return -EINVAL;
    *out = now_us - ms * 1000;
    return 0;
}

int view_since(struct text t, int64_t now_us, int64_t *out)
{
    static const char *const forms[] = { "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M" };
    char text[40];

    if (ago(t, now_us, out) == 0)
        return 0;
    if (t.n >= sizeof text)
        return -EINVAL;
    text_copy(text, sizeof text, t);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct tm tm = { .tm_isdst = -1 };
        const char *end = strptime(text, forms[i], &tm);
        const time_t at = end && !*end ? mktime(&tm) : -1;

        if (at >= 0) {
            *out = (int64_t)at * 1000000;
            return 0;
        }
    }
    return -EINVAL;
}

const char *view_time(int64_t us, char *out, size_t size)
{
    const time_t at = (time_t)(us / 1000000);
    struct tm tm;

    if (us <= 0 || !localtime_r(&at, &tm) || strftime(out, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(out, size, "-");
    return out;
}

const char *view_span(int64_t us, char *out, size_t size)
{
    const int64_t s = us / 1000000;

    if (us <= 0)
        snprintf(out, size, "-");
    else if (s < 60)
        snprintf(out, size, "%.1f s", (double)us / 1e6);
    else if (s < 3600)
        snprintf(out, size, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
    else
        snprintf(out, size, "%" PRId64 ":%02" PRId64 ":%02" PRId64, s / 3600, s / 60 % 60, s % 60);
    return out;
}

const char *view_cell(const char *t, size_t width, char *out, size_t size)
{
    size_t n = 0;

    width = width < size ? width : size - 1;
    for (; t && t[n] && n < width; n++)
        out[n] = (unsigned char)t[n] < 0x20 || t[n] == 0x7f ? '?' : t[n];
    out[n] = '\0';
    if (t && t[n] && n > 2)
        memcpy(out + n - 2, "..", 2);
    if (n == 0)
        snprintf(out, size, "-");
    return out;
}

/* ---- JSON ---- */

static void add_text(struct buf *b, const char *name, const char *value)
{
    buf_addf(b, "\"%s\":\"", name);
    buf_add_json(b, text_of(value ? value : ""));
    buf_add_text(b, TEXT("\","));
}

static void add_number(struct buf *b, const char *name, int64_t value)
{
    buf_addf(b, "\"%s\":%" PRId64 ",", name, value);
}

/* What a JSON object of ours holds goes into the outer one; anything else is left out rather than breaking it. */
static void add_object(struct buf *b, const char *name, const char *object)
{
    buf_addf(b, "\"%s\":%s", name, object && object[0] == '{' ? object : "{}");
}

void view_call_json(struct buf *b, const struct journal_call *c)
{
    const struct call_record *r = &c->record;

    buf_add_char(b, '{');
    add_text(b, "node", c->node);
    add_text(b, "id", r->id);
    add_text(b, "was", r->was);
    add_text(b, "outcome", c->outcome);
    add_text(b, "caller", r->caller);
    add_text(b, "caller_name", r->caller_name);
    add_text(b, "dialled", r->dialled);
    add_text(b, "context", r->context);
    add_text(b, "answered_by", r->answered_by);
    add_number(b, "started_us", r->started_us);
    add_number(b, "answered_us", r->answered_us);
    add_number(b, "ended_us", r->ended_us);
    add_number(b, "ring_us", r->ring_us);
    add_number(b, "talk_us", r->talk_us);
    add_number(b, "hold_us", r->hold_us);
    add_number(b, "queue_us", r->queue_us);
    add_text(b, "queue", r->queue);
    add_text(b, "queue_outcome", c->queue_outcome);
    add_text(b, "agent", r->agent);
    add_number(b, "cause", r->cause);
    add_text(b, "cause_text", r->cause_text);
    add_text(b, "application", r->application);
    add_number(b, "transfers", r->transfers);
    add_number(b, "recordings", r->recordings);
    add_number(b, "agi_visits", r->agi_visits);
    add_number(b, "stasis_visits", r->stasis_visits);
    buf_addf(b, "\"partial\":%s,\"suspect\":%s,", r->is_partial ? "true" : "false", r->is_suspect ? "true" : "false");
    add_object(b, "details", r->details);
    buf_add_char(b, '}');
}

void view_fact_json(struct buf *b, const struct journal_fact *f)
{
    buf_add_char(b, '{');
    add_number(b, "id", f->id);
    add_text(b, "node", f->node);
    add_text(b, "kind", f->kind);
    add_text(b, "call", f->call);
    add_number(b, "at_us", f->at_us);
    add_number(b, "session", f->session);
    buf_addf(b, "\"seq\":%" PRIu64 ",\"n\":%" PRIu32 ",", f->seq, f->n);
    add_object(b, "detail", f->detail);
    buf_add_char(b, '}');
}

/* Headers as pairs: names may repeat. */
void view_event_json(struct buf *b, const struct journal_event *e)
{
    struct text name, value;

    buf_add_char(b, '{');
    add_number(b, "id", e->id);
    add_text(b, "node", e->node);
    add_number(b, "session", e->event->session);
    buf_addf(b, "\"seq\":%" PRIu64 ",\"suspect\":%s,", e->event->seq, e->event->flags & TAP_SUSPECT ? "true" : "false");
    add_number(b, "at_us", e->event->order_us);
    buf_add_text(b, TEXT("\"headers\":["));
    for (size_t i = 0; tap_at(e->event, i, &name, &value); i++) {
        buf_add_text(b, i ? TEXT(",[\"") : TEXT("[\""));
        buf_add_json(b, name);
        buf_add_text(b, TEXT("\",\""));
        buf_add_json(b, value);
        buf_add_text(b, TEXT("\"]"));
    }
    buf_add_text(b, TEXT("]}"));
}
