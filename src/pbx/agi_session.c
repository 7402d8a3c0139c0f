/* Plays one FastAGI connection: environment in, one command at a time out, and an end that always names a status. */
#include "pbx/agi_session.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "pbx/agi_stream.h"

enum {
    ENV_MS = 2000,
    REPLY_MS = 60000,
    FINISH_MS = 1000,
    LINGER_MS = 1000,
    STRAYS_MAX = 256,     /* lines that answer nothing, before the peer counts as talking nonsense */
};

enum state { WAIT_ENV, OPEN, FINISHING, CLOSING, CLOSED };

static const char *const state_names[] = { "wait_env", "open", "finishing", "closing", "closed" };
static const unsigned moves[] = {
    [WAIT_ENV] = 1u << OPEN | 1u << CLOSING | 1u << CLOSED,
    [OPEN] = 1u << FINISHING | 1u << CLOSING | 1u << CLOSED,
    [FINISHING] = 1u << CLOSING | 1u << CLOSED,
    [CLOSING] = 1u << CLOSED,
    [CLOSED] = 0,
};

struct agi_session {
    struct agi_carrier *carrier;
    struct agi_stream over_stream;     /* FastAGI's own carrier */
    struct timer *timer;               /* the one deadline of the present state */
    struct log log;
    struct agi_session_handlers on;
    void *arg;
    const struct agi_session_watcher *watcher;
    void *watcher_arg;
    int64_t env_ms, reply_ms, finish_ms;
    enum state state;
    bool is_dead, hung_up;
    struct agi_env env;
    struct agi_reply_reader replies;
    unsigned strays;
    bool usage_follows;                /* the next 520 belongs to the EXEC before */

    struct {
        bool waits;
        bool given_up;                 /* the owner has had -ETIMEDOUT; a late reply is dropped */
        enum agi_answers answers;
        int64_t sent_us;
    } pending;

    struct agi_farewell farewell;

    int err;                           /* what on_closed will say */
    char why[AGI_FAULT_MAX];
};

static void set_state(struct agi_session *s, enum state to)
{
    INVARIANT(moves[s->state] & (1u << to));
    log_debug(&s->log, "agi_state", kv_str("peer", agi_session_peer(s)), kv_str("from", state_names[s->state]),
              kv_str("to", state_names[to]));
    s->state = to;
}

/* ---- the end ---- */

static void close_carrier(struct agi_session *s, int err, const char *why)
{
    set_state(s, CLOSING);
    timer_stop(s->timer);
    s->err = err;
    (void)text_copy(s->why, sizeof s->why, why ? text_of(why) : TEXT(""));
    s->carrier->type->close(s->carrier, LINGER_MS);
}

/* As the last line it leaves together with our end of stream: Asterisk finds the end right behind it, and goes on with the dialplan
 * without waiting for us to wake up once more (seen with 22.10.1: res_agi.c, run_agi). Its reply is still read. */
static int farewell_send(struct agi_session *s, bool may_end)
{
    struct agi_farewell *const f = &s->farewell;
    const struct agi_carrier_type *const type = s->carrier->type;
    struct agi_command c;
    struct text line;
    int err;

    agi_command_init(&c);
    agi_farewell_next(f, &c);
    err = agi_command_finish(&c, &line);
    if (!err) {
        f->is_over = may_end && type->send_last && agi_farewell_may_end(f);
        err = f->is_over ? type->send_last(s->carrier, line) : type->send(s->carrier, line);
    }
    agi_command_free(&c);
    return err;
}

/* Nobody confirms any more: what is left goes out together with our end of stream. Asterisk runs one buffered line for each time
 * it finds the socket readable, and an ended one stays readable, so all of them are run once the present command is over. */
static void farewell_rest(struct agi_session *s)
{
    s->farewell.in_one = false;
    while (!agi_farewell_is_sent(&s->farewell) && farewell_send(s, false) == 0) {
    }
}

static void farewell_next(struct agi_session *s)
{
    int err;

    if (agi_farewell_is_sent(&s->farewell)) {
        /* Every line was answered, so there is nothing to lose and nobody to wait for: Asterisk may still say HANGUP to a closed
         * socket, and takes the reset that follows for success (seen with 22.10.1). */
        set_state(s, CLOSING);
        timer_stop(s->timer);
        s->carrier->type->abort(s->carrier);
        return;
    }
    err = farewell_send(s, true);
    if (err)
        close_carrier(s, err, "the status variables could not be sent");
}

static void farewell_begin(struct agi_session *s)
{
    set_state(s, FINISHING);
    agi_farewell_begin(&s->farewell, &s->env, s->pending.waits, s->pending.answers);
    if (s->carrier->type->is_queue) {  /* in order behind whatever runs: nothing to wait for */
        farewell_rest(s);
        close_carrier(s, agi_farewell_is_sent(&s->farewell) ? 0 : -EPIPE, NULL);
        return;
    }
    timer_start(s->timer, s->finish_ms);
    farewell_next(s);
}

static void farewell_reply(struct agi_session *s, const struct agi_reply *r)
{
    const int got = agi_farewell_reply(&s->farewell, r);

    s->pending.waits = false;
    if (got < 0)
        close_carrier(s, got, "the status variables were refused");
    else if (got > 0)
        farewell_next(s);
}

/* The peer cannot be understood. It may still be Asterisk, so a complete environment earns it a status. */
static void fail(struct agi_session *s, int err, const char *why)
{
    if (s->state == OPEN) {
        agi_farewell_set(&s->farewell, AGI_END_ERROR, TEXT("protocol"), agi_env_get(&s->env, TEXT("agi_uniqueid")));
        farewell_rest(s);
    }
    close_carrier(s, err, why);
}

/* ---- replies ---- */

static void take_hangup(struct agi_session *s)
{
    const bool first = !s->hung_up;

    s->hung_up = true;
    s->is_dead = true;
    if (s->state == OPEN && s->watcher && s->watcher->on_hangup)
        s->watcher->on_hangup(s->watcher_arg);
    if (first && s->state == OPEN && s->on.on_hangup)
        s->on.on_hangup(s, s->arg);
}

static void tell_aside(struct agi_session *s, const struct agi_reply *r)
{
    if (s->state == OPEN && s->on.on_aside)
        s->on.on_aside(s, r, s->arg);
}

static void take_stray(struct agi_session *s, const struct agi_reply *r)
{
    log_debug(&s->log, "agi_stray", kv_str("peer", agi_session_peer(s)), kv_text("line", text_head(r->body, 80)));
    if (++s->strays > STRAYS_MAX)
        fail(s, -EPROTO, "too many lines that answer nothing");
    else
        tell_aside(s, r);
}

static void tell_reply(struct agi_session *s, int err, const struct agi_reply *r, int64_t latency_us)
{
    if (s->watcher && s->watcher->on_reply)
        s->watcher->on_reply(err, r, latency_us, s->watcher_arg);
    if (s->on.on_reply)
        s->on.on_reply(s, err, r, latency_us, s->arg);
}

static void take_answer(struct agi_session *s, const struct agi_reply *r)
{
    const int64_t latency_us = clock_mono_us() - s->pending.sent_us;

    timer_stop(s->timer);
    s->pending.waits = false;
    if (!s->pending.given_up)
        tell_reply(s, 0, r, latency_us);
}

static void take_final(struct agi_session *s, const struct agi_reply *r)
{
    if (s->usage_follows) {
        s->usage_follows = false;
        if (r->code == 520) {
            tell_aside(s, r);
            return;
        }
    }
    if (s->pending.waits)
        s->usage_follows = s->pending.answers == AGI_ANSWERS_EXEC && r->code == 200 && text_eq(r->result, TEXT("1"));
    if (s->state == FINISHING)
        farewell_reply(s, r);
    else if (s->pending.waits)
        take_answer(s, r);
    else
        take_stray(s, r);
}

static void take_reply(struct agi_session *s, const struct agi_reply *r)
{
    switch (r->kind) {
    case AGI_REPLY_FINAL: take_final(s, r); return;
    case AGI_REPLY_TRYING: tell_aside(s, r); return;
    case AGI_REPLY_HANGUP: take_hangup(s); return;
    case AGI_REPLY_STRAY: take_stray(s, r); return;
    }
}

static bool reads_replies(const struct agi_session *s)
{
    return s->state == OPEN || s->state == FINISHING;
}

static void eat_replies(struct agi_session *s, struct text bytes)
{
    struct agi_reply r;
    int got = agi_reply_feed(&s->replies, bytes.p, bytes.n);

    while (got >= 0 && reads_replies(s)) {
        got = agi_reply_next(&s->replies, &r);
        if (got <= 0)
            break;
        take_reply(s, &r);
    }
    if (got < 0 && reads_replies(s))
        fail(s, got, "a reply is longer than the ceiling");
}

/* Returns what follows the environment. */
static struct text eat_env(struct agi_session *s, struct text bytes)
{
    const ssize_t n = agi_env_feed(&s->env, bytes.p, bytes.n);

    if (n < 0) {
        fail(s, (int)n, s->env.fault);
        return TEXT_NONE;
    }
    if (!s->env.done)
        return TEXT_NONE;
    timer_stop(s->timer);
    set_state(s, OPEN);
    s->is_dead = text_eq(agi_env_get(&s->env, TEXT("agi_extension")), TEXT("h"));
    if (s->farewell.wanted)
        farewell_begin(s);
    else if (s->on.on_ready)
        s->on.on_ready(s, s->arg);
    return text_skip(bytes, (size_t)n);
}

/* ---- what the carrier and the clock tell ---- */

void agi_session_take_bytes(struct agi_session *s, struct text bytes)
{
    const int64_t asked_us = s->pending.sent_us;

    ref_hold(s);
    if (s->state == WAIT_ENV)
        bytes = eat_env(s, bytes);
    if (bytes.n > 0 && reads_replies(s))
        eat_replies(s, bytes);
    /* GOSUB's lines and usage texts come in pieces, by Nagle: the second waited for our delayed ACK, 44 ms (22.10.1). */
    if (s->state == OPEN && s->pending.waits && s->pending.sent_us == asked_us && s->carrier->type->confirm)
        s->carrier->type->confirm(s->carrier);
    ref_drop(s);
}

void agi_session_take_hangup(struct agi_session *s)
{
    ref_hold(s);
    take_hangup(s);
    ref_drop(s);
}

void agi_session_take_end(struct agi_session *s)
{
    if (s->state == WAIT_ENV)
        fail(s, -EPROTO, "the connection ended inside the environment");
    else if (reads_replies(s))
        close_carrier(s, 0, "the peer closed the connection");
}

void agi_session_take_closed(struct agi_session *s, int err)
{
    const bool owes = s->pending.waits && !s->pending.given_up && !s->farewell.wanted;

    if (s->state != CLOSING)
        s->err = err;
    set_state(s, CLOSED);
    timer_stop(s->timer);
    if (owes)
        tell_reply(s, -EPIPE, NULL, clock_mono_us() - s->pending.sent_us);
    if (s->on.on_closed)
        s->on.on_closed(s, s->err, s->why[0] ? s->why : NULL, s->arg);
    ref_drop(s); /* the carrier's reference to us */
}

static void on_time(void *arg)
{
    struct agi_session *s = ref_hold(arg);

    if (s->state == WAIT_ENV) {
        fail(s, -ETIMEDOUT, "no complete environment in time");
    } else if (s->state == FINISHING) {
        farewell_rest(s);
        close_carrier(s, -ETIMEDOUT, "the status variables were not confirmed in time");
    } else if (s->state == OPEN && s->pending.waits) {
        s->pending.given_up = true;
        tell_reply(s, -ETIMEDOUT, NULL, clock_mono_us() - s->pending.sent_us);
    }
    ref_drop(s);
}

/* ---- for the owner ---- */

static void destroy(void *obj)
{
    struct agi_session *s = obj;

    timer_free(s->timer);
    agi_reply_reader_free(&s->replies);
    agi_env_free(&s->env);
    if (s->carrier)
        s->carrier->type->release(s->carrier);
}

static int session_make(struct agi_session **out, struct loop *l, const struct agi_session_options *opt,
                        const struct agi_session_handlers *on, void *arg, const struct log *log)
{
    struct agi_session *s = ref_new(sizeof *s, destroy);
    int err;

    if (!s)
        return -ENOMEM;
    agi_env_init(&s->env);
    agi_reply_reader_init(&s->replies);
    err = timer_new(&s->timer, l, on_time, s);
    if (err) {
        ref_drop(s);
        return err;
    }
    s->log = log_for(log, "agi");
    s->on = *on;
    s->arg = arg;
    s->env_ms = opt && opt->env_ms > 0 ? opt->env_ms : ENV_MS;
    s->reply_ms = opt && opt->reply_ms > 0 ? opt->reply_ms : REPLY_MS;
    s->finish_ms = opt && opt->finish_ms > 0 ? opt->finish_ms : FINISH_MS;
    timer_start(s->timer, s->env_ms);
    *out = s;
    return 0;
}

int agi_session_new(struct agi_session **out, struct stream *stream, const struct agi_session_options *opt,
                    const struct agi_session_handlers *on, void *arg, const struct log *log)
{
    struct agi_session *s;
    const int err = session_make(&s, stream_loop(stream), opt, on, arg, log);

    if (err)
        return err;
    s->carrier = &s->over_stream.carrier;
    agi_stream_begin(&s->over_stream, stream, ref_hold(s));
    *out = s;
    return 0;
}

int agi_session_over(struct agi_session **out, struct agi_carrier *carrier, const struct agi_session_options *opt,
                     const struct agi_session_handlers *on, void *arg, const struct log *log)
{
    struct agi_session *s;
    const int err = session_make(&s, carrier->loop, opt, on, arg, log);

    if (err)
        return err;
    s->carrier = carrier;
    carrier->session = ref_hold(s);
    *out = s;
    return 0;
}

void agi_session_handle(struct agi_session *s, const struct agi_session_handlers *on, void *arg)
{
    s->on = *on;
    s->arg = arg;
}

void agi_session_watch(struct agi_session *s, const struct agi_session_watcher *watcher, void *arg)
{
    s->watcher = watcher;
    s->watcher_arg = arg;
}

const struct agi_env *agi_session_env(const struct agi_session *s)
{
    return &s->env;
}

bool agi_session_is_dead(const struct agi_session *s)
{
    return s->is_dead;
}

bool agi_session_is_busy(const struct agi_session *s)
{
    return s->pending.waits;
}

const char *agi_session_peer(const struct agi_session *s)
{
    return s->carrier->type->peer(s->carrier);
}

size_t agi_session_line_max(const struct agi_session *s)
{
    return s->carrier->type->line_max;
}

int agi_session_send(struct agi_session *s, struct agi_command *c)
{
    struct text line;
    int err;

    if (s->state != OPEN)
        return s->state == WAIT_ENV ? -EBUSY : -EPIPE;
    if (s->pending.waits)
        return -EBUSY;
    err = agi_command_finish(c, &line);
    if (!err)
        err = line.n - 1 > s->carrier->type->line_max ? -EMSGSIZE : s->carrier->type->send(s->carrier, line);
    if (err)
        return err;
    s->pending.waits = true;
    s->pending.given_up = false;
    s->pending.answers = agi_answers_of(line);
    if (s->carrier->type->is_queue && s->pending.answers == AGI_ANSWERS_NEVER)
        s->pending.answers = AGI_ANSWERS_ALWAYS;
    s->pending.sent_us = clock_mono_us();
    timer_start(s->timer, s->reply_ms);
    if (s->watcher && s->watcher->on_command)
        s->watcher->on_command(text_head(line, line.n - 1), s->watcher_arg);
    return 0;
}

void agi_session_place(struct agi_session *s, const char *context, const char *extension, const char *priority)
{
    s->farewell.place[0] = context;
    s->farewell.place[1] = extension;
    s->farewell.place[2] = priority;
}

void agi_session_reply_limit(struct agi_session *s, int64_t reply_ms)
{
    s->reply_ms = reply_ms > 0 ? reply_ms : REPLY_MS;
}

void agi_session_finish(struct agi_session *s, enum agi_end status, struct text reason, struct text call_id)
{
    if (s->farewell.wanted || (s->state != OPEN && s->state != WAIT_ENV))
        return;
    agi_farewell_set(&s->farewell, status, reason, call_id);
    if (s->state == OPEN)
        farewell_begin(s);
}

void agi_session_abort(struct agi_session *s)
{
    if (s->state == CLOSING || s->state == CLOSED)
        return;
    s->pending.waits = false;
    set_state(s, CLOSING);
    timer_stop(s->timer);
    s->carrier->type->abort(s->carrier);
}
