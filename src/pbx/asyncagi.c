/* The control loop's end of AsyncAGI: which channels wait, what they are asked, and how each gets back to the dialplan.
 *
 *   AsyncAGIStart -> environment gathered -> SERVED (a line on a call loop) -> LEAVING (BREAK sent) -> AsyncAGIEnd -> gone
 *                          |                    |  ^ AsyncAGIEnd from any: gone         AMI lost from any: ORPHAN, see asyncagi_sync.c
 *                          +--- refused --------+--> LEAVING */
#include "pbx/asyncagi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/uuid.h"
#include "pbx/asyncagi_parts.h"
#include "wire/agi.h"

enum {
    CHANNELS_MAX = 4096,
    ACTIONS_MAX = 8192,            /* four lines end a session, and each is answered within one turn of Asterisk's */
    TICK_MS = 50,
};

#define PUMP_REPLY "200 result=0\n" /* what NOOP is answered with */

/* ---- entries ---- */

static void close_check(struct asyncagi *a)
{
    if (!a->is_closing)
        return;
    if (!a->ami_closed) {
        if (!a->count)
            timer_start(a->linger, 0);
        return;
    }
    if (!a->list)
        timer_start(a->linger, 0); /* the last turn; not from inside a post that holds an entry */
}

static void entry_check(struct async_entry *e)
{
    struct asyncagi *a = e->home;

    if (e->in_table || e->line || e->box.first)
        return;
    DL_DELETE(a->list, e);
    buf_free(&e->gather);
    free(e->closed);
    ami_forget(e->asked);
    free(e);
    close_check(a);
}

static void entry_post(struct async_entry *e, struct async_post *p)
{
    p->line = e->line;
    if (!async_box_send(&e->box, p) && !timer_is_running(e->home->tick))
        timer_start(e->home->tick, TICK_MS);
}

static void say_closed(struct async_entry *e, int err, bool hung_up)
{
    struct async_post *p = e->closed;

    if (!e->line || !p)
        return;
    e->closed = NULL;
    p->err = err;
    p->is_abort = hung_up;
    entry_post(e, p);
    if (e->close_heard)
        e->line = NULL;
}

void async_entry_end(struct async_entry *e, int err, bool hung_up)
{
    if (e->in_table) {
        HASH_DEL(e->home->table, e);
        e->in_table = false;
        e->home->count--;
    }
    say_closed(e, err, hung_up);
    entry_check(e);
}

static struct async_entry *entry_new(struct asyncagi *a, struct text id, struct text channel)
{
    struct async_entry *e = calloc(1, sizeof *e);

    if (!e)
        return NULL;
    e->home = a;
    (void)text_copy(e->id, sizeof e->id, id);
    (void)text_copy(e->channel, sizeof e->channel, channel);
    buf_init(&e->gather, AGI_REPLY_MAX);
    HASH_ADD_STR(a->table, id, e);
    e->in_table = true;
    DL_APPEND(a->list, e);
    a->count++;
    return e;
}

static struct async_entry *entry_find(struct asyncagi *a, struct text id)
{
    struct async_entry *e;

    HASH_FIND(hh, a->table, id.p, (unsigned)id.n, e);
    return e;
}

static struct async_entry *entry_by_channel(struct asyncagi *a, struct text channel)
{
    struct async_entry *e;

    DL_FOREACH(a->list, e)
        if (e->in_table && text_eq(text_of(e->channel), channel))
            return e;
    return NULL;
}

/* ---- commands ---- */

/* Asterisk has no such channel any more, or it never was in AsyncAGI. */
static void on_queued(int err, const struct ami_message *m, void *arg)
{
    struct async_entry *e = arg;

    e->asked = NULL;
    if (!err && !ami_succeeded(m) && e->in_table)
        async_entry_end(e, 0, true);
}

static int command(struct asyncagi *a, struct async_entry *e, const char *channel, struct text line)
{
    struct ami_request *asked = NULL;
    struct ami_writer w;
    char id[64];
    int err;

    snprintf(id, sizeof id, "%s%" PRIu64, a->prefix, ++a->commands);
    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("AGI"));
    ami_write(&w, TEXT("Channel"), text_of(channel));
    ami_write(&w, TEXT("Command"), line);
    ami_write(&w, TEXT("CommandID"), text_of(id));
    err = a->ami ? ami_send(&asked, a->ami, &w, NULL, e ? on_queued : NULL, e) : -EPIPE;
    ami_writer_free(&w);
    if (err || !e)
        return err;
    ami_forget(e->asked);
    e->asked = asked;
    e->wait = a->commands;
    return 0;
}

static int set_variable(struct asyncagi *a, struct async_entry *e, const char *channel, const char *name, const char *value)
{
    struct agi_command c;
    struct text line;
    int err;

    agi_command_init(&c);
    agi_command_word(&c, TEXT("SET"));
    agi_command_word(&c, TEXT("VARIABLE"));
    agi_command_word(&c, text_of(name));
    agi_command_quoted(&c, text_of(value));
    err = agi_command_finish(&c, &line);
    if (!err)
        err = command(a, e, channel, text_head(line, line.n - 1));
    agi_command_free(&c);
    return err;
}

int async_break(struct asyncagi *a, struct async_entry *e, const char *channel, const char *id, const char *status, const char *reason)
{
    int err = set_variable(a, e, channel, "SIDETONE_STATUS", status);

    if (!err)
        err = set_variable(a, e, channel, "SIDETONE_REASON", reason);
    if (!err)
        err = set_variable(a, e, channel, "SIDETONE_CALL", id);
    if (!err)
        err = command(a, e, channel, TEXT("ASYNCAGI BREAK"));
    return err;
}

/* status NULL: the session has set the variables itself. */
static void leave(struct async_entry *e, const char *status, const char *reason)
{
    struct asyncagi *a = e->home;
    const int err = status ? async_break(a, e, e->channel, e->id, status, reason) : command(a, e, e->channel, TEXT("ASYNCAGI BREAK"));

    e->is_leaving = true;
    e->due_status = e->due_reason = NULL;
    if (!err || err == -EPIPE)     /* not up: it is an orphan, or about to become one */
        return;
    e->due_status = status ? status : "";
    e->due_reason = reason;
    if (!timer_is_running(a->tick))
        timer_start(a->tick, TICK_MS);
}

void async_entry_give_back(struct async_entry *e, const char *status, const char *reason)
{
    log_warn(&e->home->log, "given_back", kv_str("channel", e->channel), kv_str("call", e->id), kv_str("status", status),
             kv_str("reason", reason));
    leave(e, status, reason);
}

/* The session ends with that error, the channel goes on in the dialplan. */
static void fail(struct async_entry *e, int err, const char *reason)
{
    e->home->figures.refused++;
    async_entry_give_back(e, "ERROR", reason);
    say_closed(e, err, false);
}

static void on_tick(void *arg)
{
    struct asyncagi *a = arg;
    struct async_entry *e, *next;
    bool again = false;

    DL_FOREACH_SAFE(a->list, e, next) {
        if (e->due_status)
            leave(e, e->due_status[0] ? e->due_status : NULL, e->due_reason);
        again |= e->due_status || !async_box_flush(&e->box);
        entry_check(e);
    }
    if (again)
        timer_start(a->tick, TICK_MS);
}

/* ---- what a session says ---- */

void async_on_send(struct async_post *p)
{
    struct async_entry *e = p->entry;

    if (!e->in_table || e->is_leaving || e->is_orphan)
        return;
    buf_clear(&e->gather);
    e->pumps = 0;
    if (command(e->home, e, e->channel, p->bytes) && !e->is_orphan && ami_is_up(e->home->ami))
        fail(e, -ENOBUFS, "ami_busy");
}

void async_on_close(struct async_post *p)
{
    struct async_entry *e = p->entry;

    e->close_heard = true;
    say_closed(e, 0, false);
    e->line = NULL;
    if (e->in_table && !e->is_leaving && !e->is_orphan) {
        e->home->figures.refused += p->err != 0;
        if (p->err)
            async_entry_give_back(e, "BUSY", p->err == -EBUSY ? "sessions_max" : "memory");
        else if (p->is_abort)
            async_entry_give_back(e, "ERROR", "shutdown");
        else
            leave(e, NULL, NULL);
    }
    entry_check(e);
}

/* ---- replies ---- */

static void serve(struct async_entry *e)
{
    struct asyncagi *a = e->home;
    struct loop *l;
    void *place = NULL;
    struct buf env;
    int err;

    buf_init(&env, 2 * AGI_ENV_BYTES_MAX);
    err = async_env_write(&env, buf_text(&e->gather));
    if (err) {
        fail(e, err, err == -ENOMEM ? "memory" : "environment");
    } else {
        l = a->places.choose(a->places.arg, &place);
        err = l ? async_line_start(&e->line, e, l, place, buf_text(&env)) : -EBUSY;
        if (err)
            fail(e, err, "memory");
        else
            a->figures.started++;
    }
    buf_free(&env);
}

static void give_data(struct async_entry *e)
{
    struct async_post *p;

    e->wait = 0;
    if (!e->line || e->close_heard || !e->closed)
        return;
    p = async_post_new(async_on_data, buf_text(&e->gather));
    if (p)
        entry_post(e, p);
    else
        fail(e, -ENOMEM, "memory");
}

/* Everything is there: NOOPs that fetched it have left their own replies at its end. */
static void gathered(struct async_entry *e)
{
    const struct text pump = TEXT(PUMP_REPLY);

    for (; e->pumps; e->pumps--) {
        if (!text_ends(buf_text(&e->gather), pump)) {
            fail(e, -EPROTO, "protocol");
            return;
        }
        e->gather.n -= pump.n;
    }
    if (e->has_env) {
        give_data(e);
        return;
    }
    e->has_env = true;
    serve(e);
    buf_clear(&e->gather);
}

/* Asterisk reads what a channel says in slices of 1024 bytes, one for each command; a full one may have a rest, which the next
 * command would bring (seen on 22.10.1). So a full slice is followed by a NOOP of our own before anything else. */
static void take_slice(struct async_entry *e, struct text encoded, bool is_whole)
{
    const size_t before = e->gather.n;
    int err = !is_whole || encoded.n >= AMI_ASYNC_CUT ? -EMSGSIZE : ami_uri_decode(&e->gather, encoded);

    if (err) {
        fail(e, err == -EPROTO ? err : -EMSGSIZE, e->has_env ? "reply_too_long" : "environment");
        return;
    }
    if (e->gather.n - before < AMI_ASYNC_SLICE) {
        gathered(e);
        return;
    }
    e->pumps++;
    err = command(e->home, e, e->channel, TEXT("NOOP"));
    if (err)
        fail(e, err, "ami_busy");
}

/* ---- events ---- */

/* With the whole snapshot of a channel and no line too many: a caller's text that broke the message in two leaves neither. */
static bool is_whole(const struct ami_message *m)
{
    return ami_get(m, TEXT("Privilege")).p && ami_get(m, TEXT("Context")).p && ami_get(m, TEXT("Priority")).p &&
           ami_get(m, TEXT("Linkedid")).p && ami_get(m, TEXT("Uniqueid")).n && ami_get(m, TEXT("Channel")).n && !m->duplicates &&
           !m->odd && !m->is_cut;
}

static void refuse(struct asyncagi *a, struct text channel, struct text id, const char *status, const char *reason)
{
    char name[ASYNC_CHANNEL_MAX + 1], call[ASYNC_ID_MAX + 1];

    (void)text_copy(name, sizeof name, channel);
    (void)text_copy(call, sizeof call, id);
    a->figures.refused++;
    log_warn(&a->log, "given_back", kv_str("channel", name), kv_str("call", call), kv_str("status", status), kv_str("reason", reason));
    if (async_break(a, NULL, name, call, status, reason))
        log_warn(&a->log, "not_given_back", kv_str("channel", name), kv_str("call", call));
}

static void on_start(struct asyncagi *a, const struct ami_message *m)
{
    const struct text channel = ami_get(m, TEXT("Channel")), id = ami_get(m, TEXT("Uniqueid")), env = ami_get(m, TEXT("Env"));
    struct async_entry *e = id.n ? entry_find(a, id) : NULL;

    if (channel.n == 0 || channel.n > ASYNC_CHANNEL_MAX || id.n > ASYNC_ID_MAX)
        return;
    if (e && (e->is_orphan || e->is_leaving)) {
        async_entry_end(e, -ECONNRESET, false); /* it left unseen, and has come again */
        e = NULL;
    }
    if (e || (!is_whole(m) && entry_by_channel(a, channel)))
        return;                    /* we serve it already: somebody made this message up */
    if (!is_whole(m) || !env.n)
        refuse(a, channel, id, "ERROR", "environment");
    else if (a->is_closing)
        refuse(a, channel, id, "ERROR", "shutdown");
    else if (a->count >= a->channels_max)
        refuse(a, channel, id, "BUSY", "channels_max");
    else if (!(e = entry_new(a, id, channel)))
        refuse(a, channel, id, "ERROR", "memory");
    else
        take_slice(e, env, true);
}

static void on_exec(struct asyncagi *a, const struct ami_message *m)
{
    const struct text mark = ami_get(m, TEXT("CommandId")), prefix = text_of(a->prefix), channel = ami_get(m, TEXT("Channel"));
    const struct text id = ami_get(m, TEXT("Uniqueid"));
    struct async_entry *e = id.n ? entry_find(a, id) : NULL;
    int64_t number;

    if (!e || e->is_leaving || e->is_orphan || !text_starts(mark, prefix) || text_to_i64(text_skip(mark, prefix.n), &number) ||
        (uint64_t)number != e->wait)
        return;
    if (channel.n && channel.n <= ASYNC_CHANNEL_MAX)
        (void)text_copy(e->channel, sizeof e->channel, channel);
    take_slice(e, ami_get(m, TEXT("Result")), is_whole(m));
}

static void on_end(struct asyncagi *a, const struct ami_message *m)
{
    const struct text id = ami_get(m, TEXT("Uniqueid"));
    struct async_entry *e = is_whole(m) ? entry_find(a, id) : NULL;

    if (e)
        async_entry_end(e, 0, !e->is_leaving);
}

static void on_event(const struct ami_message *m, void *arg)
{
    struct asyncagi *a = arg;

    if (m->kind != AMI_EVENT)
        return;
    if (text_eq(m->name, TEXT("AsyncAGIStart")))
        on_start(a, m);
    else if (text_eq(m->name, TEXT("AsyncAGIExec")))
        on_exec(a, m);
    else if (text_eq(m->name, TEXT("AsyncAGIEnd")))
        on_end(a, m);
}

static void on_up(void *arg)
{
    async_sync_start(arg);
}

static void on_down(int err, const char *why, void *arg)
{
    struct asyncagi *a = arg;
    struct async_entry *e, *next;
    uint64_t lost = 0;

    timer_stop(a->sync);
    DL_FOREACH_SAFE(a->list, e, next) {
        if (!e->in_table)
            continue;
        lost += e->line != NULL;
        e->is_orphan = true;
        e->due_status = e->due_reason = NULL;
        e->wait = 0;
        say_closed(e, -ECONNRESET, false);
    }
    a->figures.lost += lost;
    if (lost)
        log_warn(&a->log, "sessions_lost", kv_int("sessions", (int64_t)lost), kv_err(err), kv_str("why", why));
}

/* ---- opening and closing ---- */

static void on_ami_closed(void *arg)
{
    struct asyncagi *a = arg;
    struct async_entry *e, *next;

    a->ami = NULL;
    a->ami_closed = true;
    DL_FOREACH_SAFE(a->list, e, next)
        async_entry_end(e, -ESHUTDOWN, false);
    close_check(a);
}

static void asyncagi_free(struct asyncagi *a)
{
    timer_free(a->tick);
    timer_free(a->sync);
    timer_free(a->linger);
    async_strays_free(a);
    free(a);
}

static void on_linger(void *arg)
{
    struct asyncagi *a = arg;
    void (*const on_closed)(void *arg) = a->on_closed;
    void *const closed_arg = a->closed_arg;
    struct async_entry *e, *next;

    if (a->ami_closed) {
        if (a->list)
            return;
        asyncagi_free(a);
        on_closed(closed_arg);
        return;
    }
    DL_FOREACH_SAFE(a->list, e, next) {
        if (e->in_table && !e->is_leaving && !e->is_orphan)
            async_entry_give_back(e, "ERROR", "shutdown");
        say_closed(e, -ESHUTDOWN, false);
    }
    ami_close(a->ami);
}

void asyncagi_close(struct asyncagi *a, int64_t linger_ms, void (*on_closed)(void *arg), void *arg)
{
    a->is_closing = true;
    a->on_closed = on_closed;
    a->closed_arg = arg;
    timer_start(a->linger, a->count && ami_is_up(a->ami) ? linger_ms : 0);
}

bool asyncagi_is_up(const struct asyncagi *a)
{
    return a->ami && ami_is_up(a->ami);
}

void asyncagi_figures(const struct asyncagi *a, struct asyncagi_figures *out)
{
    *out = a->figures;
    out->channels = a->count;
}

static void make_prefix(struct asyncagi *a)
{
    struct uuid random;
    char text[UUID_TEXT + 1];

    uuid_make(&random);
    uuid_format(&random, text);
    snprintf(a->prefix, sizeof a->prefix, "%.18s-", text);
}

int asyncagi_open(struct asyncagi **out, struct loop *control, struct dialer *d, const struct asyncagi_options *opt,
                  const struct asyncagi_places *places, const struct log *log)
{
    static const struct ami_handlers handlers = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_ami_closed };
    struct ami_options ao = opt->ami;
    struct asyncagi *a = calloc(1, sizeof *a);
    int err;

    if (!a)
        return -ENOMEM;
    a->log = log_for(log, "asyncagi");
    a->loop = control;
    a->places = *places;
    a->channels_max = opt->channels_max ? opt->channels_max : CHANNELS_MAX;
    make_prefix(a);
    err = timer_new(&a->tick, control, on_tick, a);
    if (!err)
        err = timer_new(&a->sync, control, async_sync_on_time, a);
    if (!err)
        err = timer_new(&a->linger, control, on_linger, a);
    ao.events = "agi";
    ao.actions_max = ACTIONS_MAX;
    if (!err)
        err = ami_open(&a->ami, control, d, &ao, &handlers, a, log);
    if (err) {
        asyncagi_free(a);
        return err;
    }
    *out = a;
    return 0;
}
