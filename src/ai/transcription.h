/* The request that has an utterance written down (multipart, with a WAV of 8 kHz) by OpenAI's /audio/transcriptions and servers like it, and
 * its answer. Pure but for the boundary, which is random. */
#pragma once

#include "ai/stt.h"
#include "base/buf.h"

enum {
    TRANSCRIPTION_HEADER_MAX = 100,
    TRANSCRIPTION_PROMPT_MAX = 800,   /* bytes of keyterms; the models read about 224 tokens of it, and the first go */
};

/* header: the whole Content-Type line. 0, -ENOBUFS, -ENOMEM. */
int transcription_write(struct buf *out, char header[TRANSCRIPTION_HEADER_MAX], const struct stt_settings *s, const int16_t *pcm, size_t n) MUST_USE;
/* The words, added to out; none when there was nothing but silence, or what these models make up of silence. 0, -EBADMSG (not an object with
 * a `text`), -ENOBUFS, -ENOMEM. */
int transcription_read(struct buf *out, struct text body) MUST_USE;
