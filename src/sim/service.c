/* The port of a stand-in for a service, and what each of its clients begins and ends with. */
#include "sim/service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/ref.h"
#include "sim/service_inner.h"

enum {
    CLIENTS_MAX = 1000,
    CONNECT_MS = 5000,
    MESSAGE_MAX = 16 * 1024 * 1024,
    QUEUE_MAX = 8 * 1024 * 1024,
    MOMENT_MAX = 64 * 1024,
    STREAM_QUEUE_MAX = 1024 * 1024,
    SAID_MAX = 16 * 1024 * 1024,
};

static const char *const faults[] = {
    "none", "401", "429", "quota", "500", "slow", "stall", "close", "lost", "half-open", "burst", "garbage", "drift", "alien", "error", "failed",
    "no-money", "expired", "404", "refused", "policy", "old",
}; /* order of enum sim_fault */

enum sim_fault sim_fault_parse(struct text name, bool *ok)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (text_eq(name, text_of(faults[i]))) {
            *ok = true;
            return (enum sim_fault)i;
        }
    }
    *ok = false;
    return SIM_FAULT_NONE;
}

const char *sim_fault_name(size_t i)
{
    return i < sizeof faults / sizeof *faults ? faults[i] : NULL;
}

/* ---- the port ---- */

/* False: the stream is gone. */
static bool cover(struct sim_service *s, struct stream **stream)
{
    const struct stream_options opt = { .queue_max = STREAM_QUEUE_MAX };

    return !s->tls || tls_server_accept(stream, s->tls, *stream, &opt) == 0;
}

static void on_accept(struct stream *stream, void *arg)
{
    struct sim_service *s = arg;

    if (cover(s, &stream))
        s->kind->accept(s, stream); /* with an error it dropped the stream, which ends it */
}

static void on_accept_http(struct stream *stream, void *arg)
{
    struct sim_service *s = arg;

    if (cover(s, &stream))
        s->kind->accept_http(s, stream);
}

static int http_open(struct sim_service *s, const struct listener_options *lo)
{
    int err;

    if (!s->opt.http)
        return 0;
    if (!s->kind->accept_http)
        return -EINVAL;
    err = tts_cache_new(&s->said, SAID_MAX);
    return err ? err : listener_open(&s->http_listener, s->loop, s->opt.http, lo, on_accept_http, s);
}

int sim_service_open(struct sim_service **out, struct loop *l, const struct address *at, const struct sim_service_kind *kind,
                     const struct sim_service_options *opt, sim_service_on_moment *on_moment, void *arg, char **problem)
{
    const struct listener_options lo = { .max_streams = CLIENTS_MAX, .stream = { .queue_max = STREAM_QUEUE_MAX } };
    struct sim_service *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    s->loop = l;
    s->kind = kind;
    s->opt = *opt;
    s->on_moment = on_moment;
    s->arg = arg;
    s->key = opt->key ? strdup(opt->key) : NULL;
    err = opt->key && !s->key ? -ENOMEM : 0;
    if (!err)
        err = service_script_load(&s->script, opt->script_name ? opt->script_name : "script", opt->script.p ? opt->script : text_of(kind->script),
                                  opt->voice ? opt->voice : "slt", problem);
    if (!err && s->script.answer_count == 0)
        err = -EINVAL;
    if (!err && opt->cert_file)
        err = tls_server_new(&s->tls, opt->cert_file, opt->key_file ? opt->key_file : opt->cert_file);
    if (!err)
        err = listener_open(&s->listener, l, at, &lo, on_accept, s);
    if (!err)
        err = http_open(s, &lo);
    if (err) {
        sim_service_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void sim_service_address(const struct sim_service *s, struct address *out)
{
    listener_address(s->listener, out);
}

bool sim_service_http_address(const struct sim_service *s, struct address *out)
{
    if (s->http_listener)
        listener_address(s->http_listener, out);
    return s->http_listener != NULL;
}

void sim_service_close(struct sim_service *s)
{
    if (!s)
        return;
    listener_close(s->listener);
    listener_close(s->http_listener);
    while (s->first)
        (s->first->end ? s->first->end : s->kind->end)(s->first);
    tts_cache_free(s->said);
    service_script_free(&s->script);
    tls_server_free(s->tls);
    free(s->key);
    free(s);
}

/* ---- its clients ---- */

int sim_client_enter(struct sim_client *c, struct sim_service *server, struct stream *stream, websocket_on_request *on_request,
                     const struct websocket_handlers *on)
{
    const struct websocket_options opt = { .connect_ms = CONNECT_MS, .message_max = MESSAGE_MAX, .queue_max = QUEUE_MAX };
    int err;

    sim_client_begin(c, server);
    err = websocket_accept(&c->ws, stream, &opt, on_request, on, c);
    if (!err)
        sim_client_join(c, server);
    return err;
}

void sim_client_begin(struct sim_client *c, struct sim_service *server)
{
    c->number = ++server->sessions;
    c->fault = !server->opt.fault_count || c->number <= server->opt.fault_count ? server->opt.fault : SIM_FAULT_NONE;
}

void sim_client_join(struct sim_client *c, struct sim_service *server)
{
    c->server = server;
    c->next = server->first;
    c->link = &server->first;
    if (c->next)
        c->next->link = &c->next;
    server->first = c;
    server->live++;
}

void sim_client_leave(struct sim_client *c)
{
    if (c->server) {
        *c->link = c->next;
        if (c->next)
            c->next->link = c->link;
        c->server->live--;
        c->server = NULL;
    }
    if (c->ws)
        websocket_abort(c->ws);
}

void sim_client_closed(struct sim_client *c)
{
    c->ws = ref_drop(c->ws);
}

void sim_client_moment(struct sim_client *c, const char *what, const char *fmt, ...)
{
    struct buf b;
    va_list ap;

    if (!c->server)
        return;
    buf_init(&b, MOMENT_MAX);
    buf_addf(&b, "{\"session\":%u,", c->number);
    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    buf_add_char(&b, '}');
    if (!b.err)
        c->server->on_moment(what, buf_text(&b), c->server->arg);
    buf_free(&b);
}

void sim_client_send(struct sim_client *c, struct text message)
{
    if (c->ws && websocket_send(c->ws, true, message) == -ENOBUFS)
        sim_client_moment(c, "complaint", "\"code\":\"queue_full\"");
}

int sim_client_judge(const struct sim_client *c, struct text authorization, struct text scheme)
{
    const char *key = c->server ? c->server->key : NULL;

    if (c->fault == SIM_FAULT_401 || !text_starts(authorization, scheme) || authorization.n == scheme.n ||
        (key && !text_eq(text_skip(authorization, scheme.n), text_of(key))))
        return 401;
    return c->fault == SIM_FAULT_404 ? 404 : c->fault == SIM_FAULT_429 ? 429 : c->fault == SIM_FAULT_500 ? 500 : 0;
}

bool sim_client_strike(struct sim_client *c)
{
    switch (c->fault) {
    case SIM_FAULT_STALL:
        return true;
    case SIM_FAULT_HALF_OPEN:
        websocket_deafen(c->ws);
        return true;
    case SIM_FAULT_CLOSE:
        websocket_close(c->ws, 1011, "server error");
        return true;
    case SIM_FAULT_POLICY:
        websocket_close(c->ws, 1008, "policy violation");
        return true;
    case SIM_FAULT_LOST:
        websocket_abort(c->ws);
        return true;
    default:
        return false;
    }
}

void sim_json(char *out, size_t size, struct text words)
{
    struct buf b;

    buf_init(&b, size - 1);
    for (size_t i = 0; i < words.n && b.err == 0;) { /* a whole character or nothing: an escape is never cut */
        size_t n = 1;

        while (i + n < words.n && ((unsigned char)words.p[i + n] & 0xc0) == 0x80)
            n++;
        buf_add_json(&b, text_make(words.p + i, n));
        i += n;
    }
    b.err = 0;
    text_copy(out, size, b.p ? buf_text(&b) : TEXT(""));
    buf_free(&b);
}
