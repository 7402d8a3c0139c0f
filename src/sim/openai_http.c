/* One client of the stand-in for OpenAI's HTTP endpoints: its requests are judged, answered at a pace, and fail as told. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/ref.h"
#include "sim/openai_http_inner.h"

enum {
    OUT_MAX = 4 * 1024 * 1024,
    EVENT_MS = 10,                 /* between two events of a stream, at a speed of 4 */
    PIECE_BURST = 98,
};

/* ---- the end of an answer ---- */

static void ended(struct oh_client *c, bool is_whole)
{
    if (c->path)
        sim_client_moment(&c->base, "answered", "\"path\":\"%s\",\"whole\":%s", c->path, is_whole ? "true" : "false");
    c->path = NULL;
    timer_stop(c->tick);
    mouth_hush(&c->mouth);
    buf_clear(&c->out);
}

void oh_end(struct oh_client *c)
{
    http_peer_finish(c->peer);
    ended(c, true);
}

bool oh_strike(struct oh_client *c)
{
    switch (c->base.fault) {
    case SIM_FAULT_STALL:
        return true;
    case SIM_FAULT_HALF_OPEN:
        http_peer_deafen(c->peer);
        return true;
    case SIM_FAULT_CLOSE:
    case SIM_FAULT_EXPIRED:
        http_peer_close(c->peer);
        return true;
    case SIM_FAULT_LOST:
        http_peer_abort(c->peer);
        return true;
    default:
        return false;
    }
}

/* ---- answers ---- */

static void on_tick(void *arg)
{
    struct oh_client *c = arg;

    c->go(c);
}

void oh_go(struct oh_client *c, void (*go)(struct oh_client *c))
{
    c->go = go;
    c->at = 0;
    if (oh_fault(c, SIM_FAULT_SLOW))
        timer_start(c->tick, SIM_SLOW_MS);
    else
        go(c);
}

bool oh_is_ruined(const struct oh_client *c)
{
    return !oh_fault(c, SIM_FAULT_NONE) && !oh_fault(c, SIM_FAULT_BURST) && !oh_fault(c, SIM_FAULT_DRIFT);
}

static bool is_striking(const struct oh_client *c)
{
    const enum sim_fault f = c->base.fault;

    return f == SIM_FAULT_STALL || f == SIM_FAULT_HALF_OPEN || f == SIM_FAULT_CLOSE || f == SIM_FAULT_EXPIRED || f == SIM_FAULT_LOST;
}

void oh_whole_send(struct oh_client *c)
{
    struct text body = buf_text(&c->out);

    if (oh_fault(c, SIM_FAULT_GARBAGE))
        body = text_head(body, body.n / 2);
    if (is_striking(c)) {
        if (http_peer_begin(c->peer, c->type) && http_peer_piece(c->peer, text_head(body, body.n / 2)))
            oh_strike(c);
        return;
    }
    http_peer_answer(c->peer, 200, "", c->type, body);
    ended(c, true);
}

static bool event_send(struct oh_client *c)
{
    const struct text rest = text_skip(buf_text(&c->out), c->at);
    const ptrdiff_t end = text_find_text(rest, TEXT("\n\n"));
    struct text event = text_head(rest, end < 0 ? rest.n : (size_t)end + 2);

    c->at += event.n;
    if (!oh_fault(c, SIM_FAULT_BURST))
        return http_peer_piece(c->peer, event);
    for (; event.n > 0; event = text_skip(event, PIECE_BURST))
        if (!http_peer_piece(c->peer, text_head(event, PIECE_BURST)))
            return false;
    return true;
}

static void events_go_on(struct oh_client *c)
{
    const unsigned speed = c->base.server->opt.speed ? c->base.server->opt.speed : 4;

    do {
        if (!event_send(c) || (c->at >= c->out.n / 2 && oh_strike(c)))
            return;
    } while (oh_fault(c, SIM_FAULT_BURST) && c->at < c->out.n);
    if (c->at < c->out.n)
        timer_start(c->tick, EVENT_MS * 4 / speed);
    else
        oh_end(c);
}

void oh_events_send(struct oh_client *c)
{
    c->go = events_go_on;
    if (http_peer_begin(c->peer, "text/event-stream; charset=utf-8"))
        events_go_on(c);
}

/* ---- refusals ---- */

void oh_refuse(struct oh_client *c, int status, const char *code, const char *param, const char *message)
{
    const char *type = status >= 500 ? "server_error" : strcmp(code, "insufficient_quota") == 0 ? code : status == 429 ? "requests" : "invalid_request_error";
    char words[400], about[200];

    sim_json(words, sizeof words, text_of(message));
    sim_json(about, sizeof about, text_of(param ? param : ""));
    sim_client_moment(&c->base, "refused", "\"path\":\"%s\",\"status\":%d,\"code\":\"%s\",\"message\":\"%s\"", c->path, status, code, words);
    buf_clear(&c->out);
    buf_addf(&c->out, "{\"error\":{\"message\":\"%s\",\"type\":\"%s\",\"param\":%s%s%s,\"code\":\"%s\"}}", words, type, param ? "\"" : "",
             param ? about : "null", param ? "\"" : "", code);
    http_peer_answer(c->peer, status, status == 429 && strcmp(type, "requests") == 0 ? "Retry-After: 1\r\n" : "", "application/json", buf_text(&c->out));
    ended(c, true);
}

void oh_complain(struct oh_client *c, const struct shape_complaint *complaint)
{
    char about[200], words[400];

    sim_json(about, sizeof about, text_of(complaint->param));
    sim_json(words, sizeof words, text_of(complaint->message));
    sim_client_moment(&c->base, "complaint", "\"path\":\"%s\",\"code\":\"%s\",\"about\":\"%s\",\"message\":\"%s\"", c->path, complaint->code, about, words);
    oh_refuse(c, 400, complaint->code, complaint->param, complaint->message);
}

bool oh_fails(struct oh_client *c)
{
    if (oh_fault(c, SIM_FAULT_FAILED))
        oh_refuse(c, 429, "rate_limit_exceeded", NULL, "Rate limit reached. Please try again in 1s.");
    else if (oh_fault(c, SIM_FAULT_NO_MONEY))
        oh_refuse(c, 429, "insufficient_quota", NULL, "You exceeded your current quota, please check your plan and billing details.");
    else if (oh_fault(c, SIM_FAULT_ERROR))
        oh_refuse(c, 500, "server_error", NULL, "The server had an error while processing your request.");
    else
        return false;
    return true;
}

/* True: the request may be looked at. */
static bool is_let_in(struct oh_client *c, struct text authorization)
{
    switch (sim_client_judge(&c->base, authorization, TEXT("Bearer "))) {
    case 401:
        oh_refuse(c, 401, "invalid_api_key", NULL, "Incorrect API key provided.");
        return false;
    case 429:
        oh_refuse(c, 429, "rate_limit_exceeded", NULL, "Rate limit reached. Please try again in 1s.");
        return false;
    case 500:
        oh_refuse(c, 500, "server_error", NULL, "The stand-in fails as told.");
        return false;
    default:
        break;
    }
    if (oh_fault(c, SIM_FAULT_QUOTA))
        oh_refuse(c, 429, "insufficient_quota", NULL, "You exceeded your current quota, please check your plan and billing details.");
    return !oh_fault(c, SIM_FAULT_QUOTA);
}

/* ---- requests ---- */

static void models(struct oh_client *c, const struct http_ask *ask)
{
    static const char *const names[] = { "gpt-4o-mini", "gpt-4o-mini-transcribe", "gpt-4o-mini-tts", "whisper-1" };

    (void)ask;
    buf_add_text(&c->out, TEXT("{\"object\":\"list\",\"data\":["));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        buf_addf(&c->out, "%s{\"id\":\"%s\",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"stand-in\"}", i ? "," : "", names[i]);
    buf_add_text(&c->out, TEXT("]}"));
    c->type = "application/json";
    oh_go(c, oh_whole_send);
}

static const struct {
    const char *path, *method;
    void (*take)(struct oh_client *c, const struct http_ask *ask);
} endpoints[] = {
    { "/v1/chat/completions", "POST", oh_chat },
    { "/v1/audio/speech", "POST", oh_speech },
    { "/v1/audio/transcriptions", "POST", oh_transcription },
    { "/v1/models", "GET", models },
};

static void on_request(struct http_peer *p, const struct http_ask *ask, void *arg)
{
    struct oh_client *c = arg;

    (void)p;
    if (!c->base.server)
        return;
    sim_client_begin(&c->base, c->base.server);
    buf_clear(&c->out);
    c->path = "?";
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        if (!text_eq(ask->path, text_of(endpoints[i].path)))
            continue;
        c->path = endpoints[i].path;
        sim_client_moment(&c->base, "request", "\"path\":\"%s\",\"bytes\":%zu", c->path, ask->body.n);
        if (!is_let_in(c, ask->authorization))
            return;
        if (text_eq(ask->method, text_of(endpoints[i].method)))
            endpoints[i].take(c, ask);
        else
            oh_refuse(c, 405, "method_not_allowed", NULL, "Not allowed to use this method on this endpoint.");
        return;
    }
    oh_refuse(c, 404, "not_found", NULL, "There is no such endpoint.");
}

/* ---- the connection ---- */

static void on_refused(struct http_peer *p, int status, const char *why, void *arg)
{
    struct oh_client *c = arg;

    (void)p;
    sim_client_moment(&c->base, "complaint", "\"path\":\"?\",\"code\":\"http_%d\",\"about\":\"\",\"message\":\"%s\"", status, why);
}

static void end(struct sim_client *base)
{
    struct oh_client *c = (struct oh_client *)(void *)base;

    timer_stop(c->tick);
    mouth_hush(&c->mouth);
    sim_client_leave(base);
    http_peer_abort(c->peer);
}

static void on_closed(struct http_peer *p, void *arg)
{
    struct oh_client *c = arg;

    (void)p;
    ended(c, false);
    end(&c->base);
    ref_drop(c);                   /* the connection's */
}

static void client_free(void *obj)
{
    struct oh_client *c = obj;

    mouth_free(&c->mouth);
    timer_free(c->tick);
    buf_free(&c->out);
    ref_drop(c->peer);
}

int sim_openai_http_accept(struct sim_service *server, struct stream *stream)
{
    static const struct http_peer_handlers on = { .on_request = on_request, .on_refused = on_refused, .on_closed = on_closed };
    struct oh_client *c = ref_new(sizeof *c, client_free);
    int err = c ? mouth_init(&c->mouth, server->loop, c) : -ENOMEM;

    if (!err)
        err = timer_new(&c->tick, server->loop, on_tick, c);
    if (err) {
        ref_drop(c);
        ref_drop(stream);
        return err;
    }
    buf_init(&c->out, OUT_MAX);
    c->base.end = end;
    err = http_peer_new(&c->peer, stream, &on, c);
    if (err)
        ref_drop(c);
    else
        sim_client_join(&c->base, server);
    return err;
}
