/* Watches one session and keeps what passed. */
#include "route/recorder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "route/asked.h"

enum { KEEP = 1000, REPLY_CODE = 4, WRITTEN_MAX = 1 << 20 };

struct recorder {
    struct agi_session *session;
    struct tape *tape;
    struct mask mask;
    int64_t wall_us, mono_us, end_us;
    enum agi_end status;
    char reason[RECORDING_REASON_MAX];
};

static int64_t since(const struct recorder *r)
{
    return clock_mono_us() - r->mono_us;
}

static void on_command(struct text line, void *arg)
{
    struct recorder *r = arg;

    tape_add(r->tape, TAPE_COMMAND, since(r), line);
}

static void on_reply(int err, const struct agi_reply *reply, int64_t latency_us, void *arg)
{
    struct recorder *r = arg;

    (void)latency_us;
    tape_add(r->tape, err ? TAPE_NO_REPLY : TAPE_REPLY, since(r), err ? TEXT("") : reply->body);
}

static void on_hangup(void *arg)
{
    struct recorder *r = arg;

    tape_add(r->tape, TAPE_HANGUP, since(r), TEXT(""));
}

struct recorder *recorder_new(struct agi_session *s)
{
    static const struct agi_session_watcher watcher = { on_command, on_reply, on_hangup };
    struct recorder *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->tape = tape_new(0);
    if (!r->tape) {
        free(r);
        return NULL;
    }
    r->wall_us = clock_wall_us();
    r->mono_us = clock_mono_us();
    r->session = ref_hold(s);
    tape_add_env(r->tape, agi_session_env(s));
    mask_learn(&r->mask, agi_session_env(s));
    agi_session_watch(s, &watcher, r);
    return r;
}

struct tape *recorder_tape(struct recorder *r)
{
    return r->tape;
}

const struct mask *recorder_mask(const struct recorder *r)
{
    return &r->mask;
}

void recorder_note(struct text question, struct text answer, void *arg)
{
    struct recorder *r = arg;

    asked_add(r->tape, since(r), question, answer);
}

void recorder_end(struct recorder *r, enum agi_end status, struct text reason)
{
    char line[RECORDING_REASON_MAX + RECORDING_STATUS_MAX];

    r->end_us = since(r);
    r->status = status;
    text_copy(r->reason, sizeof r->reason, reason);
    snprintf(line, sizeof line, "%s %s", agi_end_name(status), r->reason);
    tape_add(r->tape, TAPE_END, r->end_us, text_of(line));
}

/* A reply's code stays: a called number of 200 must not make "200 result=1" unreadable. */
static void add_masked(const struct mask *m, struct buf *out, const struct tape_entry *e)
{
    const struct text code = text_head(e->text, e->kind == TAPE_REPLY ? REPLY_CODE : 0);

    buf_addf(out, "%c %lld %zu ", (char)e->kind, (long long)e->us, e->text.n);
    buf_add_text(out, code);
    mask_add(m, out, text_skip(e->text, code.n));
    buf_add_char(out, '\n');
}

static int write_tape(const struct recorder *r, bool masks, struct buf *out)
{
    struct tape_entry e;

    if (!masks)
        return tape_write(r->tape, out);
    for (size_t i = 0; tape_at(r->tape, i, &e); i++)
        add_masked(&r->mask, out, &e);
    return out->err;
}

int recorder_keep(const struct recorder *r, const struct recorder_options *opt, struct text call, const struct recording_sink *sink)
{
    struct recording *rec = calloc(1, sizeof *rec);
    struct buf out;

    if (!rec)
        return -ENOMEM;
    buf_init(&out, WRITTEN_MAX);
    if (write_tape(r, opt->masks, &out)) {
        buf_free(&out);
        free(rec);
        return -ENOMEM;
    }
    rec->wall_us = r->wall_us;
    rec->us = r->end_us;
    text_copy(rec->route, sizeof rec->route, text_of(opt->route));
    text_copy(rec->call, sizeof rec->call, call);
    text_copy(rec->status, sizeof rec->status, text_of(agi_end_name(r->status)));
    text_copy(rec->reason, sizeof rec->reason, text_of(r->reason));
    if (opt->masks)
        mask_text(&r->mask, rec->reason, strlen(rec->reason));
    rec->commands = tape_commands(r->tape);
    rec->keep = opt->keep ? opt->keep : KEEP;
    rec->is_masked = opt->masks;
    rec->is_cut = tape_is_cut(r->tape);
    rec->bytes = out.p;
    rec->n = out.n;
    return sink->keep(sink->arg, rec) ? 0 : -ENOBUFS;
}

void recorder_free(struct recorder *r)
{
    if (!r)
        return;
    agi_session_watch(r->session, NULL, NULL);
    ref_drop(r->session);
    ref_drop(r->tape);
    free(r);
}
