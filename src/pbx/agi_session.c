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
    VARIABLES = 3,        /* SIDETONE_STATUS, SIDETONE_REASON, SIDETONE_CALL */
    FAREWELLS = VARIABLES + 3, /* ... and where the dialplan goes on, when a place was given */
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

/* What becomes of a command's reply when the next command arrives too early (seen on 22.10.1). */
enum answers {
    ANSWERS_ALWAYS,   /* later, or at once with result=1 (WAIT FOR DIGIT): one reply in any case */
    ANSWERS_EXEC,     /* as above; after "200 result=1" a 520 usage text may follow (res_agi.c: handle_exec) */
    ANSWERS_NEVER,    /* cut short without a word, unless its reply has just left (or it plays on: SAY was seen to, over FastAGI) */
};

struct agi_session {
    struct agi_carrier *carrier;
    struct agi_carrier over_stream;    /* FastAGI's own carrier, and its connection */
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
        bool in_one;                   /* the variables are on their way in one command */
        unsigned sent;
        char value[VARIABLES][FAREWELL_MAX + 1];
        const char *place[FAREWELLS - VARIABLES]; /* borrowed; NULL: the dialplan goes on behind AGI() */
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

static unsigned farewell_count(const struct agi_session *s)
{
    return s->farewell.place[0] ? FAREWELLS : VARIABLES;
}

static void farewell_build(const struct agi_session *s, unsigned i, struct agi_command *c)
{
    static const char *const names[FAREWELLS] = { "SIDETONE_STATUS", "SIDETONE_REASON", "SIDETONE_CALL",
                                                  "CONTEXT", "EXTENSION", "PRIORITY" };

    agi_command_word(c, TEXT("SET"));
    if (i < VARIABLES)
        agi_command_word(c, TEXT("VARIABLE"));
    agi_command_word(c, text_of(names[i]));
    agi_command_quoted(c, text_of(i < VARIABLES ? s->farewell.value[i] : s->farewell.place[i - VARIABLES]));
}

/* All three in one round trip. MSet is built into Asterisk 20-22 and works on dead channels; seen with 22.10.1. */
static void farewell_build_one(const struct agi_session *s, struct agi_command *c)
{
    char list[sizeof s->farewell.value + 64];

    snprintf(list, sizeof list, "SIDETONE_STATUS=%s,SIDETONE_REASON=%s,SIDETONE_CALL=%s", s->farewell.value[0], s->farewell.value[1],
             s->farewell.value[2]);
    agi_command_word(c, TEXT("EXEC"));
    agi_command_word(c, TEXT("MSet"));
    agi_command_quoted(c, text_of(list));
}

static int farewell_send(struct agi_session *s, unsigned i, bool in_one)
{
    struct agi_command c;
    struct text line;
    int err;

    agi_command_init(&c);
    if (in_one)
        farewell_build_one(s, &c);
    else
        farewell_build(s, i, &c);
    err = agi_command_finish(&c, &line);
    if (!err)
        err = s->carrier->type->send(s->carrier, line);
    agi_command_free(&c);
    return err;
}

/* MSet splits at commas, minds brackets and quotes, trims blanks, and with AGIEXECFULL ${} is looked into: only what none of that
 * can touch goes there. Any other value travels whole in a SET VARIABLE of its own. */
static bool is_plain_value(const char *v)
{
    const size_t n = strlen(v);

    if (n > 0 && (v[0] == ' ' || v[n - 1] == ' '))
        return false;
    for (size_t i = 0; i < n; i++) {
        const unsigned char c = (unsigned char)v[i];

        if (c < ' ' || c == 0x7f || strchr(",\"\\$(){}[]|=", c))
            return false;
    }
    return true;
}

static bool farewell_fits_one(const struct agi_session *s)
{
    for (unsigned i = 0; i < VARIABLES; i++)
        if (!is_plain_value(s->farewell.value[i]))
            return false;
    return true;
}

/* Nobody confirms any more: what is left goes out together with our end of stream. Asterisk runs one buffered line for each time
 * it finds the socket readable, and an ended one stays readable, so all of them are run once the present command is over. */
static void farewell_rest(struct agi_session *s)
{
    while (s->farewell.sent < farewell_count(s) && farewell_send(s, s->farewell.sent, false) == 0)
        s->farewell.sent++;
}

static void farewell_next(struct agi_session *s)
{
    int err;

    if (s->farewell.sent == farewell_count(s)) {
        /* Every line was answered, so there is nothing to lose and nobody to wait for: Asterisk may still say HANGUP to a closed
         * socket, and takes the reset that follows for success (seen with 22.10.1). */
        set_state(s, CLOSING);
        timer_stop(s->timer);
        s->carrier->type->abort(s->carrier);
        return;
    }
    err = farewell_send(s, s->farewell.sent, s->farewell.in_one);
    s->farewell.sent += s->farewell.in_one ? VARIABLES : 1;
    if (err)
        close_carrier(s, err, "the status variables could not be sent");
}

static void farewell_begin(struct agi_session *s)
{
    set_state(s, FINISHING);
    if (s->carrier->type->is_queue) {  /* in order behind whatever runs: nothing to wait for */
        farewell_rest(s);
        close_carrier(s, s->farewell.sent == farewell_count(s) ? 0 : -EPIPE, NULL);
        return;
    }
    timer_start(s->timer, s->finish_ms);
    /* Behind a command that is still running its reply could not be told from MSet's. */
    s->farewell.in_one = !s->pending.waits && farewell_fits_one(s);
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
    if (s->farewell.in_one && !(r->code == 200 && text_eq(r->result, TEXT("0"))))
        s->farewell.sent = 0; /* no MSet here: one by one */
    s->farewell.in_one = false;
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
        tell_aside(s, r);
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

/* ---- what the carrier and the clock tell ---- */

void agi_session_take_bytes(struct agi_session *s, struct text bytes)
{
    ref_hold(s);
    if (s->state == WAIT_ENV)
        bytes = eat_env(s, bytes);
    if (bytes.n > 0 && reads_replies(s))
        eat_replies(s, bytes);
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
        close_carrier(s, -ETIMEDOUT, "the status variables were not confirmed in time");
    } else if (s->state == OPEN && s->pending.waits) {
        on_late_reply(s);
    }
    ref_drop(s);
}

/* ---- FastAGI's carrier ---- */

static void on_data(struct stream *stream, struct text bytes, void *arg)
{
    (void)stream;
    agi_session_take_bytes(arg, bytes);
}

static void on_end(struct stream *stream, void *arg)
{
    (void)stream;
    agi_session_take_end(arg);
}

static void on_closed(struct stream *stream, int err, void *arg)
{
    (void)stream;
    agi_session_take_closed(arg, err);
}

static int over_stream_send(struct agi_carrier *c, struct text line)
{
    return stream_send_text(c->session->stream, line);
}

static void over_stream_close(struct agi_carrier *c, int64_t linger_ms)
{
    stream_close(c->session->stream, linger_ms);
}

static void over_stream_abort(struct agi_carrier *c)
{
    stream_abort(c->session->stream);
}

static const char *over_stream_peer(const struct agi_carrier *c)
{
    return stream_peer(c->session->stream);
}

static void over_stream_release(struct agi_carrier *c)
{
    ref_drop(c->session->stream);
}

static const struct agi_carrier_type over_stream = {
    .send = over_stream_send, .close = over_stream_close, .abort = over_stream_abort, .peer = over_stream_peer,
    .release = over_stream_release, .line_max = AGI_LINE_MAX,
};

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
    static const struct stream_handlers handlers = { .on_data = on_data, .on_end = on_end, .on_closed = on_closed };
    struct agi_session *s;
    const int err = session_make(&s, stream_loop(stream), opt, on, arg, log);

    if (err)
        return err;
    s->stream = stream;
    s->over_stream = (struct agi_carrier){ .type = &over_stream, .loop = stream_loop(stream), .session = s };
    s->carrier = &s->over_stream;
    stream_handle(stream, &handlers, ref_hold(s));
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
        err = line.n - 1 > s->carrier->type->line_max ? -EMSGSIZE : s->carrier->type->send(s->carrier, line);
    if (err)
        return err;
    s->pending.waits = true;
    s->pending.given_up = false;
    s->pending.answers = answers_of(line);
    if (s->carrier->type->is_queue && s->pending.answers == ANSWERS_NEVER)
        s->pending.answers = ANSWERS_ALWAYS;
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
    s->carrier->type->abort(s->carrier);
}
