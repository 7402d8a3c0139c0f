/* /v2/listen: Flux, transcription that knows turns: their start, an eager end that may be taken back, and the end. */
#include <stdio.h>
#include <string.h>

#include "sim/deepgram_inner.h"

enum { UPDATE_MS = 240, HANGOVER_MS = 200, END_MS = 500, TIMEOUT_MS = 5000 };

static const struct dg_parameter parameters[] = {
    { .name = "model", .value = DG_WORD, .is_needed = true, .begins = "flux-general-" },
    { .name = "encoding", .value = DG_ENCODING, .is_needed = true, .begins = "linear16 linear32 mulaw alaw opus ogg-opus" },
    { .name = "sample_rate", .value = DG_NUMBER, .is_needed = true, .least = 8000, .most = 48000 },
    { .name = "eot_threshold", .value = DG_NUMBER, .least = 0.5, .most = 1.0 },
    { .name = "eager_eot_threshold", .value = DG_NUMBER, .least = 0.3, .most = 0.9 },
    { .name = "eot_timeout_ms", .value = DG_NUMBER, .least = 500, .most = 60000 },
    { .name = "keyterm", .value = DG_WORD },
    { .name = "language_hint", .value = DG_WORD },
    { .name = "numerals", .value = DG_SWITCH },
    { .name = "redact", .value = DG_WORD },
    { .name = "profanity_filter", .value = DG_SWITCH },
    { .name = "tag", .value = DG_WORD },
    { .name = "mip_opt_out", .value = DG_SWITCH },
    { .name = NULL },
};

static const struct shape_field plain[] = { { "type", SHAPE_STRING, 1, 0 }, { .name = NULL } };
static const struct shape_field configure[] = { { "type", SHAPE_STRING, 1, 0 }, { "thresholds", SHAPE_OBJECT, 0, 0 }, { "keyterms", SHAPE_LIST, 0, 0 },
                                                { "language_hints", SHAPE_LIST, 0, 0 }, { .name = NULL } };

static const struct shape_field *fields_of(const char *type)
{
    return strcmp(type, "CloseStream") == 0 ? plain : strcmp(type, "Configure") == 0 ? configure : NULL;
}

static void turn_send(struct dg_client *c, const char *event, struct text words, double confidence)
{
    char json[1000];

    sim_json(json, sizeof json, words);
    dg_send(c, "TurnInfo",
            "\"request_id\":\"request_%u\",\"sequence_id\":%llu,\"event\":\"%s\",\"turn_index\":%u,\"audio_window_start\":%.3f,"
            "\"audio_window_end\":%.3f,\"transcript\":\"%s\",\"words\":[],\"end_of_turn_confidence\":%.2f",
            c->base.number, (unsigned long long)c->sent, event, c->flux.turn, dg_seconds(c, c->turn_at), dg_seconds(c, c->samples), json, confidence);
    c->told_at = c->samples;
}

static void on_target(struct dg_client *c, const struct dg_query *q)
{
    sim_coding_parse(dg_query_word(q, "encoding"), &c->in);
    c->in_hz = (unsigned)dg_query_number(q, "sample_rate", 8000);
    c->flux.is_eager = dg_query_word(q, "eager_eot_threshold").p != NULL;
    c->flux.timeout_ms = (int64_t)dg_query_number(q, "eot_timeout_ms", TIMEOUT_MS);
    dg_ear_open(c, HANGOVER_MS);
}

static void on_hello(struct dg_client *c)
{
    dg_send(c, "Connected", "\"request_id\":\"request_%u\",\"sequence_id\":0", c->base.number);
    c->is_ready = true;
}

static void speech_begin(struct dg_client *c)
{
    if (c->words) {                /* the pause was none */
        if (c->flux.is_eager && c->words[0])
            turn_send(c, "TurnResumed", text_of(c->words), 0.2);
        c->flux.silent_at = 0;
        return;
    }
    c->words = dg_words_next(c);
    c->turn_at = (uint64_t)c->vad.started_at;
    c->flux.silent_at = 0;
    if (c->words[0])               /* turns begin with words, not with noise */
        turn_send(c, "StartOfTurn", dg_words_until(c, 0), 0.1);
}

static void turn_end(struct dg_client *c)
{
    const struct text words = text_of(c->words);

    for (size_t i = 0; c->base.fault == SIM_FAULT_BURST && i < 200; i++)
        turn_send(c, "Update", words, 0.3);
    if (words.n > 0) {
        turn_send(c, "EndOfTurn", words, 0.85);
        c->flux.turn++;
    }
    sim_client_moment(&c->base, "heard", "\"path\":\"%s\",\"ms\":%.0f", c->endpoint->path, 1000 * dg_seconds(c, c->samples - c->turn_at));
    c->words = NULL;
    c->flux.silent_at = 0;
    if (c->base.fault == SIM_FAULT_FAILED || c->base.fault == SIM_FAULT_ERROR) {
        dg_send(c, "Error", "\"sequence_id\":%llu,\"code\":\"INTERNAL_SERVER_ERROR\",\"description\":\"as told\"", (unsigned long long)c->sent);
        dg_close(c, 1011, "NET-0000", "internal server error");
    }
}

static void on_heard(struct dg_client *c, enum vad_event e)
{
    const int64_t turn_ms = (int64_t)(1000 * dg_seconds(c, c->samples - c->turn_at));
    const uint64_t end = (uint64_t)(c->flux.timeout_ms < END_MS ? c->flux.timeout_ms : END_MS) * c->in_hz / 1000;

    if (e == VAD_START) {
        speech_begin(c);
    } else if (e == VAD_STOP && c->words) {
        c->flux.silent_at = (uint64_t)c->vad.ended_at;
        if (c->flux.is_eager && c->words[0])
            turn_send(c, "EagerEndOfTurn", text_of(c->words), 0.55);
    }
    if (!c->words || (turn_ms >= DG_FAULT_AT_MS && dg_strike(c)))
        return;
    if (c->flux.silent_at > 0 && c->samples >= c->flux.silent_at + end && !vad_speech_ms(&c->vad))
        turn_end(c);
    else if (c->words[0] && 1000 * dg_seconds(c, c->samples - c->told_at) >= UPDATE_MS)
        turn_send(c, "Update", c->flux.silent_at > 0 ? text_of(c->words) : dg_words_until(c, turn_ms), 0.3);
}

static void on_text(struct dg_client *c, const cJSON *message)
{
    const char *type = shape_word(message, "type");
    struct shape_complaint complaint = { .code = NULL };

    if (!message || !fields_of(type)) {
        dg_complain(c, "UNPARSABLE_CLIENT_MESSAGE", type, "No message of this endpoint.");
        dg_send(c, "Error", "\"sequence_id\":%llu,\"code\":\"UNPARSABLE_CLIENT_MESSAGE\",\"description\":\"no such message\"", (unsigned long long)c->sent);
        return;
    }
    shape_check(message, fields_of(type), NULL, "", &complaint);
    if (complaint.code)
        dg_complain(c, complaint.code, complaint.param, complaint.message);
    if (strcmp(type, "Configure") == 0) {
        dg_send(c, complaint.code ? "ConfigureFailure" : "ConfigureSuccess", "\"request_id\":\"request_%u\",\"sequence_id\":%llu", c->base.number,
                (unsigned long long)c->sent);
        return;
    }
    if (c->words)
        turn_end(c);
    if (c->base.ws)
        websocket_close(c->base.ws, 1000, NULL);
}

static void on_audio(struct dg_client *c, struct text bytes)
{
    if (bytes.n == 0)
        dg_complain(c, "empty_audio", "binary", "An empty binary message.");
    dg_hear(c, bytes);
}

const struct dg_endpoint dg_flux = {
    .path = "/v2/listen", .parameters = parameters, .on_target = on_target, .on_hello = on_hello, .on_text = on_text, .on_audio = on_audio,
    .on_heard = on_heard, .fields_of = fields_of,
};
