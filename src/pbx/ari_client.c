/* Keeps one application's event WebSocket up, and sends REST requests beside it.
 *
 *   WAITING --retry--> CONNECTING --open--> UP --replaced--> REPLACED
 *      ^-------- refused, lost ---+----------+------------------+          any --ari_close--> CLOSING --> CLOSED
 *
 * REPLACED: another program registered the same application name; Asterisk then leaves our connection open but silent (seen on 22.10.1).
 * Taking the name back would cut that program off from its calls, so we stay until the connection ends, as when Asterisk restarts. */
#include "pbx/ari_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/buf.h"
#include "base/ref.h"
#include "base/uuid.h"
#include "net/websocket.h"

enum {
    CONNECT_MS = 3000,
    REQUEST_MS = 5000,
    RETRY_MS = 250,                /* first pause; doubles up to retry_max_ms */
    RETRY_MAX_MS = 10 * 1000,
    PING_MS = 5000,                /* Asterisk sends no pings of its own */
    REQUESTS_MAX = 256,
    ANSWER_MAX = 8 * 1024 * 1024,  /* GET channels of a busy node */
    URL_MAX = 4000,                /* Asterisk's own limit is 4096 bytes a line */
};

enum ari_state { ARI_WAITING, ARI_CONNECTING, ARI_UP, ARI_REPLACED, ARI_CLOSING, ARI_CLOSED };

static const unsigned ari_moves[] = {
    [ARI_WAITING] = 1u << ARI_CONNECTING | 1u << ARI_CLOSING,
    [ARI_CONNECTING] = 1u << ARI_WAITING | 1u << ARI_UP | 1u << ARI_CLOSING,
    [ARI_UP] = 1u << ARI_WAITING | 1u << ARI_REPLACED | 1u << ARI_CLOSING,
    [ARI_REPLACED] = 1u << ARI_WAITING | 1u << ARI_CLOSING,
    [ARI_CLOSING] = 1u << ARI_CLOSED,
    [ARI_CLOSED] = 0,
};

struct ari_request {
    struct ari_request *prev, *next;
    struct ari_client *client;
    struct http_request *http;
    ari_on_answer *on_answer;      /* NULL: nobody asks */
    void *arg;
};

struct ari_client {
    enum ari_state state;
    struct log log;
    struct loop *loop;
    struct dialer *dialer;
    struct websocket *ws;          /* from CONNECTING until its on_closed */
    struct timer *timer;           /* the next attempt; in CLOSING: the farewell */
    char *node, *base_url, *events_url, *user, *password;
    int64_t connect_ms, request_ms, retry_max_ms, pause_ms;
    int64_t up_since_ms;
    unsigned failures;             /* attempts in a row */
    struct ari_request *requests;
    size_t count;
    struct ari_handlers on;
    void *arg;
};

static void set_state(struct ari_client *c, enum ari_state to)
{
    INVARIANT(ari_moves[c->state] & (1u << to));
    c->state = to;
}

bool ari_is_up(const struct ari_client *c)
{
    return c->state == ARI_UP;
}

/* ---- the event connection ---- */

/* Jitter: between half of the pause and the whole of it, so that many nodes do not come at once. */
static int64_t jittered(int64_t ms)
{
    struct uuid dice;

    uuid_make(&dice);
    return ms / 2 + ms / 2 * dice.bytes[0] / 255;
}

static int64_t pause_first(const struct ari_client *c)
{
    return RETRY_MS < c->retry_max_ms ? RETRY_MS : c->retry_max_ms;
}

static void retry_later(struct ari_client *c, int err, const char *detail)
{
    set_state(c, ARI_WAITING);
    c->failures++;
    if ((c->failures & (c->failures - 1)) == 0)  /* the 1st, 2nd, 4th, 8th ... : an outage fills no log */
        log_warn(&c->log, "unreachable", kv_str("node", c->node), kv_err(err), kv_str("detail", detail),
                 kv_int("failures", c->failures));
    timer_start(c->timer, jittered(c->pause_ms));
    c->pause_ms = c->pause_ms * 2 < c->retry_max_ms ? c->pause_ms * 2 : c->retry_max_ms;
}

static void on_ws_open(struct websocket *w, void *arg)
{
    struct ari_client *c = arg;

    (void)w;
    if (c->state != ARI_CONNECTING)
        return;
    set_state(c, ARI_UP);
    c->failures = 0;
    c->up_since_ms = loop_now_ms(c->loop);
    log_info(&c->log, "up", kv_str("node", c->node));
    c->on.on_up(c->arg);
}

static void replaced(struct ari_client *c)
{
    static const char why[] = "another program took over the application name";

    if (c->state != ARI_UP)
        return;
    set_state(c, ARI_REPLACED);
    log_error(&c->log, "replaced", kv_str("node", c->node), kv_str("why", why));
    c->on.on_down(-EADDRINUSE, why, c->arg);
}

static void on_ws_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct ari_client *c = arg;
    struct ari_event e;

    (void)w;
    if (c->state != ARI_UP || !is_text)
        return;
    if (ari_event_parse(&e, message) != 0) {
        log_warn(&c->log, "event_unreadable", kv_str("node", c->node), kv_str("why", e.fault));
        return;
    }
    if (e.kind == ARI_APPLICATION_REPLACED)
        replaced(c);
    else
        c->on.on_event(&e, c->arg);
    ari_event_free(&e);
}

static void say_goodbye(struct ari_client *c);

static void on_ws_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct ari_client *c = arg;
    const bool was_up = c->state == ARI_UP;

    (void)status;
    if (c->up_since_ms && loop_now_ms(c->loop) - c->up_since_ms >= c->retry_max_ms)
        c->pause_ms = pause_first(c);  /* only what has held for a while earns a quick return */
    c->up_since_ms = 0;
    INVARIANT(w == c->ws);
    ref_hold(c);
    c->ws = ref_drop(c->ws);
    if (c->state == ARI_CLOSING) {
        say_goodbye(c);
    } else {
        retry_later(c, err ? err : -ECONNRESET, detail);
        if (was_up)
            c->on.on_down(err ? err : -ECONNRESET, detail, c->arg);
    }
    ref_drop(c);
}

static const struct websocket_handlers ws_on = { .on_open = on_ws_open, .on_message = on_ws_message, .on_closed = on_ws_closed };

static void dial(struct ari_client *c)
{
    const struct websocket_options opt = {
        .url = c->events_url,
        .user = c->user,
        .password = c->password,
        .connect_ms = c->connect_ms,
        .ping_ms = PING_MS,
    };
    int err;

    set_state(c, ARI_CONNECTING);
    err = websocket_open(&c->ws, c->dialer, &opt, &ws_on, c);
    if (err)
        retry_later(c, err, err_text(err));
}

/* ---- requests ---- */

static void request_unlink(struct ari_request *r)
{
    DL_DELETE(r->client->requests, r);
    r->client->count--;
}

/* The request is gone before its handler runs. */
static void request_end(struct ari_request *r, int err, int status, struct text body)
{
    ari_on_answer *const on_answer = r->on_answer;
    void *const arg = r->arg;

    request_unlink(r);
    free(r);
    if (on_answer)
        on_answer(err, status, body, arg);
}

static void on_http_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct ari_request *r = arg;
    struct ari_client *c = ref_hold(r->client);

    if (err)
        log_debug(&c->log, "request_failed", kv_str("node", c->node), kv_err(err), kv_str("detail", detail));
    request_end(r, err, status, body);
    ref_drop(c);
}

int ari_send(struct ari_request **out, struct ari_client *c, const char *method, const char *path, struct text json_body,
             ari_on_answer *on_answer, void *arg)
{
    static const char *const json_headers[] = { "Content-Type: application/json", NULL };
    char url[URL_MAX];
    struct http_options opt = {
        .method = method,
        .url = url,
        .user = c->user,
        .password = c->password,
        .headers = json_body.p ? json_headers : NULL,
        .body = json_body,
        .timeout_ms = c->request_ms,
        .body_max = ANSWER_MAX,
    };
    struct ari_request *r;
    int n, err;

    if (c->state == ARI_CLOSING || c->state == ARI_CLOSED)
        return -EPIPE;
    if (c->count >= REQUESTS_MAX)
        return -ENOBUFS;
    n = snprintf(url, sizeof url, "%s/ari/%s", c->base_url, path);
    if (n < 0 || (size_t)n >= sizeof url)
        return -EMSGSIZE;
    r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    r->client = c;
    r->on_answer = on_answer;
    r->arg = arg;
    err = http_send(&r->http, c->dialer, &opt, on_http_answer, r);
    if (err) {
        free(r);
        return err;
    }
    DL_APPEND(c->requests, r);
    c->count++;
    if (out)
        *out = r;
    return 0;
}

void ari_forget(struct ari_request *r)
{
    if (r)
        r->on_answer = NULL;
}

/* ---- the end ---- */

/* Not from inside ari_close: the WebSocket's end or the timer calls this. */
static void say_goodbye(struct ari_client *c)
{
    if (c->state != ARI_CLOSING)
        return;
    ref_hold(c);
    timer_stop(c->timer);
    while (c->requests) {
        struct ari_request *r = c->requests;

        http_cancel(r->http);
        request_end(r, -ECANCELED, 0, TEXT_NONE);
    }
    set_state(c, ARI_CLOSED);
    if (c->on.on_closed)
        c->on.on_closed(c->arg);
    ref_drop(c);
    ref_drop(c);                   /* the one that ari_open gave */
}

void ari_close(struct ari_client *c)
{
    if (c->state == ARI_CLOSING || c->state == ARI_CLOSED)
        return;
    set_state(c, ARI_CLOSING);
    timer_stop(c->timer);
    if (c->ws)
        websocket_close(c->ws, 1000, "shutdown");
    else
        timer_start(c->timer, 0);
}

static void on_timer(void *arg)
{
    struct ari_client *c = arg;

    if (c->state == ARI_CLOSING)
        say_goodbye(c);
    else if (c->state == ARI_WAITING)
        dial(c);
}

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct ari_client *c = obj;

    timer_free(c->timer);
    free(c->node);
    free(c->base_url);
    free(c->events_url);
    free(c->user);
    if (c->password)
        explicit_bzero(c->password, strlen(c->password));
    free(c->password);
}

/* "http://host:8088/prefix/" gives "http://host:8088/prefix" and "ws://host:8088/prefix/ari/events?app=...". */
static int make_urls(struct ari_client *c, const struct ari_options *opt)
{
    struct text base = text_of(opt->base_url);
    struct buf b;

    while (text_ends(base, TEXT("/")))
        base = text_head(base, base.n - 1);
    if (!text_starts(base, TEXT("http://")) && !text_starts(base, TEXT("https://")))
        return -EINVAL;
    c->base_url = text_dup(base);
    buf_init(&b, URL_MAX);
    buf_add_text(&b, TEXT("ws"));  /* http -> ws, https -> wss */
    buf_add_text(&b, text_skip(base, 4));
    buf_add_text(&b, TEXT("/ari/events?app="));
    buf_add_url(&b, text_of(opt->app));
    if (!buf_cstr(&b) || !c->base_url) {
        buf_free(&b);
        return b.err ? b.err : -ENOMEM;
    }
    c->events_url = b.p;
    return 0;
}

static int copy_options(struct ari_client *c, const struct ari_options *opt)
{
    c->connect_ms = opt->connect_ms ? opt->connect_ms : CONNECT_MS;
    c->request_ms = opt->request_ms ? opt->request_ms : REQUEST_MS;
    c->retry_max_ms = opt->retry_max_ms ? opt->retry_max_ms : RETRY_MAX_MS;
    c->pause_ms = pause_first(c);
    c->node = text_dup(text_of(opt->node ? opt->node : ""));
    c->user = opt->user ? text_dup(text_of(opt->user)) : NULL;
    c->password = opt->password ? text_dup(text_of(opt->password)) : NULL;
    if (!c->node || (opt->user && !c->user) || (opt->password && !c->password))
        return -ENOMEM;
    return make_urls(c, opt);
}

int ari_open(struct ari_client **out, struct loop *l, struct dialer *d, const struct ari_options *opt,
             const struct ari_handlers *on, void *arg, const struct log *log)
{
    struct ari_client *c;
    int err;

    if (!opt->base_url || !opt->app || !*opt->app)
        return -EINVAL;
    c = ref_new(sizeof *c, destroy);
    if (!c)
        return -ENOMEM;
    c->log = log_for(log, "ari");
    c->loop = l;
    c->dialer = d;
    c->on = *on;
    c->arg = arg;
    err = copy_options(c, opt);
    if (err)
        goto fail;
    err = timer_new(&c->timer, l, on_timer, c);
    if (err)
        goto fail;
    timer_start(c->timer, 0);      /* dials in the first turn, so that no handler runs from here */
    *out = c;
    return 0;
fail:
    ref_drop(c);
    return err;
}
