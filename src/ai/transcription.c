/* Writes a transcription request, reads its answer. */
#include "ai/transcription.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "base/uuid.h"

enum { WAV_HEADER = 44, FORMAT_PCM = 1 };

static void put16(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)v;
    p[1] = (unsigned char)(v >> 8);
}

static void put32(unsigned char *p, uint32_t v)
{
    put16(p, v & 0xffff);
    put16(p + 2, v >> 16);
}

static void wav_add(struct buf *out, const int16_t *pcm, size_t n)
{
    unsigned char h[] = "RIFF....WAVEfmt ....................data....";
    char *room;

    put32(h + 4, (uint32_t)(2 * n) + WAV_HEADER - 8);
    put32(h + 16, 16);
    put16(h + 20, FORMAT_PCM);
    put16(h + 22, 1);
    put32(h + 24, STT_HZ);
    put32(h + 28, STT_HZ * 2);
    put16(h + 32, 2);
    put16(h + 34, 16);
    put32(h + 40, (uint32_t)(2 * n));
    buf_add(out, h, WAV_HEADER);
    room = buf_room(out, 2 * n);
    if (!room)
        return;
    for (size_t i = 0; i < n; i++)
        put16((unsigned char *)room + 2 * i, (uint16_t)pcm[i]);
    out->n += 2 * n;
}

static void field_add(struct buf *out, const char *boundary, const char *name, struct text value)
{
    if (value.n > 0)
        buf_addf(out, "--%s\r\nContent-Disposition: form-data; name=\"%s\"\r\n\r\n%.*s\r\n", boundary, name, TEXT_ARG(value));
}

/* As many as fit: words that are expected are what the prompt is for. */
static void prompt_write(struct buf *out, const struct stt_settings *s)
{
    for (size_t i = 0; i < s->keyterm_count; i++) {
        const struct text term = text_of(s->keyterms[i]);

        if (out->n + term.n + 2 > out->max)
            return;
        buf_addf(out, "%s%.*s", out->n > 0 ? ", " : "", TEXT_ARG(term));
    }
}

int transcription_write(struct buf *out, char header[TRANSCRIPTION_HEADER_MAX], const struct stt_settings *s, const int16_t *pcm, size_t n)
{
    char boundary[UUID_TEXT + 1];
    struct uuid id;
    struct buf prompt;

    uuid_make(&id);
    uuid_format(&id, boundary);
    snprintf(header, TRANSCRIPTION_HEADER_MAX, "Content-Type: multipart/form-data; boundary=%s", boundary);
    buf_init(&prompt, TRANSCRIPTION_PROMPT_MAX);
    prompt_write(&prompt, s);
    field_add(out, boundary, "model", text_of(s->model ? s->model : STT_OPENAI_MODEL));
    field_add(out, boundary, "response_format", TEXT("json"));
    field_add(out, boundary, "language", text_of(s->language));
    field_add(out, boundary, "prompt", buf_text(&prompt));
    /* Servers tell the format by the name's ending. */
    buf_addf(out, "--%s\r\nContent-Disposition: form-data; name=\"file\"; filename=\"speech.wav\"\r\nContent-Type: audio/wav\r\n\r\n", boundary);
    wav_add(out, pcm, n);
    buf_addf(out, "\r\n--%s--\r\n", boundary);
    if (prompt.err && !out->err)
        out->err = prompt.err;
    buf_free(&prompt);
    return out->err;
}

/* Whisper and its kin write this under silence and noise; in a phone call nobody says it. */
static bool is_made_up(struct text words)
{
    static const char *const phrases[] = { "thank you for watching", "thanks for watching", "please subscribe", "subtitles by the amara.org community" };
    struct text core = words;

    while (core.n > 0 && strchr(".!?", core.p[core.n - 1]))
        core.n--;
    for (size_t i = 0; i < sizeof phrases / sizeof *phrases; i++)
        if (text_eq_nocase(core, text_of(phrases[i])))
            return true;
    /* "[BLANK_AUDIO]", "(wind blowing)": a remark, not words. */
    return (text_starts(core, TEXT("[")) && text_ends(core, TEXT("]"))) || (text_starts(core, TEXT("(")) && text_ends(core, TEXT(")")));
}

int transcription_read(struct buf *out, struct text body)
{
    cJSON *tree = cJSON_ParseWithLength(body.p ? body.p : "", body.n);
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(tree, "text");
    int err = -EBADMSG;

    if (cJSON_IsString(v)) {
        const struct text words = text_trim(text_of(v->valuestring));

        err = is_made_up(words) ? 0 : buf_add_text(out, words);
    }
    cJSON_Delete(tree);
    return err;
}
