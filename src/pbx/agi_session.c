/* Plays one FastAGI connection: environment in, one command at a time out, and an end that always names a status. */
#include "pbx/agi_session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"

enum {
    ENV_MS = 2000,
    REPLY_MS = 60000,
    FINISH_MS = 1000,
    LINGER_MS = 1000,
    FAREWELLS = 3,        /* SIDETONE_STATUS, SIDETONE_REASON, SIDETONE_CALL */
    FAREWELL_MAX = 200,   /* bytes of one such value */
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

/* What becomes of a command's reply when the next command arrives too early (agi.md section 6). */
enum answers {
    ANSWERS_ALWAYS,   /* later, or at once with result=1 (WAIT FOR DIGIT): one reply in any case */
    ANSWERS_EXEC,     /* as above; after "200 result=1" a 520 usage text may follow (res_agi.c: handle_exec) */
    ANSWERS_NEVER,    /* cut short without a word, unless its reply has just left (or it plays on: SAY was seen to, over FastAGI) */
};

struct agi_session {
    struct stream *stream;
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
        enum answers answers;
        int64_t sent_us;
    } pending;

    struct {
        bool wanted;
        unsigned sent;
        char value[FAREWELLS][FAREWELL_MAX + 1];
    } farewell;

    int err;                           /* what on_closed will say */
    char why[AGI_FAULT_MAX];
};

const char *agi_end_name(enum agi_end e)
{
    static const char *const names[] = {
        [AGI_END_OK] = "OK",       [AGI_END_TIMEOUT] = "TIMEOUT", [AGI_END_BUSY] = "BUSY",
        [AGI_END_ERROR] = "ERROR", [AGI_END_HANGUP] = "HANGUP",   [AGI_END_HANDOFF] = "HANDOFF",
    };

    return names[e];
}

static void set_state(struct agi_session *s, enum state to)
{
    INVARIANT(moves[s->state] & (1u << to));
    log_debug(&s->log, "agi_state", kv_str("peer", stream_peer(s->stream)), kv_str("from", state_names[s->state]),
              kv_str("to", state_names[to]));
    s->state = to;
}

/* ---- the end ---- */

static void close_stream(struct agi_session *s, int err, const char *why)
{
    set_state(s, CLOSING);
    timer_stop(s->timer);
    s->err = err;
    (void)text_copy(s->why, sizeof s->why, why ? text_of(why) : TEXT(""));
    stream_close(s->stream, LINGER_MS);
}

static int farewell_build(const struct agi_session *s, unsigned i, struct agi_command *c, struct text *line)
{
    static const char *const names[FAREWELLS] = { "SIDETONE_STATUS", "SIDETONE_REASON", "SIDETONE_CALL" };

    agi_command_init(c);
    agi_command_word(c, TEXT("SET"));
    agi_command_word(c, TEXT("VARIABLE"));
    agi_command_word(c, text_of(names[i]));
    agi_command_quoted(c, text_of(s->farewell.value[i]));
    return agi_command_finish(c, line);
}

static int farewell_send(struct agi_session *s, unsigned i)
{
    struct agi_command c;
    struct text line;
    int err = farewell_build(s, i, &c, &line);

    if (!err)
        err = stream_send_text(s->stream, line);
    agi_command_free(&c);
    return err;
}

/* Nobody confirms any more: what is left goes out together with our end of stream. Asterisk runs one buffered line for each time
 * it finds the socket readable, and an ended one stays readable, so all of them are run once the present command is over. */
static void farewell_rest(struct agi_session *s)
{
    while (s->farewell.sent < FAREWELLS && farewell_send(s, s->farewell.sent) == 0)
        s->farewell.sent++;
}

static void farewell_next(struct agi_session *s)
{
    int err;

    if (s->farewell.sent == FAREWELLS) {
        close_stream(s, 0, NULL);
        return;
    }
    err = farewell_send(s, s->farewell.sent++);
    if (err)
        close_stream(s, err, "the status variables could not be sent");
}

static void farewell_begin(struct agi_session *s)
{
    set_state(s, FINISHING);
    timer_start(s->timer, s->finish_ms);
    farewell_next(s);
}

static bool is_plain_one(const struct agi_reply *r)
{
    return r->code == 200 && text_eq(r->result, TEXT("1")) && !r->has_value && r->extra.n == 0;
}

/* While a command of the past is outstanding, the first reply is its own, unless our SET VARIABLE has cut it short: then none
 * comes. Its end and our line may also have crossed; a reply that SET VARIABLE never gives tells that. */
static void farewell_reply(struct agi_session *s, const struct agi_reply *r)
{
    const bool owed = s->pending.waits;

    s->pending.waits = false;
    if (owed && !(s->pending.answers == ANSWERS_NEVER && is_plain_one(r)))
        return;
    farewell_next(s);
}

static void farewell_value(char out[FAREWELL_MAX + 1], struct text t)
{
    size_t n;

    if (t.n > FAREWELL_MAX) {
        for (n = FAREWELL_MAX; n > 0 && ((unsigned char)t.p[n] & 0xC0) == 0x80; n--)
            ; /* not inside a UTF-8 character */
        t = text_head(t, n);
    }
    for (n = 0; n < t.n; n++)
        out[n] = t.p[n] == '\n' || t.p[n] == '\r' || t.p[n] == '\0' ? ' ' : t.p[n];
    out[n] = '\0';
}

static void farewell_set(struct agi_session *s, enum agi_end status, struct text reason, struct text call_id)
{
    s->farewell.wanted = true;
    farewell_value(s->farewell.value[0], text_of(agi_end_name(status)));
    farewell_value(s->farewell.value[1], reason);
    farewell_value(s->farewell.value[2], call_id);
}

/* The peer cannot be understood. It may still be Asterisk, so a complete environment earns it a status. */
static void fail(struct agi_session *s, int err, const char *why)
{
    if (s->state == OPEN) {
        farewell_set(s, AGI_END_ERROR, TEXT("protocol"), agi_env_get(&s->env, TEXT("agi_uniqueid")));
        farewell_rest(s);
    }
    close_stream(s, err, why);
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

static void take_stray(struct agi_session *s, const struct agi_reply *r)
{
    log_debug(&s->log, "agi_stray", kv_str("peer", stream_peer(s->stream)), kv_text("line", text_head(r->body, 80)));
    if (++s->strays > STRAYS_MAX)
        fail(s, -EPROTO, "too many lines that answer nothing");
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
        if (r->code == 520)
            return;
    }
    if (s->pending.waits)
        s->usage_follows = s->pending.answers == ANSWERS_EXEC && r->code == 200 && text_eq(r->result, TEXT("1"));
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
    case AGI_REPLY_FINAL:
        take_final(s, r);
        return;
    case AGI_REPLY_TRYING:
        return;
    case AGI_REPLY_HANGUP:
        take_hangup(s);
        return;
    case AGI_REPLY_STRAY:
        take_stray(s, r);
        return;
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

/* ---- what the stream and the clock tell ---- */

static void on_data(struct stream *stream, struct text bytes, void *arg)
{
    struct agi_session *s = ref_hold(arg);

    (void)stream;
    if (s->state == WAIT_ENV)
        bytes = eat_env(s, bytes);
    if (bytes.n > 0 && reads_replies(s))
        eat_replies(s, bytes);
    ref_drop(s);
}

static void on_end(struct stream *stream, void *arg)
{
    struct agi_session *s = arg;

    (void)stream;
    if (s->state == WAIT_ENV)
        fail(s, -EPROTO, "the connection ended inside the environment");
    else if (reads_replies(s))
        close_stream(s, 0, "the peer closed the connection");
}

static void on_closed(struct stream *stream, int err, void *arg)
{
    struct agi_session *s = arg;
    const bool owes = s->pending.waits && !s->pending.given_up && !s->farewell.wanted;

    (void)stream;
    if (s->state != CLOSING)
        s->err = err;
    set_state(s, CLOSED);
    timer_stop(s->timer);
    if (owes)
        tell_reply(s, -EPIPE, NULL, clock_mono_us() - s->pending.sent_us);
    if (s->on.on_closed)
        s->on.on_closed(s, s->err, s->why[0] ? s->why : NULL, s->arg);
    ref_drop(s); /* the stream's reference to us */
}

static void on_late_reply(struct agi_session *s)
{
    s->pending.given_up = true;
    tell_reply(s, -ETIMEDOUT, NULL, clock_mono_us() - s->pending.sent_us);
}

static void on_time(void *arg)
{
    struct agi_session *s = ref_hold(arg);

    if (s->state == WAIT_ENV) {
        fail(s, -ETIMEDOUT, "no complete environment in time");
    } else if (s->state == FINISHING) {
        farewell_rest(s);
        close_stream(s, -ETIMEDOUT, "the status variables were not confirmed in time");
    } else if (s->state == OPEN && s->pending.waits) {
        on_late_reply(s);
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
    ref_drop(s->stream);
}

int agi_session_new(struct agi_session **out, struct stream *stream, const struct agi_session_options *opt,
                    const struct agi_session_handlers *on, void *arg, const struct log *log)
{
    static const struct stream_handlers handlers = { .on_data = on_data, .on_end = on_end, .on_closed = on_closed };
    struct agi_session *s = ref_new(sizeof *s, destroy);
    int err;

    if (!s)
        return -ENOMEM;
    agi_env_init(&s->env);
    agi_reply_reader_init(&s->replies);
    err = timer_new(&s->timer, stream_loop(stream), on_time, s);
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
    s->stream = stream;
    stream_handle(stream, &handlers, ref_hold(s));
    timer_start(s->timer, s->env_ms);
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
    return stream_peer(s->stream);
}

static struct text next_word(struct text *line)
{
    size_t from = 0, to;
    struct text word;

    while (from < line->n && (line->p[from] == ' ' || line->p[from] == '\t'))
        from++;
    for (to = from; to < line->n && (unsigned char)line->p[to] > ' ';)
        to++;
    word = text_make(line->p + from, to - from);
    *line = text_skip(*line, to);
    return word;
}

static enum answers answers_of(struct text line)
{
    static const char *const cut_short[][2] = {
        { "STREAM", "FILE" }, { "GET", "OPTION" }, { "GET", "DATA" },     { "SAY", "ALPHA" },
        { "SAY", "DIGITS" },  { "SAY", "NUMBER" }, { "SAY", "PHONETIC" },
    };
    const struct text first = next_word(&line), second = next_word(&line);

    if (text_eq_nocase(first, TEXT("EXEC")))
        return ANSWERS_EXEC;
    for (size_t i = 0; i < sizeof cut_short / sizeof *cut_short; i++)
        if (text_eq_nocase(first, text_of(cut_short[i][0])) && text_eq_nocase(second, text_of(cut_short[i][1])))
            return ANSWERS_NEVER;
    return ANSWERS_ALWAYS;
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
        err = stream_send_text(s->stream, line);
    if (err)
        return err;
    s->pending.waits = true;
    s->pending.given_up = false;
    s->pending.answers = answers_of(line);
    s->pending.sent_us = clock_mono_us();
    timer_start(s->timer, s->reply_ms);
    if (s->watcher && s->watcher->on_command)
        s->watcher->on_command(text_head(line, line.n - 1), s->watcher_arg);
    return 0;
}

void agi_session_finish(struct agi_session *s, enum agi_end status, struct text reason, struct text call_id)
{
    if (s->farewell.wanted || (s->state != OPEN && s->state != WAIT_ENV))
        return;
    farewell_set(s, status, reason, call_id);
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
    stream_abort(s->stream);
}
