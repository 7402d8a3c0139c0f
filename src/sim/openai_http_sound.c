/* POST /v1/audio/speech and /v1/audio/transcriptions: the stand-in's voice, and its ears, which hear that there is speech and understand what the script
 * says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/speech.h"
#include "audio/vad.h"
#include "sim/openai_http_inner.h"

enum { OUT_HZ = 24000, BYTES_A_MS = OUT_HZ / 1000 * 2, SAID_MAX = 12 * 1024, STEP_MS = 20 };

/* ---- speech ---- */

/* 8 kHz samples of the words, malloc'ed. */
static int words_speak(struct oh_client *c, const char *words, int16_t **pcm, size_t *n)
{
    const char *voice = c->base.server->opt.voice;
    int err = tts_cache_get(c->base.server->said, text_of(words), pcm, n);

    if (!err)
        return 0;
    err = speech_make(voice ? voice : "slt", words, pcm, n); /* tens of milliseconds of the loop: this is a stand-in */
    if (!err)
        tts_cache_put(c->base.server->said, text_of(words), *pcm, *n);
    return err;
}

static void number_add(struct buf *b, uint32_t v, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        buf_add_char(b, (char)(unsigned char)(v >> 8 * i));
}

/* A stream's head: its sizes are not known. */
static void wav_head_add(struct buf *b, unsigned format)
{
    buf_add_text(b, TEXT("RIFF"));
    number_add(b, UINT32_MAX, 4);
    buf_add_text(b, TEXT("WAVEfmt "));
    number_add(b, 16, 4);
    number_add(b, format, 2);
    number_add(b, 1, 2);
    number_add(b, OUT_HZ, 4);
    number_add(b, OUT_HZ * 2, 4);
    number_add(b, 2, 2);
    number_add(b, 16, 2);
    buf_add_text(b, TEXT("data"));
    number_add(b, UINT32_MAX, 4);
}

static bool on_piece(const unsigned char *bytes, size_t n, void *arg)
{
    struct oh_client *c = arg;

    if (!http_peer_piece(c->peer, text_make(bytes, n)))
        return false;
    return c->mouth.at < OH_FAULT_AT_MS * BYTES_A_MS || !oh_strike(c);
}

static void on_end(void *arg)
{
    struct oh_client *c = arg;

    if (!oh_strike(c))             /* a text too short for the other place */
        oh_end(c);
}

static void speech_send(struct oh_client *c)
{
    if (http_peer_begin(c->peer, c->is_wav ? "audio/wav" : "audio/pcm"))
        mouth_go(&c->mouth);
}

static int speech_make_ready(struct oh_client *c, const char *words)
{
    const unsigned speed = c->base.server->opt.speed;
    int16_t *pcm = NULL;
    size_t n = 0;
    int err = words_speak(c, words, &pcm, &n);

    mouth_hush(&c->mouth);
    c->mouth.on_piece = on_piece;
    c->mouth.on_end = on_end;
    c->mouth.speed = speed ? speed : c->mouth.speed;
    c->mouth.is_burst = oh_fault(c, SIM_FAULT_BURST);
    c->mouth.bytes_a_ms = BYTES_A_MS;
    if (oh_fault(c, SIM_FAULT_GARBAGE))
        buf_add_text(&c->mouth.bytes, TEXT("No sound comes from here today.\n"));
    if (c->is_wav || oh_fault(c, SIM_FAULT_DRIFT) || oh_fault(c, SIM_FAULT_ALIEN)) /* some servers make a WAV of everything */
        wav_head_add(&c->mouth.bytes, oh_fault(c, SIM_FAULT_ALIEN) ? 3 : 1);
    if (!err)
        err = sim_coding_write(&c->mouth.bytes, pcm, n, SIM_LINEAR, OUT_HZ);
    free(pcm);
    return err;
}

void oh_speech(struct oh_client *c, const struct http_ask *ask)
{
    cJSON *body = cJSON_ParseWithLength(ask->body.p, ask->body.n);
    const char *words = shape_word(body, "input");
    struct shape_complaint complaint;
    char json[SAID_MAX];

    openai_speech_check(body, &complaint);
    c->is_wav = strcmp(shape_word(body, "response_format"), "wav") == 0;
    if (complaint.code) {
        oh_complain(c, &complaint);
    } else if (oh_fails(c)) {
        ;                          /* as told */
    } else if (speech_make_ready(c, words)) {
        oh_refuse(c, 500, "server_error", NULL, "The stand-in cannot say this.");
    } else {
        sim_json(json, sizeof json, text_of(words));
        sim_client_moment(&c->base, "spoken", "\"path\":\"%s\",\"text\":\"%s\",\"ms\":%zu", c->path, json, c->mouth.bytes.n / BYTES_A_MS);
        oh_go(c, speech_send);
    }
    cJSON_Delete(body);
}

/* ---- transcriptions ---- */

static bool holds_speech(struct text samples, unsigned rate_hz)
{
    const size_t step = rate_hz / 1000 * STEP_MS * 2;
    struct vad_options o;
    struct vad vad;
    bool found = false;

    vad_options_default(&o);
    o.rate_hz = rate_hz;
    vad_init(&vad, &o);
    while (samples.n >= 2 && !found) {
        int16_t *pcm;
        size_t n;

        if (sim_coding_read(text_head(samples, step), SIM_LINEAR, &pcm, &n))
            return false;
        found = vad_feed(&vad, pcm, n) == VAD_START;
        free(pcm);
        samples = text_skip(samples, step);
    }
    return found;
}

/* No session tells the callers apart: behind the last line the first comes again. */
static const char *words_next(struct oh_client *c)
{
    struct sim_service *s = c->base.server;
    const char *words;

    if (s->script.heard_count == 0)
        return "something that the script does not tell";
    words = s->script.heard[s->heard % s->script.heard_count];
    s->heard += !oh_is_ruined(c);
    return words;
}

static void deltas_add(struct buf *out, struct text words)
{
    for (struct text rest = words; rest.n > 0;) {
        size_t n = 1;

        while (n < rest.n && rest.p[n] != ' ')
            n++;
        buf_add_text(out, TEXT("data: {\"type\":\"transcript.text.delta\",\"delta\":\""));
        buf_add_json(out, text_head(rest, n));
        buf_add_text(out, TEXT("\"}\n\n"));
        rest = text_skip(rest, n);
    }
    buf_add_text(out, TEXT("data: {\"type\":\"transcript.text.done\",\"text\":\""));
    buf_add_json(out, words);
    buf_add_text(out, TEXT("\"}\n\n"));
}

static void transcript_write(struct oh_client *c, const struct openai_upload *upload, struct text words, size_t ms)
{
    struct buf *out = &c->out;
    const bool is_verbose = text_eq(upload->format, TEXT("verbose_json"));

    c->type = "application/json";
    if (upload->is_streamed) {
        deltas_add(out, words);
    } else if (text_eq(upload->format, TEXT("text"))) {
        c->type = "text/plain; charset=utf-8";
        buf_add_text(out, words);
        buf_add_char(out, '\n');
    } else if (oh_fault(c, SIM_FAULT_ALIEN)) {
        buf_add_text(out, TEXT("{\"text\":{\"words\":7}}"));
    } else {
        buf_add_text(out, oh_fault(c, SIM_FAULT_DRIFT) ? TEXT("{\"mood\":[1],\"text\":\"") : TEXT("{\"text\":\""));
        buf_add_json(out, words);
        buf_addf(out, "\"%s", is_verbose ? ",\"task\":\"transcribe\",\"language\":\"english\"" : "");
        if (is_verbose)
            buf_addf(out, ",\"duration\":%zu.%03zu,\"segments\":[]", ms / 1000, ms % 1000);
        buf_addf(out, ",\"usage\":{\"type\":\"duration\",\"seconds\":%zu}}", (ms + 999) / 1000);
    }
}

void oh_transcription(struct oh_client *c, const struct http_ask *ask)
{
    struct openai_upload upload;
    struct shape_complaint complaint;
    struct text samples = TEXT_NONE, words = TEXT("");
    unsigned rate_hz = 0;
    char json[1000];
    size_t ms;

    openai_upload_check(ask->content_type, ask->body, &upload, &complaint);
    if (complaint.code || !openai_wav_check(upload.wav, &samples, &rate_hz, &complaint)) {
        oh_complain(c, &complaint);
        return;
    }
    if (oh_fails(c))
        return;
    ms = samples.n / 2 * 1000 / rate_hz;
    if (holds_speech(samples, rate_hz))
        words = text_of(words_next(c));
    sim_json(json, sizeof json, words);
    sim_client_moment(&c->base, "heard", "\"path\":\"%s\",\"text\":\"%s\",\"ms\":%zu", c->path, json, ms);
    transcript_write(c, &upload, words, ms);
    oh_go(c, upload.is_streamed ? oh_events_send : oh_whole_send);
}
