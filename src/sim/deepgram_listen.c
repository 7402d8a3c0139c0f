/* /v1/listen: streaming transcription, as nova does it: interims, finals in pieces, ends of speech and of utterances. */
#include <stdio.h>
#include <string.h>

#include "sim/deepgram_inner.h"

enum { INTERIM_MS = 1000, EMPTY_MS = 5000, IDLE_MS = 10000, HANGOVER_MIN_MS = 20, WORDS_OF_A_PIECE = 24 };

static const struct dg_parameter parameters[] = {
    { .name = "model", .value = DG_WORD, .begins = "nova enhanced base whisper" },
    { .name = "encoding", .value = DG_ENCODING, .is_needed = true },
    { .name = "sample_rate", .value = DG_NUMBER, .is_needed = true, .least = 8000, .most = 48000 },
    { .name = "channels", .value = DG_NUMBER, .least = 1, .most = 1 },
    { .name = "multichannel", .value = DG_SWITCH },
    { .name = "language", .value = DG_WORD },
    { .name = "interim_results", .value = DG_SWITCH },
    { .name = "endpointing", .value = DG_PAUSE },
    { .name = "utterance_end_ms", .value = DG_NUMBER, .least = 1000, .most = 60000 },
    { .name = "vad_events", .value = DG_SWITCH },
    { .name = "punctuate", .value = DG_SWITCH },
    { .name = "smart_format", .value = DG_SWITCH },
    { .name = "numerals", .value = DG_SWITCH },
    { .name = "profanity_filter", .value = DG_SWITCH },
    { .name = "diarize", .value = DG_SWITCH },
    { .name = "detect_entities", .value = DG_SWITCH },
    { .name = "mip_opt_out", .value = DG_SWITCH },
    { .name = "redact", .value = DG_WORD },
    { .name = "keyterm", .value = DG_WORD },
    { .name = "keywords", .value = DG_WORD },
    { .name = "tag", .value = DG_WORD },
    { .name = "version", .value = DG_WORD },
    { .name = "callback", .value = DG_WORD },
    { .name = NULL },
};

static const struct shape_field plain[] = { { "type", SHAPE_STRING, 1, 0 }, { .name = NULL } };
static const struct shape_field finalize[] = { { "type", SHAPE_STRING, 1, 0 }, { "channel", SHAPE_NUMBER, 0, 0 }, { .name = NULL } };

static const struct shape_field *fields_of(const char *type)
{
    if (strcmp(type, "Finalize") == 0)
        return finalize;
    return strcmp(type, "KeepAlive") == 0 || strcmp(type, "CloseStream") == 0 ? plain : NULL;
}

struct result {
    bool is_final, is_speech_final, is_from_finalize;
};

static void result_send(struct dg_client *c, struct text words, uint64_t from, struct result r)
{
    char json[1000];

    sim_json(json, sizeof json, words);
    dg_send(c, "Results",
            "\"channel_index\":[0,1],\"start\":%.3f,\"duration\":%.3f,\"is_final\":%s,\"speech_final\":%s,\"from_finalize\":%s,"
            "\"channel\":{\"alternatives\":[{\"transcript\":\"%s\",\"confidence\":0.98,\"words\":[]}]},"
            "\"metadata\":{\"request_id\":\"request_%u\",\"model_info\":{\"arch\":\"nova-3\"},\"model_uuid\":\"none\"}",
            dg_seconds(c, from), dg_seconds(c, c->samples - from), r.is_final ? "true" : "false", r.is_speech_final ? "true" : "false",
            r.is_from_finalize ? "true" : "false", json, c->base.number);
}

/* A long turn comes in two finals, as it does from the service. */
static void turn_finish(struct dg_client *c, bool is_speech_final, bool is_from_finalize)
{
    struct text words = text_of(c->words);
    size_t half = 0;

    if (!c->words)
        return;
    for (size_t i = 0; c->base.fault == SIM_FAULT_BURST && i < 200; i++)
        result_send(c, words, c->turn_at, (struct result){ .is_final = false });
    for (size_t i = 0; words.n > WORDS_OF_A_PIECE && half == 0 && i < words.n; i++)
        if (i >= words.n / 2 && words.p[i] == ' ')
            half = i;
    if (half > 0)
        result_send(c, text_head(words, half), c->turn_at, (struct result){ .is_final = true });
    result_send(c, half > 0 ? text_skip(words, half + 1) : words, c->turn_at,
                (struct result){ .is_final = true, .is_speech_final = is_speech_final, .is_from_finalize = is_from_finalize });
    sim_client_moment(&c->base, "heard", "\"path\":\"%s\",\"ms\":%.0f", c->endpoint->path, 1000 * dg_seconds(c, c->samples - c->turn_at));
    c->words = NULL;
    c->told_at = c->samples;
    if (c->base.fault == SIM_FAULT_FAILED || c->base.fault == SIM_FAULT_ERROR)
        dg_close(c, 1011, "NET-0000", "internal server error");
}

static void on_target(struct dg_client *c, const struct dg_query *q)
{
    const struct text pause = dg_query_word(q, "endpointing");

    sim_coding_parse(dg_query_word(q, "encoding"), &c->in);
    c->in_hz = (unsigned)dg_query_number(q, "sample_rate", 8000);
    c->listen.endpointing_ms = text_eq(pause, TEXT("false")) ? -1 : (int64_t)dg_query_number(q, "endpointing", 10);
    c->listen.utterance_end_ms = (int64_t)dg_query_number(q, "utterance_end_ms", 0);
    c->listen.has_interim = dg_query_is_on(q, "interim_results");
    c->listen.has_vad_events = dg_query_is_on(q, "vad_events");
    dg_ear_open(c, c->listen.endpointing_ms < HANGOVER_MIN_MS ? HANGOVER_MIN_MS : c->listen.endpointing_ms);
    if (c->listen.utterance_end_ms > 0 && !c->listen.has_interim)
        dg_complain(c, "invalid_value", "utterance_end_ms", "It has no effect without interim_results.");
}

static void on_hello(struct dg_client *c)
{
    c->is_ready = true;            /* there is no greeting */
}

static void turn_begin(struct dg_client *c)
{
    c->listen.utterance_end_at = 0;
    c->turn_at = (uint64_t)c->vad.started_at;
    c->told_at = c->samples;
    c->words = dg_words_next(c);
    if (c->listen.has_vad_events)
        dg_send(c, "SpeechStarted", "\"channel\":[0],\"timestamp\":%.3f", dg_seconds(c, c->turn_at));
}

static void on_heard(struct dg_client *c, enum vad_event e)
{
    const int64_t since_told_ms = (int64_t)(1000 * dg_seconds(c, c->samples - c->told_at));
    const int64_t turn_ms = (int64_t)(1000 * dg_seconds(c, c->samples - c->turn_at));

    if (e == VAD_START)
        turn_begin(c);
    else if (e == VAD_STOP && c->words) {
        if (c->listen.utterance_end_ms > 0 && c->words[0])
            c->listen.utterance_end_at = (uint64_t)c->vad.ended_at + (uint64_t)c->listen.utterance_end_ms * c->in_hz / 1000;
        turn_finish(c, c->listen.endpointing_ms >= 0, false);
    } else if (c->words && turn_ms >= DG_FAULT_AT_MS && dg_strike(c)) {
        return;
    } else if (c->words && c->listen.has_interim && since_told_ms >= INTERIM_MS) {
        result_send(c, dg_words_until(c, turn_ms), c->turn_at, (struct result){ .is_final = false });
        c->told_at = c->samples;
    } else if (!c->words && c->listen.has_interim && since_told_ms >= EMPTY_MS) {
        result_send(c, TEXT(""), c->told_at, (struct result){ .is_final = true });
        c->told_at = c->samples;
    }
    if (c->listen.utterance_end_at > 0 && c->samples >= c->listen.utterance_end_at) {
        dg_send(c, "UtteranceEnd", "\"channel\":[0,1],\"last_word_end\":%.3f", dg_seconds(c, (uint64_t)c->vad.ended_at));
        c->listen.utterance_end_at = 0;
    }
}

static void stream_close_take(struct dg_client *c)
{
    turn_finish(c, false, true);
    dg_send(c, "Metadata", "\"transaction_key\":\"deprecated\",\"request_id\":\"request_%u\",\"duration\":%.3f,\"channels\":1", c->base.number,
            dg_seconds(c, c->samples));
    if (c->base.ws)
        websocket_close(c->base.ws, 1000, NULL);
}

static void on_text(struct dg_client *c, const cJSON *message)
{
    const char *type = shape_word(message, "type");
    struct shape_complaint complaint = { .code = NULL };

    if (!message || !fields_of(type)) {
        dg_complain(c, "DATA-0000", type, "No message of this endpoint.");
        return;
    }
    shape_check(message, fields_of(type), NULL, "", &complaint);
    if (complaint.code)
        dg_complain(c, complaint.code, complaint.param, complaint.message);
    if (strcmp(type, "Finalize") == 0 && c->words)
        turn_finish(c, true, true);
    else if (strcmp(type, "CloseStream") == 0)
        stream_close_take(c);
}

static void on_audio(struct dg_client *c, struct text bytes)
{
    if (bytes.n == 0) {
        dg_complain(c, "empty_audio", "binary", "An empty binary message closes the stream.");
        stream_close_take(c);
        return;
    }
    dg_hear(c, bytes);
}

static void on_idle(struct dg_client *c)
{
    dg_close(c, 1011, "NET-0001", "did not receive audio data or a text message within the timeout window");
}

const struct dg_endpoint dg_listen = {
    .path = "/v1/listen", .parameters = parameters, .on_target = on_target, .on_hello = on_hello, .on_text = on_text, .on_audio = on_audio,
    .on_heard = on_heard, .on_idle = on_idle, .idle_ms = IDLE_MS, .fields_of = fields_of,
};
