/* /v1/speak: Aura, text to speech over a WebSocket: Speak, Flush, Clear, Close. */
#include <stdio.h>
#include <string.h>

#include "sim/deepgram_inner.h"

enum { FLUSHES_A_MINUTE = 20, SPOKEN_UNASKED = 400, IDLE_MS = 60 * 60 * 1000 };

static const struct dg_parameter parameters[] = {
    { .name = "model", .value = DG_WORD, .begins = "aura-" },
    { .name = "encoding", .value = DG_ENCODING, .begins = "linear16 mulaw alaw" },
    { .name = "sample_rate", .value = DG_NUMBER, .least = 8000, .most = 48000 },
    { .name = "container", .value = DG_WORD, .begins = "none" },
    { .name = "speed", .value = DG_NUMBER, .least = 0.5, .most = 2 },
    { .name = "mip_opt_out", .value = DG_SWITCH },
    { .name = "tag", .value = DG_WORD },
    { .name = NULL },
};

static const struct shape_field plain[] = { { "type", SHAPE_STRING, 1, 0 }, { .name = NULL } };
static const struct shape_field speak[] = { { "type", SHAPE_STRING, 1, 0 }, { "text", SHAPE_STRING, 1, 0 }, { .name = NULL } };

static const struct shape_field *fields_of(const char *type)
{
    if (strcmp(type, "Speak") == 0)
        return speak;
    return strcmp(type, "Flush") == 0 || strcmp(type, "Clear") == 0 || strcmp(type, "Close") == 0 ? plain : NULL;
}

/* ---- audio ---- */

/* Flushes up to here are over. */
static void marks_tell(struct dg_client *c, size_t at)
{
    size_t passed = 0;

    while (passed < c->speak.mark_count && c->speak.marks[passed] <= at) {
        passed++;
        dg_send(c, "Flushed", "\"sequence_id\":%u", c->speak.flushes++);
    }
    c->speak.mark_count -= passed;
    memmove(c->speak.marks, c->speak.marks + passed, c->speak.mark_count * sizeof *c->speak.marks);
}

static bool on_piece(const unsigned char *bytes, size_t n, void *arg)
{
    struct dg_client *c = arg;

    if (!c->base.ws || c->is_struck)
        return false;
    if (c->base.fault == SIM_FAULT_GARBAGE)
        sim_client_send(&c->base, TEXT("\x01\x02 no JSON {"));
    else if (websocket_send(c->base.ws, false, text_make(bytes, n)))
        dg_complain(c, "queue_full", "audio", "The client does not read.");
    if (c->mouth.at >= DG_FAULT_AT_MS * c->mouth.bytes_a_ms && dg_strike(c))
        return false;
    marks_tell(c, c->mouth.at < c->mouth.bytes.n ? c->mouth.at : 0); /* the last ones by on_end */
    return true;
}

static void on_end(void *arg)
{
    marks_tell(arg, SIZE_MAX);
}

static void text_say(struct dg_client *c)
{
    char json[1000];
    const size_t before = c->mouth.bytes.n;

    if (c->speak.n == 0)
        return;
    c->speak.text[c->speak.n] = '\0';
    if (!dg_speech_add(c, c->speak.text))
        dg_close(c, 1011, "NET-0000", "internal server error");
    sim_json(json, sizeof json, text_of(c->speak.text));
    sim_client_moment(&c->base, "spoken", "\"text\":\"%s\",\"ms\":%zu", json, (c->mouth.bytes.n - before) / c->mouth.bytes_a_ms);
    c->speak.n = 0;
}

/* ---- what the client says ---- */

static void speak_take(struct dg_client *c, const char *words)
{
    const size_t n = strlen(words);

    if (c->base.fault == SIM_FAULT_NO_MONEY) {
        dg_close(c, 1008, "DATA-0001", "too many characters in the time window");
    } else if (n > DG_SPEAK_MAX || c->speak.n + n + 1 > DG_TEXT_MAX) {
        dg_complain(c, "BIG-0001", "Speak", "The text is too long.");
        dg_close(c, 1009, "BIG-0001", "the text is too large");
    } else {
        memcpy(c->speak.text + c->speak.n, words, n);
        c->speak.n += n;
        if (c->speak.n > SPOKEN_UNASKED) {
            text_say(c);
            mouth_go(&c->mouth);
        }
    }
}

static void flush_take(struct dg_client *c)
{
    const int64_t now = loop_now_ms(c->base.server->loop);

    if (c->base.fault == SIM_FAULT_FAILED) {
        dg_close(c, 1011, "NET-0002", "sending failed");
        return;
    }
    if (c->base.fault == SIM_FAULT_ERROR)
        dg_send(c, "Warning", "\"code\":\"AS_TOLD\",\"description\":\"the stand-in warns as told\"");
    if (c->speak.in_minute == 0 || now - c->speak.minute_ms >= 60000) {
        c->speak.minute_ms = now;
        c->speak.in_minute = 0;
    }
    if (++c->speak.in_minute > FLUSHES_A_MINUTE || c->speak.mark_count == DG_MARKS) {
        dg_complain(c, "EXCESSIVE_FLUSH", "Flush", "More than 20 in a minute.");
        dg_send(c, "Warning", "\"code\":\"EXCESSIVE_FLUSH\",\"description\":\"Exceeded the maximum number of flushes in the last 60 seconds\"");
        return;
    }
    text_say(c);
    c->speak.marks[c->speak.mark_count++] = c->mouth.bytes.n;
    if (mouth_is_busy(&c->mouth))
        mouth_go(&c->mouth);
    else
        marks_tell(c, SIZE_MAX);
}

static void clear_take(struct dg_client *c)
{
    const size_t left_ms = (c->mouth.bytes.n - c->mouth.at) / c->mouth.bytes_a_ms;
    char late[160];

    if (left_ms > 0) {             /* what was under way already */
        memset(late, 0x55, sizeof late);
        if (websocket_send(c->base.ws, false, text_make(late, sizeof late)))
            dg_complain(c, "queue_full", "audio", "The client does not read.");
    }
    mouth_hush(&c->mouth);
    c->speak.mark_count = 0;
    c->speak.n = 0;
    dg_send(c, "Cleared", "\"sequence_id\":%u", c->speak.clears++);
    sim_client_moment(&c->base, "cleared", "\"left_ms\":%zu", left_ms);
}

static void on_text(struct dg_client *c, const cJSON *message)
{
    const char *type = shape_word(message, "type");
    struct shape_complaint complaint = { .code = NULL };

    if (!message || !fields_of(type)) {
        dg_complain(c, "DATA-0000", type, "No message of this endpoint.");
        dg_close(c, 1008, "DATA-0000", "the message is unknown");
        return;
    }
    shape_check(message, fields_of(type), NULL, "", &complaint);
    if (complaint.code) {
        dg_complain(c, complaint.code, complaint.param, complaint.message);
        dg_close(c, 1008, "DATA-0000", complaint.message);
    } else if (strcmp(type, "Speak") == 0) {
        speak_take(c, shape_word(message, "text"));
    } else if (strcmp(type, "Flush") == 0) {
        flush_take(c);
    } else if (strcmp(type, "Clear") == 0) {
        clear_take(c);
    } else {
        websocket_close(c->base.ws, 1000, NULL);
    }
}

static void on_audio(struct dg_client *c, struct text bytes)
{
    (void)bytes;
    dg_complain(c, "MESSAGE-0000", "binary", "There is no binary message here.");
    dg_close(c, 1003, "MESSAGE-0000", "the frame has the wrong type");
}

static void on_target(struct dg_client *c, const struct dg_query *q)
{
    c->out = SIM_LINEAR;
    sim_coding_parse(dg_query_word(q, "encoding"), &c->out);
    c->out_hz = (unsigned)dg_query_number(q, "sample_rate", c->out == SIM_LINEAR ? 24000 : 8000);
    c->mouth.on_piece = on_piece;
    c->mouth.on_end = on_end;
    dg_mouth_open(c);
}

static void on_hello(struct dg_client *c)
{
    dg_send(c, "Metadata", "\"request_id\":\"request_%u\",\"model_name\":\"aura-2-thalia-en\",\"model_version\":\"none\",\"model_uuid\":\"none\"", c->base.number);
    c->is_ready = true;
}

static void on_idle(struct dg_client *c)
{
    dg_close(c, 1011, "NET-0001", "no text came in time");
}

const struct dg_endpoint dg_speak = {
    .path = "/v1/speak", .parameters = parameters, .on_target = on_target, .on_hello = on_hello, .on_text = on_text, .on_audio = on_audio,
    .fields_of = fields_of, .on_idle = on_idle, .idle_ms = IDLE_MS,
};
