/* What a bought voice said once is not bought again: samples by words, for all calls of one agent. Bounded; the longest unused go. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct tts_cache;

enum { TTS_CACHE_WORDS_MAX = 300 };

int tts_cache_new(struct tts_cache **out, size_t bytes_max) MUST_USE;
void tts_cache_free(struct tts_cache *c); /* NULL passes */
/* A copy, malloc'ed. -ENOENT, -ENOMEM. */
int tts_cache_get(struct tts_cache *c, struct text words, int16_t **pcm, size_t *n) MUST_USE;
/* Keeps a copy, if there is memory for it and it is not too long. */
void tts_cache_put(struct tts_cache *c, struct text words, const int16_t *pcm, size_t n);
