/* Keeps one AMI session logged in.
 *
 *   WAITING -> CONNECTING -> GREETING -> [CHALLENGED ->] LOGGING_IN -> UP
 *      ^                        |             |              |         |      any --ami_close--> CLOSING --> CLOSED
 *      +------- refused --------+----------- DROPPING <------+---------+
 *
 * DROPPING: the connection has been given up and its on_closed is awaited. */
#include "pbx/ami_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/uuid.h"
#include "pbx/ami_parts.h"
#include "wire/md5.h"

enum {
    CONNECT_MS = 3000,
    LOGIN_MS = 5000,
    ACTION_MS = 5000,
    PING_MS = 15000,
    RETRY_MS = 250,                /* first pause; doubles up to retry_max_ms */
    RETRY_MAX_MS = 10000,
    LINGER_MS = 500,
    ACTIONS_MAX = 256,
    LIST_MAX = 10000,
};

static const unsigned ami_moves[] = {
    [AMI_WAITING] = 1u << AMI_CONNECTING | 1u << AMI_CLOSING,
    [AMI_CONNECTING] = 1u << AMI_WAITING | 1u << AMI_GREETING | 1u << AMI_CLOSING,
    [AMI_GREETING] = 1u << AMI_CHALLENGED | 1u << AMI_LOGGING_IN | 1u << AMI_DROPPING | 1u << AMI_CLOSING,
    [AMI_CHALLENGED] = 1u << AMI_LOGGING_IN | 1u << AMI_DROPPING | 1u << AMI_CLOSING,
    [AMI_LOGGING_IN] = 1u << AMI_UP | 1u << AMI_DROPPING | 1u << AMI_CLOSING,
    [AMI_UP] = 1u << AMI_DROPPING | 1u << AMI_CLOSING,
    [AMI_DROPPING] = 1u << AMI_WAITING | 1u << AMI_CLOSING,
    [AMI_CLOSING] = 1u << AMI_CLOSED,
    [AMI_CLOSED] = 0,
};

static void set_state(struct ami_client *c, enum ami_state to)
{
    INVARIANT(ami_moves[c->state] & (1u << to));
    c->state = to;
}

bool ami_is_up(const struct ami_client *c)
{
    return c->state == AMI_UP;
}

bool ami_is_booted(const struct ami_client *c)
{
    return c->state == AMI_UP && c->is_booted;
}

void ami_figures(const struct ami_client *c, struct ami_figures *out)
{
    *out = c->figures;
}

/* ---- down ---- */

/* Between half of the pause and the whole of it, so that many clients do not come at once. */
static int64_t jittered(int64_t ms)
{
    struct uuid dice;

    uuid_make(&dice);
    return ms / 2 + ms / 2 * dice.bytes[0] / 255;
}

static int64_t pause_first(const struct ami_client *c)
{
    return RETRY_MS < c->retry_max_ms ? RETRY_MS : c->retry_max_ms;
}

static void retry_later(struct ami_client *c, int err, const char *why)
{
    set_state(c, AMI_WAITING);
    c->failures++;
    if ((c->failures & (c->failures - 1)) == 0)  /* the 1st, 2nd, 4th, 8th ... : an outage fills no log */
        log_warn(&c->log, err == -EACCES ? "login_refused" : "unreachable", kv_str("node", c->node), kv_str("user", c->user), kv_err(err),
                 kv_str("why", why), kv_int("failures", c->failures));
    if (err == -EACCES && secret_again_take(&c->again, &c->secret))
        c->pause_ms = pause_first(c);
    else if (err == -EACCES)
        c->pause_ms = c->retry_max_ms;  /* the same secret will not do better at once, and each try is in Asterisk's security log */
    timer_start(c->timer, jittered(c->pause_ms));
    c->pause_ms = c->pause_ms * 2 < c->retry_max_ms ? c->pause_ms * 2 : c->retry_max_ms;
    if (!c->has_told_down) {
        c->has_told_down = true;
        c->on.on_down(err, why, c->arg);
    }
}

/* Ends the connection; what follows waits for its on_closed. */
static void drop(struct ami_client *c, int err, const char *why)
{
    set_state(c, AMI_DROPPING);
    timer_stop(c->timer);
    c->down_err = err;
    (void)text_copy(c->down_why, sizeof c->down_why, text_of(why));
    stream_abort(c->stream);
}

/* ---- login ---- */

static void send_login(struct ami_client *c, const char *key);

static void refused(struct ami_client *c, const struct ami_message *m)
{
    char why[160];

    snprintf(why, sizeof why, "Asterisk refused the login of user %.60s: %.*s", c->user, TEXT_ARG(text_head(ami_get(m, TEXT("Message")), 70)));
    drop(c, -EACCES, why);
}

static void accepted(struct ami_client *c)
{
    set_state(c, AMI_UP);
    c->failures = 0;
    c->pause_ms = pause_first(c);
    c->has_told_down = false;
    c->figures.connects++;
    timer_start(c->timer, c->ping_ms);
    log_info(&c->log, "up", kv_str("node", c->node));
    c->on.on_up(c->arg);
}

static void on_challenge(int err, const struct ami_message *m, void *arg)
{
    struct ami_client *c = arg;
    char key[MD5_HEX + 1];
    struct text challenge;

    if (err || c->state != AMI_CHALLENGED)
        return;
    challenge = ami_get(m, TEXT("Challenge"));
    if (!ami_succeeded(m) || challenge.n == 0) {
        refused(c, m);
        return;
    }
    md5_hex(challenge, text_of(c->secret), key);
    send_login(c, key);
}

static void on_login(int err, const struct ami_message *m, void *arg)
{
    struct ami_client *c = arg;

    if (err || c->state != AMI_LOGGING_IN)
        return;
    if (ami_succeeded(m))
        accepted(c);
    else
        refused(c, m);
}

static void send_or_drop(struct ami_client *c, struct ami_writer *w, ami_on_answer *on_answer)
{
    const int err = ami_request_send(NULL, c, w, NULL, on_answer, c, true);

    if (w->out.p)
        explicit_bzero(w->out.p, w->out.cap); /* it may hold the secret */
    ami_writer_free(w);
    if (err)
        drop(c, err, err == -EINVAL || err == -EMSGSIZE ? "the user name or the secret cannot be sent in an AMI line" : err_text(err));
}

/* key NULL: the secret itself. */
static void send_login(struct ami_client *c, const char *key)
{
    struct ami_writer w;

    set_state(c, AMI_LOGGING_IN);
    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Login"));
    ami_write(&w, TEXT("Username"), text_of(c->user));
    if (key)
        ami_write(&w, TEXT("AuthType"), TEXT("MD5"));
    ami_write(&w, key ? TEXT("Key") : TEXT("Secret"), text_of(key ? key : c->secret));
    ami_write(&w, TEXT("Events"), text_of(c->events));
    send_or_drop(c, &w, on_login);
}

static void greeted(struct ami_client *c, struct text banner)
{
    struct ami_writer w;

    if (!text_starts(banner, TEXT("Asterisk Call Manager/"))) {
        drop(c, -EPROTO, "what answers there is not an Asterisk manager port");
        return;
    }
    if (c->is_plain) {
        send_login(c, NULL);
        return;
    }
    set_state(c, AMI_CHALLENGED);
    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Challenge"));
    ami_write(&w, TEXT("AuthType"), TEXT("MD5"));
    send_or_drop(c, &w, on_challenge);
}

/* ---- reading ---- */

static void take_event(struct ami_client *c, const struct ami_message *m)
{
    c->figures.events++;
    c->figures.duplicates += m->duplicates > 0;
    if (m->kind == AMI_FORGED)
        c->figures.forged++;
    if (m->kind == AMI_EVENT && text_eq(m->name, TEXT("FullyBooted")))
        c->is_booted = true;
    if (m->kind == AMI_EVENT && text_eq(m->name, TEXT("Shutdown")))
        c->is_shutting_down = true;
    c->on.on_event(m, c->arg);
}

static void take(struct ami_client *c, const struct ami_message *m)
{
    c->figures.cut += m->is_cut;
    if (c->state == AMI_GREETING && m->kind == AMI_BANNER)
        greeted(c, m->name);
    else if (!ami_request_take(c, m) && c->state == AMI_UP)
        take_event(c, m);
}

static bool is_reading(const struct ami_client *c)
{
    return c->state >= AMI_GREETING && c->state <= AMI_UP;
}

static void on_data(struct stream *s, struct text bytes, void *arg)
{
    struct ami_client *c = ref_hold(arg);
    struct ami_message m;
    int got = 1;

    (void)s;
    while (is_reading(c) && (got = ami_read(&c->reader, &bytes, &m)) > 0)
        take(c, &m);
    if (got < 0 && is_reading(c))
        drop(c, got, got == -EPROTO ? "what answers there is not an Asterisk manager port" : err_text(got));
    ref_drop(c);
}

/* ---- the connection's ends ---- */

static void say_goodbye(struct ami_client *c)
{
    set_state(c, AMI_CLOSED);
    timer_stop(c->timer);
    ami_requests_end(c, -ECANCELED);
    if (c->on.on_closed)
        c->on.on_closed(c->arg);
    ref_drop(c);                   /* the one that ami_open gave */
}

static void on_stream_closed(struct stream *s, int err, void *arg)
{
    struct ami_client *c = arg;
    char why[sizeof c->down_why];

    (void)s;
    c->stream = ref_drop(c->stream);
    if (c->state == AMI_CLOSING) {
        say_goodbye(c);
        return;
    }
    if (c->state != AMI_DROPPING) {
        set_state(c, AMI_DROPPING);
        timer_stop(c->timer);
        c->down_err = c->is_shutting_down ? -ESHUTDOWN : err ? err : -ECONNRESET;
        (void)text_copy(c->down_why, sizeof c->down_why,
                        text_of(c->is_shutting_down ? "Asterisk shuts down" : err ? err_text(err) : "Asterisk closed the connection"));
    }
    ref_hold(c);
    ami_requests_end(c, -EPIPE);
    (void)text_copy(why, sizeof why, text_of(c->down_why));
    if (c->state == AMI_DROPPING)  /* a handler may have closed us */
        retry_later(c, c->down_err, why);
    else if (c->state == AMI_CLOSING)
        timer_start(c->timer, 0);
    ref_drop(c);
}

static void on_open(struct stream *s, int err, const char *detail, void *arg)
{
    static const struct stream_handlers handlers = { .on_data = on_data, .on_closed = on_stream_closed };
    struct ami_client *c = arg;
    struct uuid random;
    char unguessable[UUID_TEXT + 1];

    c->dial = NULL;
    if (err) {
        retry_later(c, err, detail ? detail : err_text(err));
        return;
    }
    set_state(c, AMI_GREETING);
    uuid_make(&random);
    uuid_format(&random, unguessable);
    snprintf(c->prefix, sizeof c->prefix, "%.18s-", unguessable);
    ami_reader_free(&c->reader);
    ami_reader_init(&c->reader, AMI_FROM_ASTERISK, 0);
    c->is_booted = c->is_shutting_down = false;
    c->stream = s;
    stream_handle(s, &handlers, c);
    timer_start(c->timer, c->login_ms);
}

static void dial(struct ami_client *c)
{
    int err;

    set_state(c, AMI_CONNECTING);
    err = dial_open(&c->dial, c->dialer, c->url, c->connect_ms, on_open, c);
    if (err)
        retry_later(c, err, err_text(err));
}

/* ---- time ---- */

static void on_pong(int err, const struct ami_message *m, void *arg)
{
    struct ami_client *c = arg;

    (void)m;
    if (err == -ETIMEDOUT && c->state == AMI_UP)
        drop(c, -ETIMEDOUT, "Asterisk does not answer any more");
}

/* There is no idle limit on Asterisk's side: a peer that has vanished shows only so. */
static void ping(struct ami_client *c)
{
    struct ami_writer w;
    int err;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Ping"));
    err = ami_request_send(NULL, c, &w, NULL, on_pong, c, true);
    ami_writer_free(&w);
    if (err == -ENOBUFS)
        drop(c, -ETIMEDOUT, "Asterisk does not read any more");
    else
        timer_start(c->timer, c->ping_ms);
}

static void on_timer(void *arg)
{
    struct ami_client *c = arg;

    switch (c->state) {
    case AMI_WAITING:
        dial(c);
        return;
    case AMI_GREETING:
        drop(c, -ETIMEDOUT, "no greeting came in time");
        return;
    case AMI_CHALLENGED:
    case AMI_LOGGING_IN:
        drop(c, -ETIMEDOUT, "the login was not answered in time");
        return;
    case AMI_UP:
        ping(c);
        return;
    case AMI_CLOSING:
        if (!c->stream)
            say_goodbye(c);
        return;
    case AMI_CONNECTING:
    case AMI_DROPPING:
    case AMI_CLOSED:
        return;
    }
}

/* ---- construction and the end ---- */

static void log_off(struct ami_client *c)
{
    struct ami_writer w;
    struct text message;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Logoff"));
    if (ami_writer_finish(&w, &message) == 0 && stream_send_text(c->stream, message) == 0)
        stream_close(c->stream, LINGER_MS);
    else
        stream_abort(c->stream);
    ami_writer_free(&w);
}

void ami_close(struct ami_client *c)
{
    const bool was_up = c->state == AMI_UP;

    if (c->state == AMI_CLOSING || c->state == AMI_CLOSED)
        return;
    set_state(c, AMI_CLOSING);
    timer_stop(c->timer);
    dial_cancel(c->dial);
    c->dial = NULL;
    if (!c->stream)
        timer_start(c->timer, 0);
    else if (was_up)
        log_off(c);
    else
        stream_abort(c->stream);
}

static void destroy(void *obj)
{
    struct ami_client *c = obj;

    timer_free(c->timer);
    timer_free(c->deadline);
    ami_reader_free(&c->reader);
    free(c->node);
    free(c->url);
    free(c->user);
    free(c->events);
    if (c->secret)
        explicit_bzero(c->secret, strlen(c->secret));
    free(c->secret);
}

static int copy_options(struct ami_client *c, const struct ami_options *opt)
{
    c->connect_ms = opt->connect_ms ? opt->connect_ms : CONNECT_MS;
    c->login_ms = opt->login_ms ? opt->login_ms : LOGIN_MS;
    c->action_ms = opt->action_ms ? opt->action_ms : ACTION_MS;
    c->ping_ms = opt->ping_ms ? opt->ping_ms : PING_MS;
    c->retry_max_ms = opt->retry_max_ms ? opt->retry_max_ms : RETRY_MAX_MS;
    c->actions_max = opt->actions_max ? opt->actions_max : ACTIONS_MAX;
    c->list_max = opt->list_max ? opt->list_max : LIST_MAX;
    c->pause_ms = pause_first(c);
    c->is_plain = opt->is_plain;
    c->again = opt->again;
    c->node = text_dup(text_of(opt->node ? opt->node : ""));
    c->url = text_dup(text_of(opt->url));
    c->user = text_dup(text_of(opt->user));
    c->secret = text_dup(text_of(opt->secret));
    c->events = text_dup(text_of(opt->events ? opt->events : "on"));
    return c->node && c->url && c->user && c->secret && c->events ? 0 : -ENOMEM;
}

int ami_open(struct ami_client **out, struct loop *l, struct dialer *d, const struct ami_options *opt,
             const struct ami_handlers *on, void *arg, const struct log *log)
{
    struct ami_client *c;
    int err;

    if (!opt->url || !opt->user || !opt->secret)
        return -EINVAL;
    c = ref_new(sizeof *c, destroy);
    if (!c)
        return -ENOMEM;
    c->log = log_for(log, "ami");
    c->loop = l;
    c->dialer = d;
    c->on = *on;
    c->arg = arg;
    ami_reader_init(&c->reader, AMI_FROM_ASTERISK, 0);
    err = copy_options(c, opt);
    if (!err)
        err = timer_new(&c->timer, l, on_timer, c);
    if (!err)
        err = timer_new(&c->deadline, l, ami_requests_on_time, c);
    if (err) {
        ref_drop(c);
        return err;
    }
    timer_start(c->timer, 0);      /* dials in the first turn, so that no handler runs from here */
    *out = c;
    return 0;
}
