/* WAV files, 16-bit PCM: written as a stream (header patched at close), read whole. Blocking file I/O: tools and tests, not
 * the loop. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct wav_writer;

int wav_create(struct wav_writer **out, const char *path, unsigned rate_hz, unsigned channels) MUST_USE;
/* frames: samples per channel, interleaved. */
int wav_write(struct wav_writer *w, const int16_t *pcm, size_t frames) MUST_USE;
/* All that was written, and a header that knows it, are with the system: the file is whole if we die now. */
int wav_flush(struct wav_writer *w) MUST_USE;
int wav_close(struct wav_writer *w) MUST_USE; /* frees it whatever the result; NULL passes */

/* Whole file, 16-bit PCM, 1 or 2 channels, at most 64 MiB. *pcm is malloc'ed. 0, -ENOENT..., -EBADMSG (not such a WAV). */
int wav_load(const char *path, int16_t **pcm, size_t *frames, unsigned *rate_hz, unsigned *channels) MUST_USE;
