/* One client of the stand-in: what it sends is judged, what it says is heard by a VAD, what it asks for is done. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "audio/g711.h"
#include "base/base64.h"
#include "base/ref.h"
#include "sim/openai_check.h"
#include "sim/openai_inner.h"

enum {
    LIFETIME_S = 3600,
    LIFETIME_OLD_S = 5 * 60 + 2,
    MESSAGE_MAX = 16 * 1024 * 1024,
};

/* ---- what we say ---- */

void sim_send(struct sim_session *s, const char *type, const char *rest, ...)
{
    struct buf b;
    va_list ap;

    if (!s->base.ws)
        return;
    buf_init(&b, MESSAGE_MAX);
    buf_addf(&b, "{\"type\":\"%s\",\"event_id\":\"event_%llu\",", type, (unsigned long long)++s->events);
    va_start(ap, rest);
    buf_vaddf(&b, rest, ap);
    va_end(ap);
    buf_add_char(&b, '}');
    if (!b.err)
        sim_client_send(&s->base, buf_text(&b));
    buf_free(&b);
}

void sim_id(struct sim_session *s, const char *kind, char out[SIM_ID])
{
    snprintf(out, SIM_ID, "%s_%u_%llu", kind, s->base.number, (unsigned long long)++s->ids);
}

void sim_error(struct sim_session *s, const char *code, const char *cause, const char *param, const char *message)
{
    char id[200], words[400], about[200];

    sim_json(id, sizeof id, text_of(cause ? cause : ""));
    sim_json(words, sizeof words, text_of(message));
    sim_json(about, sizeof about, text_of(param ? param : ""));
    sim_send(s, "error", "\"error\":{\"type\":\"invalid_request_error\",\"code\":\"%s\",\"message\":\"%s\",\"param\":\"%s\",\"event_id\":\"%s\"}", code, words,
             about, id);
}

/* An error that is the client's fault. */
static void complain(struct sim_session *s, const cJSON *message, const char *code, const char *param, const char *why)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(message, "event_id"), *type = cJSON_GetObjectItemCaseSensitive(message, "type");
    char words[400];

    sim_json(words, sizeof words, text_of(why));
    sim_moment(s, "complaint", "\"code\":\"%s\",\"about\":\"%.60s\",\"message\":\"%s\"", code, cJSON_IsString(type) ? type->valuestring : "?", words);
    sim_error(s, code, cJSON_IsString(id) ? id->valuestring : NULL, param, why);
}

/* ---- session.update ---- */

static const cJSON *at(const cJSON *in, const char *name)
{
    return cJSON_GetObjectItemCaseSensitive(in, name);
}

static bool is_ulaw(const cJSON *format, bool before)
{
    const cJSON *type = at(format, "type");

    return cJSON_IsString(type) ? strcmp(type->valuestring, "audio/pcmu") == 0 : before;
}

static void vad_take(struct sim_session *s, const cJSON *v)
{
    const cJSON *silence = at(v, "silence_duration_ms"), *padding = at(v, "prefix_padding_ms");
    struct vad_options o;

    if (!v)
        return;
    s->has_vad = cJSON_IsObject(v);
    s->creates = !cJSON_IsFalse(at(v, "create_response"));
    s->interrupts = !cJSON_IsFalse(at(v, "interrupt_response"));
    s->silence_ms = cJSON_IsNumber(silence) ? (int64_t)silence->valuedouble : s->silence_ms;
    s->padding_ms = cJSON_IsNumber(padding) ? (int64_t)padding->valuedouble : s->padding_ms;
    vad_options_default(&o);
    o.rate_hz = s->in_is_ulaw ? 8000 : 24000;
    o.hangover_ms = (int)s->silence_ms;
    vad_init(&s->vad, &o);
}

static void update_take(struct sim_session *s, const cJSON *message)
{
    const cJSON *session = at(message, "session"), *audio = at(session, "audio"), *input = at(audio, "input");
    char *echo;

    if (s->base.fault == SIM_FAULT_REFUSED) {
        const cJSON *id = at(message, "event_id");

        sim_error(s, "invalid_value", cJSON_IsString(id) ? id->valuestring : NULL, "session.audio.output.voice", "The stand-in refuses the session as told.");
        return;
    }
    s->in_is_ulaw = is_ulaw(at(input, "format"), s->in_is_ulaw);
    s->out_is_ulaw = is_ulaw(at(at(audio, "output"), "format"), s->out_is_ulaw);
    if (at(input, "transcription"))
        s->transcribes = cJSON_IsObject(at(input, "transcription"));
    vad_take(s, at(input, "turn_detection"));
    s->is_configured = true;
    echo = cJSON_PrintUnformatted(session); /* the service repeats it whole */
    if (echo && s->base.fault == SIM_FAULT_DRIFT)
        sim_send(s, "session.updated", "\"session\":{\"id\":7,\"expires_at\":\"soon\",\"object\":\"realtime.session\",\"was\":%s}", echo);
    else if (echo)
        sim_send(s, "session.updated", "\"session\":%s", echo);
    sim_moment(s, "configured", "\"config\":%s", echo ? echo : "null");
    free(echo);
}

/* ---- the caller's voice ---- */

static void turn_begin(struct sim_session *s)
{
    const int64_t began = (int64_t)((uint64_t)s->vad.started_at * 1000 / s->vad.opt.rate_hz) - s->padding_ms;

    sim_id(s, "item", s->user_item);
    sim_send(s, "input_audio_buffer.speech_started", "\"audio_start_ms\":%lld,\"item_id\":\"%s\"", (long long)(began > 0 ? began : 0), s->user_item);
    if (s->interrupts && s->now)
        sim_answer_cancel(s, "turn_detected");
}

static void turn_end(struct sim_session *s)
{
    const struct service_script *script = &s->base.server->script;
    const char *heard = s->heard < script->heard_count ? script->heard[s->heard++] : "something that the script does not tell";
    char words[400];

    sim_json(words, sizeof words, text_of(heard));
    sim_send(s, "input_audio_buffer.speech_stopped", "\"audio_end_ms\":%lld,\"item_id\":\"%s\"", (long long)((uint64_t)s->vad.ended_at * 1000 / s->vad.opt.rate_hz),
             s->user_item);
    sim_send(s, "input_audio_buffer.committed", "\"previous_item_id\":null,\"item_id\":\"%s\"", s->user_item);
    sim_send(s, "conversation.item.added", "\"previous_item_id\":null,\"item\":{\"id\":\"%s\",\"type\":\"message\",\"role\":\"user\"}", s->user_item);
    sim_moment(s, "heard", "\"ms\":%lld", (long long)((s->vad.ended_at - s->vad.started_at) * 1000 / (int64_t)s->vad.opt.rate_hz));
    if (s->creates && !s->now)
        sim_answer_begin(s);
    if (s->transcribes)            /* asynchronous: behind the beginning of the answer */
        sim_send(s, "conversation.item.input_audio_transcription.completed", "\"item_id\":\"%s\",\"content_index\":0,\"transcript\":\"%s\"", s->user_item, words);
}

static void voice_hear(struct sim_session *s, const int16_t *pcm, size_t n)
{
    const size_t step = s->vad.opt.rate_hz / 50;

    s->samples += n;
    for (size_t i = 0; i < n && s->has_vad; i += step) {
        const enum vad_event e = vad_feed(&s->vad, pcm + i, n - i < step ? n - i : step);

        if (e == VAD_START)
            turn_begin(s);
        else if (e == VAD_STOP)
            turn_end(s);
    }
}

static void append_take(struct sim_session *s, const cJSON *message)
{
    const struct text coded = text_of(at(message, "audio")->valuestring);
    unsigned char *bytes = malloc(coded.n + 1);
    int16_t *pcm = malloc((coded.n + 1) * sizeof *pcm);
    size_t n = 0;

    if (!s->is_configured)
        complain(s, message, "too_early", "audio", "Audio before session.updated is taken in another format.");
    else if (!bytes || !pcm || base64_read(coded, bytes, &n) || n == 0)
        complain(s, message, "invalid_value", "audio", "Invalid base64.");
    else if (s->in_is_ulaw)
        ulaw_read(pcm, bytes, n);
    else
        memcpy(pcm, bytes, n &= ~(size_t)1); /* little-endian, as the machines this runs on */
    if (n > 0 && s->base.server->opt.echoes)
        sim_answer_echo(s, bytes, n);
    else if (n > 0)
        voice_hear(s, pcm, s->in_is_ulaw ? n : n / 2);
    free(bytes);
    free(pcm);
}

/* ---- items ---- */

static struct sim_item *item_find(struct sim_session *s, const char *id)
{
    for (size_t i = 0; i < SIM_ITEMS; i++)
        if (s->items[i].id[0] && strcmp(s->items[i].id, id) == 0)
            return &s->items[i];
    return NULL;
}

static void truncate_take(struct sim_session *s, const cJSON *message)
{
    struct sim_item *it = item_find(s, at(message, "item_id")->valuestring);
    const double end = at(message, "audio_end_ms")->valuedouble;
    const uint64_t sent_ms = it ? it->bytes / (s->out_is_ulaw ? 8 : 48) : 0;
    char why[160];

    if (!it) {
        complain(s, message, "item_truncate_invalid_item_id", "item_id", "There is no such item.");
    } else if (end < 0 || end > (double)sent_ms) {
        snprintf(why, sizeof why, "Audio content of %llums is already shorter than %.0fms", (unsigned long long)sent_ms, end);
        complain(s, message, "invalid_value", "audio_end_ms", why);
    } else {
        sim_send(s, "conversation.item.truncated", "\"item_id\":\"%s\",\"content_index\":0,\"audio_end_ms\":%.0f", it->id, end);
        sim_moment(s, "truncated", "\"item\":\"%s\",\"audio_end_ms\":%.0f,\"sent_ms\":%llu", it->id, end, (unsigned long long)sent_ms);
        it->bytes = (uint64_t)end * (s->out_is_ulaw ? 8 : 48);
    }
}

static void delete_take(struct sim_session *s, const cJSON *message)
{
    struct sim_item *it = item_find(s, at(message, "item_id")->valuestring);

    if (!it) {
        complain(s, message, "item_delete_invalid_item_id", "item_id", "There is no such item.");
        return;
    }
    sim_send(s, "conversation.item.deleted", "\"item_id\":\"%s\"", it->id);
    sim_moment(s, "deleted", "\"item\":\"%s\"", it->id);
    it->id[0] = '\0';
}

static void create_take(struct sim_session *s, const cJSON *message)
{
    const cJSON *item = at(message, "item"), *call = at(item, "call_id"), *output = at(item, "output");
    char *echo = cJSON_PrintUnformatted(item);

    if (call && strcmp(call->valuestring, s->open_call) != 0) {
        complain(s, message, "invalid_value", "item.call_id", "Tool call ID not found in conversation.");
    } else {
        sim_send(s, "conversation.item.added", "\"previous_item_id\":null,\"item\":%s", echo ? echo : "{}");
        sim_moment(s, output ? "tool" : "item", "\"item\":%s", echo ? echo : "null");
        if (call)
            s->open_call[0] = '\0';
    }
    free(echo);
}

static void respond_take(struct sim_session *s, const cJSON *message)
{
    if (s->now) { /* no mistake: its request may have crossed an answer that the VAD began */
        sim_moment(s, "busy", "\"response\":\"%s\"", s->response);
        sim_error(s, "conversation_already_has_active_response", NULL, NULL, "Conversation already has an active response in progress.");
    } else if (s->open_call[0])
        complain(s, message, "invalid_request", "", "A function call waits for its output.");
    else
        sim_answer_begin(s);
}

static void cancel_take(struct sim_session *s, const cJSON *message)
{
    const cJSON *id = at(message, "response_id");

    if (!s->now || (id && strcmp(id->valuestring, s->response) != 0))
        sim_error(s, "response_cancel_not_active", NULL, NULL, "Cancellation failed: no active response found");
    else
        sim_answer_cancel(s, "client_cancelled");
}

static const struct {
    const char *type;
    void (*take)(struct sim_session *s, const cJSON *message);
} takes[] = {
    { "session.update", update_take },
    { "input_audio_buffer.append", append_take },
    { "conversation.item.create", create_take },
    { "conversation.item.truncate", truncate_take },
    { "conversation.item.delete", delete_take },
    { "response.create", respond_take },
    { "response.cancel", cancel_take },
};

static void on_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct sim_session *s = arg;
    cJSON *tree = is_text ? cJSON_ParseWithLength(message.p, message.n) : NULL;
    struct shape_complaint c = { .code = "invalid_json", .message = "Not a JSON message." };

    (void)w;
    if (cJSON_IsObject(tree))
        openai_check(tree, &c);
    if (c.code) {
        complain(s, tree, c.code, c.param, c.message);
    } else {
        const char *type = at(tree, "type")->valuestring;

        for (size_t i = 0; i < sizeof takes / sizeof *takes; i++)
            if (strcmp(type, takes[i].type) == 0)
                takes[i].take(s, tree);
    }
    cJSON_Delete(tree);
}

/* ---- the connection ---- */

static void on_hello(void *arg)
{
    struct sim_session *s = arg;

    sim_send(s, "session.created",
             "\"session\":{\"object\":\"realtime.session\",\"type\":\"realtime\",\"id\":\"sess_%u\",\"model\":\"gpt-realtime\",\"expires_at\":%lld,"
             "\"audio\":{\"input\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"turn_detection\":{\"type\":\"server_vad\"}},"
             "\"output\":{\"format\":{\"type\":\"audio/pcm\",\"rate\":24000},\"voice\":\"alloy\"}}}",
             s->base.number, (long long)time(NULL) + (s->base.fault == SIM_FAULT_OLD ? LIFETIME_OLD_S : LIFETIME_S));
}

static void on_open(struct websocket *w, void *arg)
{
    struct sim_session *s = arg;

    if (s->base.fault == SIM_FAULT_SLOW)
        websocket_deafen(w);       /* what is said meanwhile is not answered, either */
    timer_start(s->hello, s->base.fault == SIM_FAULT_SLOW ? SIM_SLOW_MS : 1);
}

static int refuse(struct sim_session *s, int status, const char *code, struct websocket_reply *reply)
{
    snprintf(reply->body, sizeof reply->body, "{\"error\":{\"message\":\"refused by the stand-in\",\"type\":\"invalid_request_error\",\"code\":\"%s\"}}", code);
    sim_moment(s, "refused", "\"status\":%d,\"code\":\"%s\"", status, code);
    return status;
}

static int on_request(struct text target, struct text authorization, struct websocket_reply *reply, void *arg)
{
    struct sim_session *s = arg;
    const int status = sim_client_judge(&s->base, authorization, TEXT("Bearer "));

    if (status)
        return refuse(s, status, status == 401 ? "invalid_api_key" : status == 404 ? "model_not_found" : status == 429 ? "rate_limit_exceeded" : "server_error", reply);
    if (s->base.fault == SIM_FAULT_QUOTA)
        return refuse(s, 429, "insufficient_quota", reply);
    if (!text_starts(target, TEXT("/v1/realtime?")) || text_find_text(target, TEXT("model=")) < 0)
        return refuse(s, 404, "model_not_found", reply);
    sim_moment(s, "session", "\"target\":\"%.*s\"", (int)(target.n < 100 ? target.n : 100), target.p);
    return 101;
}

static void end(struct sim_client *c)
{
    struct sim_session *s = (struct sim_session *)c;

    timer_stop(s->mouth.tick);
    timer_stop(s->hello);
    s->now = NULL;
    sim_client_leave(c);
}

static void session_free(void *obj)
{
    struct sim_session *s = obj;

    mouth_free(&s->mouth);
    timer_free(s->hello);
}

static void on_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct sim_session *s = arg;

    (void)w;
    (void)err;
    (void)detail;
    sim_moment(s, "closed", "\"status\":%d,\"ms\":%llu", status, (unsigned long long)(s->samples * 1000 / (s->in_is_ulaw ? 8000 : 24000)));
    sim_client_closed(&s->base);
    end(&s->base);
    ref_drop(s);
}

static int client_accept(struct sim_service *server, struct stream *stream)
{
    static const struct websocket_handlers on = { .on_open = on_open, .on_message = on_message, .on_closed = on_closed };
    struct sim_session *s = ref_new(sizeof *s, session_free);
    int err = s ? mouth_init(&s->mouth, server->loop, s) : -ENOMEM;

    if (!err)
        err = timer_new(&s->hello, server->loop, on_hello, s);
    if (err) {
        ref_drop(s);
        ref_drop(stream);
        return err;
    }
    s->has_vad = s->creates = s->interrupts = true;
    s->silence_ms = 200;
    s->padding_ms = 300;
    sim_answer_mouth(s);
    err = sim_client_enter(&s->base, server, stream, on_request, &on);
    if (err)
        ref_drop(s);
    return err;
}

const struct sim_service_kind sim_service_openai = {
    .name = "openai",
    .paths = "/v1/realtime",
    .script = "say Hello, this is the stand in for a voice model. How can I help you?\n"
              "say I heard you well. I am a recording, and I have nothing else to tell, but I can go on for a while if you like to interrupt me.\n",
    .accept = client_accept,
    .accept_http = sim_openai_http_accept,
    .end = end,
};
