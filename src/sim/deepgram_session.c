/* One client of the stand-in for Deepgram: the address it asks for decides what it is; what it sends is judged and passed on. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/speech.h"
#include "base/ref.h"
#include "sim/deepgram_inner.h"

enum { MESSAGE_MAX = 1024 * 1024, STEP_MS = 20, MS_A_WORD = 300 };

static const struct dg_endpoint *const endpoints[] = { &dg_agent, &dg_listen, &dg_flux, &dg_speak };

/* ---- what we say ---- */

/* Fields of other types than they should have, whatever they are. */
static char *alien_make(struct text message)
{
    cJSON *tree = cJSON_ParseWithLength(message.p, message.n), *v, *next;
    char *out;

    for (v = tree ? tree->child : NULL; v; v = next) {
        cJSON *other = cJSON_IsObject(v) || cJSON_IsArray(v) ? cJSON_CreateNumber(7) : cJSON_CreateObject();

        next = v->next;
        if (strcmp(v->string, "type") == 0 || strcmp(v->string, "event") == 0) {
            cJSON_Delete(other);
            continue;
        }
        other->string = strdup(v->string); /* replacing takes no name over */
        cJSON_ReplaceItemViaPointer(tree, v, other);
    }
    out = cJSON_PrintUnformatted(tree);
    cJSON_Delete(tree);
    return out;
}

static void bent_send(struct dg_client *c, struct text message)
{
    static const char strange[] = "{\"type\":\"MoodChanged\",\"mood\":{\"nice\":[true,1,\"x\"]}}";
    char *alien;

    if (c->base.fault == SIM_FAULT_GARBAGE) {
        sim_client_send(&c->base, text_head(message, message.n - 1));
    } else if (c->base.fault == SIM_FAULT_ALIEN) {
        alien = alien_make(message);
        sim_client_send(&c->base, alien ? text_of(alien) : TEXT("{}"));
        free(alien);
    } else {
        if (c->base.fault == SIM_FAULT_DRIFT)
            sim_client_send(&c->base, text_of(strange));
        sim_client_send(&c->base, message);
    }
}

void dg_send(struct dg_client *c, const char *type, const char *fmt, ...)
{
    const bool drifts = c->is_ready && c->base.fault == SIM_FAULT_DRIFT;
    struct buf b;
    va_list ap;

    if (!c->base.ws || c->is_struck)
        return;
    buf_init(&b, MESSAGE_MAX);
    buf_addf(&b, "{%s\"type\":\"%s\"%s", drifts ? "\"experimental\":{\"since\":[2027]}," : "", type, fmt[0] ? "," : "");
    va_start(ap, fmt);
    buf_vaddf(&b, fmt, ap);
    va_end(ap);
    buf_add_char(&b, '}');
    c->sent++;
    if (!b.err && c->is_ready)
        bent_send(c, buf_text(&b));
    else if (!b.err)
        sim_client_send(&c->base, buf_text(&b));
    buf_free(&b);
}

void dg_close(struct dg_client *c, int status, const char *code, const char *why)
{
    char reason[120];

    snprintf(reason, sizeof reason, "%s: %s", code, why);
    c->is_struck = true;
    if (c->base.ws)
        websocket_close(c->base.ws, status, reason);
}

void dg_complain(struct dg_client *c, const char *code, const char *about, const char *why)
{
    char what[200], words[400];

    sim_json(what, sizeof what, text_of(about));
    sim_json(words, sizeof words, text_of(why));
    sim_client_moment(&c->base, "complaint", "\"code\":\"%s\",\"about\":\"%s\",\"message\":\"%s\"", code, what, words);
}

bool dg_strike(struct dg_client *c)
{
    if (c->is_struck || !c->base.ws)
        return true;
    if (c->base.fault == SIM_FAULT_EXPIRED)
        dg_close(c, 1011, "NET-0003", "the time limit of the session is exceeded");
    else
        c->is_struck = sim_client_strike(&c->base);
    return c->is_struck;
}

/* ---- hearing ---- */

void dg_ear_open(struct dg_client *c, int64_t hangover_ms)
{
    struct vad_options o;

    vad_options_default(&o);
    o.rate_hz = c->in_hz;
    o.hangover_ms = (int)hangover_ms;
    vad_init(&c->vad, &o);
}

void dg_hear(struct dg_client *c, struct text bytes)
{
    const size_t step = c->in_hz / 1000 * STEP_MS;
    int16_t *pcm;
    size_t n;

    if (bytes.n == 0 || sim_coding_read(bytes, c->in, &pcm, &n))
        return;
    for (size_t i = 0; i < n && c->base.ws && !c->is_struck; i += step) {
        const size_t piece = n - i < step ? n - i : step;
        const enum vad_event e = vad_feed(&c->vad, pcm + i, piece);

        c->samples += piece;
        c->endpoint->on_heard(c, e);
    }
    free(pcm);
}

const char *dg_words_next(struct dg_client *c)
{
    const struct service_script *script = &c->base.server->script;

    return c->heard < script->heard_count ? script->heard[c->heard++] : "something that the script does not tell";
}

struct text dg_words_until(const struct dg_client *c, int64_t ms)
{
    struct text words = text_of(c->words);
    size_t n = 0;

    for (int64_t left = ms / MS_A_WORD; n < words.n; n++)
        if (words.p[n] == ' ' && left-- <= 0)
            break;
    return text_head(words, n);
}

/* ---- speaking ---- */

bool dg_speech_add(struct dg_client *c, const char *words)
{
    const char *voice = c->base.server->opt.voice;
    int16_t *pcm = NULL;
    size_t n = 0;
    int err = speech_make(voice ? voice : "slt", words, &pcm, &n); /* tens of milliseconds of the loop: this is a stand-in */

    if (!err)
        err = sim_coding_write(&c->mouth.bytes, pcm, n, c->out, c->out_hz);
    free(pcm);
    return !err;
}

void dg_mouth_open(struct dg_client *c)
{
    const unsigned speed = c->base.server->opt.speed;

    c->mouth.speed = speed ? speed : c->mouth.speed;
    c->mouth.is_burst = c->base.fault == SIM_FAULT_BURST;
    c->mouth.bytes_a_ms = sim_coding_bytes_a_ms(c->out, c->out_hz);
}

/* ---- the handshake ---- */

static int refuse(struct dg_client *c, int status, const char *code, const char *why, struct websocket_reply *reply)
{
    char words[250];

    sim_json(words, sizeof words, text_of(why));
    snprintf(reply->body, sizeof reply->body, "{\"err_code\":\"%s\",\"err_msg\":\"%s\",\"request_id\":\"request_%u\"}", code, words, c->base.number);
    sim_client_moment(&c->base, "refused", "\"status\":%d,\"code\":\"%s\",\"message\":\"%s\"", status, code, words);
    return status;
}

static int judge(struct dg_client *c, struct text authorization, struct websocket_reply *reply)
{
    const struct text token = TEXT("Token ");
    const int status = sim_client_judge(&c->base, authorization, text_starts(authorization, token) ? token : TEXT("Bearer "));

    if (status == 401)
        return refuse(c, 401, "INVALID_AUTH", "Invalid credentials.", reply);
    if (status == 404)
        return refuse(c, 404, "NOT_FOUND", "No such model/version combination found.", reply);
    if (status == 429)
        return refuse(c, 429, "TOO_MANY_REQUESTS", "Too many requests. Please try again later.", reply);
    if (status)
        return refuse(c, status, "INTERNAL_SERVER_ERROR", "The stand-in fails as told.", reply);
    if (c->base.fault == SIM_FAULT_QUOTA)
        return refuse(c, 402, "ASR_PAYMENT_REQUIRED", "Project does not have enough credits for an ASR request.", reply);
    return 0;
}

static int on_request(struct text target, struct text authorization, struct websocket_reply *reply, void *arg)
{
    struct dg_client *c = arg;
    struct shape_complaint complaint = { .code = NULL };
    struct dg_query query;
    struct text path;
    int status = judge(c, authorization, reply);

    if (status)
        return status;
    if (!dg_query_read(target, &path, &query))
        return refuse(c, 400, "Bad Request", "Too many parameters.", reply);
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++)
        if (text_eq(path, text_of(endpoints[i]->path)))
            c->endpoint = endpoints[i];
    if (!c->endpoint)
        return refuse(c, 404, "NOT_FOUND", "There is no such endpoint.", reply);
    if (c->base.fault == SIM_FAULT_NO_MONEY && c->endpoint != &dg_speak) /* which finds out at the first text */
        return refuse(c, 402, "ASR_PAYMENT_REQUIRED", "Project does not have enough credits for an ASR request.", reply);
    dg_query_check(&query, c->endpoint->parameters, &complaint);
    if (complaint.code) {
        dg_complain(c, complaint.code, complaint.param, complaint.message);
        return refuse(c, 400, "Bad Request", complaint.message, reply);
    }
    if (c->endpoint->on_target)
        c->endpoint->on_target(c, &query);
    sim_client_moment(&c->base, "session", "\"path\":\"%s\"", c->endpoint->path);
    return 101;
}

static void idle_restart(struct dg_client *c)
{
    const int64_t own = c->base.server ? c->base.server->opt.idle_ms : 0;

    if (c->endpoint->on_idle)
        timer_start(c->idle, own ? own : c->endpoint->idle_ms);
}

static void on_hello(void *arg)
{
    struct dg_client *c = arg;

    idle_restart(c);
    c->endpoint->on_hello(c);
}

static void on_idle(void *arg)
{
    struct dg_client *c = arg;

    c->endpoint->on_idle(c);
}

static void on_open(struct websocket *w, void *arg)
{
    struct dg_client *c = arg;

    if (c->base.fault != SIM_FAULT_SLOW) {
        on_hello(c);
        return;
    }
    websocket_deafen(w);           /* what is said meanwhile is not answered, either */
    timer_start(c->hello, SIM_SLOW_MS);
}

static void text_take(struct dg_client *c, struct text message)
{
    cJSON *tree = cJSON_ParseWithLength(message.p, message.n);

    c->endpoint->on_text(c, cJSON_IsObject(tree) ? tree : NULL);
    cJSON_Delete(tree);
}

static void on_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct dg_client *c = arg;

    (void)w;
    if (c->is_struck)
        return;
    idle_restart(c);
    if (is_text)
        text_take(c, message);
    else
        c->endpoint->on_audio(c, message);
}

/* ---- the end ---- */

static void end(struct sim_client *base)
{
    struct dg_client *c = (struct dg_client *)base;

    timer_stop(c->mouth.tick);
    timer_stop(c->hello);
    timer_stop(c->idle);
    c->is_struck = true;
    sim_client_leave(base);
}

static void on_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct dg_client *c = arg;

    (void)w;
    (void)err;
    (void)detail;
    sim_client_moment(&c->base, "closed", "\"path\":\"%s\",\"status\":%d,\"ms\":%llu", c->endpoint ? c->endpoint->path : "", status,
                      (unsigned long long)(c->in_hz ? c->samples * 1000 / c->in_hz : 0));
    sim_client_closed(&c->base);
    end(&c->base);
    ref_drop(c);
}

static void client_free(void *obj)
{
    struct dg_client *c = obj;

    mouth_free(&c->mouth);
    timer_free(c->hello);
    timer_free(c->idle);
}

static int client_accept(struct sim_service *server, struct stream *stream)
{
    static const struct websocket_handlers on = { .on_open = on_open, .on_message = on_message, .on_closed = on_closed };
    struct dg_client *c = ref_new(sizeof *c, client_free);
    int err = c ? mouth_init(&c->mouth, server->loop, c) : -ENOMEM;

    if (!err)
        err = timer_new(&c->hello, server->loop, on_hello, c);
    if (!err)
        err = timer_new(&c->idle, server->loop, on_idle, c);
    if (err) {
        ref_drop(c);
        ref_drop(stream);
        return err;
    }
    err = sim_client_enter(&c->base, server, stream, on_request, &on);
    if (err)
        ref_drop(c);
    return err;
}

const struct sim_service_kind sim_service_deepgram = {
    .name = "deepgram",
    .paths = "/v1/agent/converse /v1/listen /v2/listen /v1/speak",
    .script = "say I heard you well. I am a recording, and I have nothing else to tell, but I can go on for a while if you like to interrupt me.\n",
    .accept = client_accept,
    .end = end,
};
