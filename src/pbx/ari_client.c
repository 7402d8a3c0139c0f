/* Keeps one application's events coming; ari_request.c sends REST requests whichever way is open.
 *
 * We open the WebSocket:
 *   WAITING --retry--> CONNECTING --open--> UP --replaced--> REPLACED
 *      ^-------- refused, lost ---+----------+------------------+          any --ari_close--> CLOSING --> CLOSED
 * Asterisk opens it (listen):
 *   WAITING --its connection, and an answer to our probe--> UP --replaced--> REPLACED
 *      ^------------------- lost ---------------------------+------------------+
 *
 * REPLACED: another program registered the same application name; Asterisk then leaves our connection open but silent (seen on 22.10.1).
 * Taking the name back would cut that program off from its calls, so it is taken only when Asterisk has it no more (404), which is asked
 * for over HTTP: an answer over the WebSocket does not come then. A name that Asterisk itself registered for us is not to be had back:
 * it stays away until its session is started anew there, and its connection, when it comes again, answers no request. */
#include "pbx/ari_parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/base64.h"
#include "base/buf.h"
#include "base/ref.h"
#include "base/uuid.h"

enum {
    CONNECT_MS = 3000,
    REQUEST_MS = 5000,
    RETRY_MS = 250,                /* first pause; doubles up to retry_max_ms */
    RETRY_MAX_MS = 10 * 1000,
    LOOK_MS = 2000,                /* whether a name that was taken is free */
    LINES_MAX = 2000,              /* connections that Asterisk opened */
    CREDENTIALS_MAX = 1000,
};

static const unsigned ari_moves[] = {
    [ARI_WAITING] = 1u << ARI_CONNECTING | 1u << ARI_UP | 1u << ARI_CLOSING,
    [ARI_CONNECTING] = 1u << ARI_WAITING | 1u << ARI_UP | 1u << ARI_CLOSING,
    [ARI_UP] = 1u << ARI_WAITING | 1u << ARI_REPLACED | 1u << ARI_CLOSING,
    [ARI_REPLACED] = 1u << ARI_WAITING | 1u << ARI_CLOSING,
    [ARI_CLOSING] = 1u << ARI_CLOSED,
    [ARI_CLOSED] = 0,
};

static void set_state(struct ari_client *c, enum ari_state to)
{
    INVARIANT(ari_moves[c->state] & (1u << to));
    c->state = to;
}

bool ari_is_ending(const struct ari_client *c)
{
    return c->state == ARI_CLOSING || c->state == ARI_CLOSED;
}

bool ari_is_up(const struct ari_client *c)
{
    return c->state == ARI_UP || (c->per_call && c->state == ARI_WAITING);
}

bool ari_listening(const struct ari_client *c, struct address *out)
{
    if (c->listener)
        listener_address(c->listener, out);
    return c->listener;
}

static struct ari_line *line_of(const struct ari_client *c, const char *app)
{
    struct ari_line *x;

    DL_FOREACH(c->lines, x) {
        if (ari_link_is_ready(x->link) && strcmp(ari_link_app(x->link), app) == 0)
            return x;
    }
    return NULL;
}

bool ari_has_call_link(const struct ari_client *c, const char *app)
{
    return line_of(c, app) != NULL;
}

/* ---- the connection that we open ---- */

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

/* The 1st, 2nd, 4th, 8th ... : an outage fills no log. */
static bool is_worth_a_line(unsigned count)
{
    return (count & (count - 1)) == 0;
}

bool ari_password_again(struct ari_client *c)
{
    if (!c->password || !secret_again_take(&c->again, &c->password))
        return false;
    c->passwords++;
    log_info(&c->log, "password_exchanged", kv_str("node", c->node));
    return true;
}

static void retry_later(struct ari_client *c, int err, const char *detail)
{
    set_state(c, ARI_WAITING);
    c->failures++;
    if (is_worth_a_line(c->failures))
        log_warn(&c->log, "unreachable", kv_str("node", c->node), kv_err(err), kv_str("detail", detail),
                 kv_int("failures", c->failures));
    if (err == -EACCES && ari_password_again(c))
        c->pause_ms = pause_first(c);
    timer_start(c->timer, jittered(c->pause_ms));
    c->pause_ms = c->pause_ms * 2 < c->retry_max_ms ? c->pause_ms * 2 : c->retry_max_ms;
}

static int64_t look_ms(const struct ari_client *c)
{
    return LOOK_MS < c->retry_max_ms ? LOOK_MS : c->retry_max_ms;
}

static void up(struct ari_client *c)
{
    set_state(c, ARI_UP);
    c->failures = 0;
    c->is_taken = false;
    c->up_since_ms = loop_now_ms(c->loop);
    log_info(&c->log, "up", kv_str("node", c->node), kv_str("opened_by", c->listener ? "asterisk" : "us"));
    c->on.on_up(c->arg);
}

static void replaced(struct ari_client *c)
{
    static const char why[] = "another program took over the application name";

    if (c->state != ARI_UP)
        return;
    set_state(c, ARI_REPLACED);
    c->is_taken = true;
    log_error(&c->log, "replaced", kv_str("node", c->node), kv_str("app", c->app), kv_str("why", why),
              kv_str("do", c->listener ? "end that program, or give it another name; then, on Asterisk: ari shutdown websocket session NAME, ari start outbound-websocket NAME"
                                       : "end that program, or give it another name: ours is taken back as soon as it is free"));
    if (!c->listener)
        timer_start(c->timer, look_ms(c));
    c->on.on_down(-EADDRINUSE, why, c->arg);
}

/* ---- connections that Asterisk opens ---- */

static bool is_of_a_call(const struct ari_client *c, const char *app)
{
    const size_t n = strlen(c->app);

    return strncmp(app, c->app, n) == 0 && app[n] == ':';
}

static void on_own_line(struct ari_client *c, struct ari_line *x)
{
    struct ari_line *const old = c->events;
    const bool was_up = c->state == ARI_UP;

    c->events = x;
    if (old)
        ari_link_close(old->link, 1000, "a newer connection came");
    if (c->state == ARI_UP || c->state == ARI_REPLACED)
        set_state(c, ARI_WAITING);
    ari_link_probe(x->link);       /* the answer makes it up */
    if (was_up)
        c->on.on_down(-ECONNRESET, "Asterisk opened a newer connection", c->arg);
}

static void on_named(struct ari_client *c, struct ari_line *x)
{
    const char *app = ari_link_app(x->link);

    if (strcmp(app, c->app) == 0) {
        on_own_line(c, x);
    } else if (is_of_a_call(c, app)) {
        log_debug(&c->log, "call_link", kv_str("node", c->node), kv_str("app", app));
        if (c->base_url && c->rest == ARI_REST_AUTO)
            ari_link_probe(x->link);   /* without a choice nothing is to be found out */
        if (c->on.on_call_link)
            c->on.on_call_link(app, true, c->arg);
    } else {
        if (is_worth_a_line(++c->failures))
            log_error(&c->log, "wrong_app", kv_str("node", c->node), kv_str("came", app), kv_str("expected", c->app),
                      kv_int("failures", c->failures));
        ari_link_close(x->link, 1008, "another application is served here");
    }
}

static void on_ready(struct ari_link *k, void *arg)
{
    struct ari_line *x = arg;
    struct ari_client *c = x->client;

    if (ari_is_ending(c))
        return;
    if (c->listener) {
        on_named(c, x);
        return;
    }
    if (c->rest != ARI_REST_HTTP)
        ari_link_probe(k);
    up(c);
}

static void on_rest(struct ari_link *k, bool is_offered, void *arg)
{
    struct ari_line *x = arg;
    struct ari_client *c = x->client;

    (void)k;
    if (ari_is_ending(c) || x != c->events)
        return;
    if (!c->listener) {
        if (!is_offered && c->rest == ARI_REST_WEBSOCKET)
            log_error(&c->log, "rest_not_offered", kv_str("node", c->node), kv_str("why", "Asterisk answers no request over the WebSocket"),
                      kv_str("do", "set ari_rest = auto"));
        else
            log_info(&c->log, "rest", kv_str("node", c->node), kv_str("by", is_offered ? "websocket" : "http"));
    } else if (is_offered && c->state == ARI_WAITING) {
        up(c);
    } else if (!is_offered) {
        log_error(&c->log, "not_registered", kv_str("node", c->node), kv_str("app", c->app),
                  kv_str("why", "no request is answered on the connection that Asterisk opened: another program took the name and went"),
                  kv_str("do", "on Asterisk: ari shutdown websocket session NAME, ari start outbound-websocket NAME"));
    }
}

static void on_event(struct ari_link *k, const struct ari_event *e, void *arg)
{
    struct ari_line *x = arg;
    struct ari_client *c = x->client;

    (void)k;
    if (ari_is_ending(c) || (x == c->events && c->state == ARI_REPLACED))
        return;
    if (e->kind == ARI_APPLICATION_REPLACED) {
        if (x == c->events)
            replaced(c);
    } else {
        c->on.on_event(e, c->arg);
    }
}

static void say_goodbye(struct ari_client *c);

static void come_again(struct ari_client *c, int err, const char *detail)
{
    if (c->state == ARI_REPLACED && !c->is_taken) {  /* given up by us, because the name is free */
        set_state(c, ARI_WAITING);
        timer_start(c->timer, 0);
    } else {
        retry_later(c, err, detail);
    }
}

static void own_line_lost(struct ari_client *c, int err, const char *detail)
{
    const bool was_up = c->state == ARI_UP;

    if (c->up_since_ms && loop_now_ms(c->loop) - c->up_since_ms >= c->retry_max_ms)
        c->pause_ms = pause_first(c);  /* only what has held for a while earns a quick return */
    c->up_since_ms = 0;
    if (!c->listener)
        come_again(c, err, detail);
    else if (c->state != ARI_WAITING)
        set_state(c, ARI_WAITING); /* Asterisk comes again */
    if (was_up)
        c->on.on_down(err, detail, c->arg);
}

static void tell_stranger(struct ari_client *c, const struct ari_line *x)
{
    if (is_worth_a_line(++c->strangers))
        log_warn(&c->log, "stranger", kv_str("node", c->node), kv_str("peer", x->peer),
                 kv_str("why", "it did not name our user and password"), kv_int("strangers", c->strangers));
}

static void on_line_closed(struct ari_link *k, int err, int status, const char *detail, void *arg)
{
    struct ari_line *x = arg;
    struct ari_client *c = ref_hold(x->client);
    const bool was_own = x == c->events;
    char app[200];

    text_copy(app, sizeof app, text_of(ari_link_app(k)));
    if (was_own)
        c->events = NULL;
    DL_DELETE(c->lines, x);
    if (c->listener && status == 401)
        tell_stranger(c, x);
    ref_drop(k);
    free(x);
    if (c->state == ARI_CLOSING) {
        if (!c->lines)
            say_goodbye(c);
    } else if (was_own) {
        own_line_lost(c, err ? err : -ECONNRESET, detail);
    } else if (is_of_a_call(c, app) && c->on.on_call_link) {
        c->on.on_call_link(app, false, c->arg);
    }
    ref_drop(c);
}

static const struct ari_link_handlers line_on = { .on_ready = on_ready, .on_event = on_event, .on_rest = on_rest, .on_closed = on_line_closed };

static struct ari_link_options link_options(const struct ari_client *c)
{
    return (struct ari_link_options){ .open_ms = c->connect_ms, .request_ms = c->request_ms, .log = &c->log, .node = c->node };
}

static struct ari_line *line_add(struct ari_client *c)
{
    struct ari_line *x = calloc(1, sizeof *x);

    if (!x)
        return NULL;
    x->client = c;
    DL_APPEND(c->lines, x);
    return x;
}

static void line_remove(struct ari_client *c, struct ari_line *x)
{
    DL_DELETE(c->lines, x);
    free(x);
}

static void dial(struct ari_client *c)
{
    const struct ari_link_options opt = link_options(c);
    struct ari_line *x = line_add(c);
    int err = -ENOMEM;

    set_state(c, ARI_CONNECTING);
    if (x)
        err = ari_link_dial(&x->link, c->dialer, c->loop, c->events_url, c->user, c->password, &opt, &line_on, x);
    if (!err) {
        c->events = x;
        return;
    }
    if (x)
        line_remove(c, x);
    retry_later(c, err, err_text(err));
}

static void on_accept(struct stream *s, void *arg)
{
    struct ari_client *c = arg;
    const struct ari_link_options opt = link_options(c);
    struct ari_line *x = line_add(c);

    if (!x)
        return;                    /* the stream is aborted: nobody handles it */
    text_copy(x->peer, sizeof x->peer, text_of(stream_peer(s)));
    if (ari_link_accept(&x->link, s, c->credentials, &opt, &line_on, x) != 0)
        line_remove(c, x);
}

/* ---- a name that another program has ---- */

static void name_is_free(struct ari_client *c)
{
    c->is_taken = false;
    log_info(&c->log, "name_free", kv_str("node", c->node), kv_str("app", c->app));
    if (c->state == ARI_REPLACED && c->events)
        ari_link_close(c->events->link, 1000, "the name is registered anew");
    else if (c->state == ARI_WAITING)
        dial(c);
}

static void on_name(int err, int status, struct text body, void *arg)
{
    struct ari_client *c = arg;

    (void)body;
    c->is_asking = false;
    if (ari_is_ending(c) || !c->is_taken)
        return;
    if (!err && status == 404)
        name_is_free(c);
    else
        timer_start(c->timer, look_ms(c));
}

static void look_at_name(struct ari_client *c)
{
    struct ari_request *r;
    struct buf b;
    int err;

    if (c->is_asking)
        return;
    buf_init(&b, ARI_URL_MAX);
    buf_add_text(&b, TEXT("applications/"));
    buf_add_url(&b, text_of(c->app));
    err = buf_cstr(&b) ? ari_request_begin(&r, c, on_name, c) : -ENOMEM;
    if (!err) {
        err = ari_request_http(r, "GET", b.p, TEXT_NONE);
        if (err)
            ari_request_free(r);
        else
            ari_request_link(r);
    }
    buf_free(&b);
    c->is_asking = !err;
    if (err)
        timer_start(c->timer, look_ms(c));
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

        http_cancel(r->http);      /* NULL cannot be: those of connections have ended with them */
        ari_request_end(r, -ECANCELED, 0, TEXT_NONE);
    }
    set_state(c, ARI_CLOSED);
    if (c->on.on_closed)
        c->on.on_closed(c->arg);
    ref_drop(c);
    ref_drop(c);                   /* the one that ari_open gave */
}

void ari_close(struct ari_client *c)
{
    struct ari_line *x;

    if (c->state == ARI_CLOSING || c->state == ARI_CLOSED)
        return;
    set_state(c, ARI_CLOSING);
    timer_stop(c->timer);
    listener_close(c->listener);
    c->listener = NULL;
    DL_FOREACH(c->lines, x)
        ari_link_close(x->link, 1000, "shutdown");
    if (!c->lines)
        timer_start(c->timer, 0);
}

static void on_timer(void *arg)
{
    struct ari_client *c = arg;

    if (c->state == ARI_CLOSING)
        say_goodbye(c);
    else if (c->is_taken)
        look_at_name(c);
    else if (c->state == ARI_WAITING)
        dial(c);
}

/* ---- construction ---- */

static void secret_free(char *s)
{
    if (s)
        explicit_bzero(s, strlen(s));
    free(s);
}

static void destroy(void *obj)
{
    struct ari_client *c = obj;

    listener_close(c->listener);
    timer_free(c->timer);
    free(c->node);
    free(c->base_url);
    free(c->events_url);
    free(c->app);
    free(c->user);
    secret_free(c->password);
    secret_free(c->credentials);
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
    buf_init(&b, ARI_URL_MAX);
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

/* The header Authorization of those who may come in. */
static int make_credentials(struct ari_client *c)
{
    struct buf plain, b;
    int err;

    buf_init(&plain, CREDENTIALS_MAX);
    buf_init(&b, 2 * CREDENTIALS_MAX);
    buf_addf(&plain, "%s:%s", c->user, c->password);
    buf_add_text(&b, TEXT("Basic "));
    err = plain.err ? plain.err : base64_write(&b, plain.p, plain.n);
    if (!err && buf_cstr(&b))
        c->credentials = text_dup(buf_text(&b));
    if (plain.p)
        explicit_bzero(plain.p, plain.n);
    if (b.p)
        explicit_bzero(b.p, b.n);
    buf_free(&plain);
    buf_free(&b);
    if (err)
        return err;
    return c->credentials ? 0 : -ENOMEM;
}

static int copy_options(struct ari_client *c, const struct ari_options *opt)
{
    c->connect_ms = opt->connect_ms ? opt->connect_ms : CONNECT_MS;
    c->request_ms = opt->request_ms ? opt->request_ms : REQUEST_MS;
    c->retry_max_ms = opt->retry_max_ms ? opt->retry_max_ms : RETRY_MAX_MS;
    c->pause_ms = pause_first(c);
    c->rest = opt->rest;
    c->per_call = opt->per_call && opt->listen.host[0];
    c->app = text_dup(text_of(opt->app));
    c->node = text_dup(text_of(opt->node ? opt->node : ""));
    c->user = opt->user ? text_dup(text_of(opt->user)) : NULL;
    c->again = opt->again;
    c->password = opt->password ? text_dup(text_of(opt->password)) : NULL;
    if (!c->node || !c->app || (opt->user && !c->user) || (opt->password && !c->password))
        return -ENOMEM;
    return opt->base_url ? make_urls(c, opt) : 0;
}

static int begin(struct ari_client *c, const struct ari_options *opt)
{
    const struct listener_options lo = { .max_streams = LINES_MAX };
    int err = timer_new(&c->timer, c->loop, on_timer, c);

    if (err)
        return err;
    if (!opt->listen.host[0]) {
        timer_start(c->timer, 0);  /* dials in the first turn, so that no handler runs from here */
        return 0;
    }
    err = make_credentials(c);
    return err ? err : listener_open(&c->listener, c->loop, &opt->listen, &lo, on_accept, c);
}

int ari_open(struct ari_client **out, struct loop *l, struct dialer *d, const struct ari_options *opt,
             const struct ari_handlers *on, void *arg, const struct log *log)
{
    struct ari_client *c;
    int err;

    if ((!opt->base_url && !opt->listen.host[0]) || !opt->app || !*opt->app)
        return -EINVAL;
    if (opt->listen.host[0] && (!opt->user || !opt->password))
        return -EINVAL;            /* whoever comes would be let in */
    c = ref_new(sizeof *c, destroy);
    if (!c)
        return -ENOMEM;
    c->log = log_for(log, "ari");
    c->loop = l;
    c->dialer = d;
    c->on = *on;
    c->arg = arg;
    err = copy_options(c, opt);
    if (!err)
        err = begin(c, opt);
    if (err) {
        ref_drop(c);
        return err;
    }
    *out = c;
    return 0;
}
