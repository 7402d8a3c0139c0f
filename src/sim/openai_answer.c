/* Speaks one answer of the stand-in's script: items, transcript, audio in odd pieces faster than real time, and the end; or one of the faults. */
#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "sim/openai_inner.h"

enum {
    FAULT_AT_MS = 800,             /* into the first answer: mid-word */
};

static size_t bytes_a_ms(const struct sim_session *s)
{
    return s->out_is_ulaw ? 8 : 48;
}

static bool has_fault(const struct sim_session *s, enum sim_fault f)
{
    return s->base.fault == f;
}

/* ---- the end ---- */

static void end_tell(struct sim_session *s, const char *status, const char *details, const char *output)
{
    char id[SIM_ID];

    memcpy(id, s->response, sizeof id);
    s->response[0] = '\0';
    s->now = NULL;
    mouth_hush(&s->mouth);
    sim_send(s, "response.done",
             "\"response\":{\"object\":\"realtime.response\",\"id\":\"%s\",\"status\":\"%s\",\"status_details\":%s,\"output\":[%s],"
             "\"usage\":{\"total_tokens\":100,\"input_tokens\":60,\"output_tokens\":40}}",
             id, status, details, output);
    sim_send(s, "rate_limits.updated", "\"rate_limits\":[{\"name\":\"requests\",\"limit\":1000,\"remaining\":999,\"reset_seconds\":60}]");
}

static void speech_end(struct sim_session *s, const char *status, const char *details)
{
    struct buf words, output;

    buf_init(&words, 8192);
    buf_init(&output, 16384);
    buf_add_json(&words, text_of(s->now->words));
    if (!buf_cstr(&words))
        return;
    buf_addf(&output, "{\"id\":\"%s\",\"object\":\"realtime.item\",\"type\":\"message\",\"status\":\"%s\",\"role\":\"assistant\","
                      "\"content\":[{\"type\":\"output_audio\",\"transcript\":\"%s\"}]}",
             s->item->id, strcmp(status, "completed") == 0 ? status : "incomplete", words.p);
    sim_send(s, has_fault(s, SIM_FAULT_DRIFT) ? "response.audio.done" : "response.output_audio.done",
             "\"response_id\":\"%s\",\"item_id\":\"%s\",\"output_index\":0,\"content_index\":0", s->response, s->item->id);
    sim_send(s, has_fault(s, SIM_FAULT_DRIFT) ? "response.audio_transcript.done" : "response.output_audio_transcript.done",
             "\"response_id\":\"%s\",\"item_id\":\"%s\",\"output_index\":0,\"content_index\":0,\"transcript\":\"%s\"", s->response, s->item->id,
             words.p);
    sim_moment(s, "audio", "\"item\":\"%s\",\"ms\":%zu,\"status\":\"%s\"", s->item->id, (size_t)s->item->bytes / bytes_a_ms(s), status);
    if (buf_cstr(&output))
        end_tell(s, status, details, output.p);
    buf_free(&words);
    buf_free(&output);
}

void sim_answer_cancel(struct sim_session *s, const char *reason)
{
    char details[100];

    if (!s->now)
        return;
    snprintf(details, sizeof details, "{\"type\":\"cancelled\",\"reason\":\"%s\"}", reason);
    speech_end(s, "cancelled", details);
}

/* ---- faults in mid-word ---- */

/* True: nothing more is said. */
static bool fault_strike(struct sim_session *s)
{
    if (s->mouth.at < FAULT_AT_MS * bytes_a_ms(s))
        return false;
    if (s->base.fault == SIM_FAULT_EXPIRED) {
        sim_error(s, "session_expired", NULL, NULL, "Your session hit the maximum duration of 60 minutes.");
        websocket_close(s->base.ws, 1001, "session expired");
        return true;
    }
    return sim_client_strike(&s->base);
}

/* ---- audio ---- */

static void delta_send(struct sim_session *s, const unsigned char *bytes, size_t n)
{
    const char *type = has_fault(s, SIM_FAULT_DRIFT) ? "response.audio.delta" : "response.output_audio.delta";
    struct buf coded;

    buf_init(&coded, 64 * 1024);
    base64_write(&coded, bytes, n);
    if (buf_cstr(&coded)) {
        if (has_fault(s, SIM_FAULT_GARBAGE))
            memset(coded.p, '!', coded.n);
        if (has_fault(s, SIM_FAULT_ALIEN))
            sim_send(s, type, "\"response_id\":\"%s\",\"item_id\":\"%s\",\"delta\":{\"base64\":\"%s\"}", s->response, s->item->id, coded.p);
        else
            sim_send(s, type, "\"response_id\":\"%s\",\"item_id\":\"%s\",\"output_index\":0,\"content_index\":0,\"delta\":\"%s\",\"obfuscation\":\"x9\"",
                     s->response, s->item->id, coded.p);
    }
    buf_free(&coded);
    s->item->bytes += n;
}

static bool on_piece(const unsigned char *bytes, size_t n, void *arg)
{
    struct sim_session *s = arg;

    if (!s->now || !s->base.ws)
        return false;
    delta_send(s, bytes, n);
    return s->now && !fault_strike(s);
}

static void on_end(void *arg)
{
    speech_end(arg, "completed", "null");
}

void sim_answer_mouth(struct sim_session *s)
{
    s->mouth.on_piece = on_piece;
    s->mouth.on_end = on_end;
}

/* Both forms were made with the script. */
static bool audio_make(struct sim_session *s)
{
    const struct scripted_answer *a = s->now;
    const unsigned speed = s->base.server->opt.speed;

    mouth_hush(&s->mouth);
    s->mouth.speed = speed ? speed : s->mouth.speed;
    s->mouth.is_burst = has_fault(s, SIM_FAULT_BURST);
    s->mouth.bytes_a_ms = bytes_a_ms(s);
    return sim_coding_write(&s->mouth.bytes, s->out_is_ulaw ? a->pcm : a->wide, s->out_is_ulaw ? a->samples : a->wide_samples,
                            s->out_is_ulaw ? SIM_ULAW : SIM_LINEAR, SIM_AS_IT_IS) == 0;
}

/* ---- the beginning ---- */

static void speech_begin(struct sim_session *s)
{
    s->said = s->now;
    s->item = &s->items[s->item_count++ % SIM_ITEMS];
    *s->item = (struct sim_item){ .bytes = 0 };
    sim_id(s, "item", s->item->id);
    sim_send(s, "response.output_item.added", "\"response_id\":\"%s\",\"output_index\":0,\"item\":{\"id\":\"%s\",\"type\":\"message\",\"role\":\"assistant\"}",
             s->response, s->item->id);
    sim_send(s, "conversation.item.added", "\"previous_item_id\":null,\"item\":{\"id\":\"%s\",\"type\":\"message\",\"role\":\"assistant\"}", s->item->id);
    sim_send(s, "response.content_part.added", "\"response_id\":\"%s\",\"item_id\":\"%s\",\"content_index\":0,\"part\":{\"type\":\"audio\"}", s->response,
             s->item->id);
    if (!s->base.server->opt.echoes && audio_make(s))
        mouth_go(&s->mouth);
}

void sim_answer_echo(struct sim_session *s, const unsigned char *bytes, size_t n)
{
    const size_t late = 40 * bytes_a_ms(s);    /* what was kept until the session was there: it would stay behind for ever */

    if (s->now && s->item && s->in_is_ulaw == s->out_is_ulaw && n <= late)
        delta_send(s, bytes, n);
}

static void call_begin(struct sim_session *s)
{
    char item[SIM_ID], output[4096];
    struct buf arguments;

    sim_id(s, "item", item);
    sim_id(s, "call", s->open_call);
    buf_init(&arguments, 4000);
    buf_add_json(&arguments, text_of(s->now->arguments));
    if (buf_cstr(&arguments)) {
        snprintf(output, sizeof output, "{\"id\":\"%s\",\"type\":\"function_call\",\"status\":\"completed\",\"call_id\":\"%s\",\"name\":\"%s\",\"arguments\":\"%.3000s\"}",
                 item, s->open_call, s->now->words, arguments.p);
        sim_send(s, "response.output_item.added", "\"response_id\":\"%s\",\"output_index\":0,\"item\":{\"id\":\"%s\",\"type\":\"function_call\"}", s->response, item);
        sim_send(s, "response.function_call_arguments.done", "\"response_id\":\"%s\",\"item_id\":\"%s\",\"call_id\":\"%s\",\"arguments\":\"%s\"", s->response,
                 item, s->open_call, arguments.p);
        end_tell(s, "completed", "null", output);
    }
    buf_free(&arguments);
}

static void fail_begin(struct sim_session *s, const char *code)
{
    char details[300];

    snprintf(details, sizeof details, "{\"type\":\"failed\",\"error\":{\"type\":\"invalid_request_error\",\"code\":\"%.60s\",\"message\":\"%.60s\"}}", code, code);
    end_tell(s, "failed", details, "");
}

static const struct scripted_answer *answer_next(struct sim_session *s)
{
    const struct service_script *script = &s->base.server->script;

    return s->answer < script->answer_count ? &script->answers[s->answer++] : s->said ? s->said : &script->answers[0];
}

void sim_answer_begin(struct sim_session *s)
{
    s->now = answer_next(s);
    sim_id(s, "resp", s->response);
    sim_send(s, "response.created", "\"response\":{\"object\":\"realtime.response\",\"id\":\"%s\",\"status\":\"in_progress\",\"output\":[]}", s->response);
    sim_moment(s, "answer", "\"response\":\"%s\",\"kind\":%d", s->response, (int)s->now->kind);
    if (has_fault(s, SIM_FAULT_DRIFT))
        sim_send(s, "response.mood.changed", "\"response_id\":[\"%s\"],\"mood\":{\"nice\":true}", s->response);
    if (has_fault(s, SIM_FAULT_ERROR))
        sim_error(s, "server_error", NULL, NULL, "The server had an error while processing your request.");
    if (has_fault(s, SIM_FAULT_FAILED))
        fail_begin(s, "rate_limit_exceeded");
    else if (has_fault(s, SIM_FAULT_NO_MONEY))
        fail_begin(s, "insufficient_quota");
    else if (s->now->kind == ANSWER_FAIL)
        fail_begin(s, s->now->words);
    else if (s->now->kind == ANSWER_CALL)
        call_begin(s);
    else
        speech_begin(s);
}
