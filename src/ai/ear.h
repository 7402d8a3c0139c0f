/* An ear of our own: cuts a caller's utterances out of the line's samples, with 300 ms before and up to 500 ms after
 * the speech.
 * Pure; allocates at creation only. Time is counted in samples fed (8 kHz). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct ear;

enum { EAR_HZ = 8000, EAR_LEAD_MS = 300, EAR_TAIL_MS = 500, EAR_SILENCE_MS = 600, EAR_SPEECH_MAX_MS = 8000 };

struct ear_options {   /* 0 = the usual */
    int silence_ms;      /* that ends speech: EAR_SILENCE_MS; 100 at least */
    int speech_max_ms;   /* EAR_SPEECH_MAX_MS; 1 s to 60 s */
};

enum ear_event {
    EAR_NONE,
    EAR_STARTED,     /* speech that counts has begun */
    EAR_STOPPED,     /* it ended: by silence, or it was as long as it may be. Only after EAR_STARTED */
};

/* opt: NULL = the usual. 0, -EINVAL, -ENOMEM. */
int ear_new(struct ear **out, const struct ear_options *opt) MUST_USE;
void ear_free(struct ear *e); /* NULL passes */
/* Takes samples until something happens or all are taken; *used tells how many. at_us: time of pcm[0].
 * need_ms: speech counts from this length (0: as soon as it is speech); negative: it does not count now. */
enum ear_event ear_feed(struct ear *e, const int16_t *pcm, size_t n, int64_t at_us, int need_ms, size_t *used);
int64_t ear_onset_us(const struct ear *e);  /* after EAR_STARTED */
int64_t ear_end_us(const struct ear *e);    /* after EAR_STOPPED */
int ear_voiced_ms(const struct ear *e);     /* of the last utterance, after EAR_STOPPED */
/* The utterance, after EAR_STOPPED, until the next feed. n 0: it was discarded. */
const int16_t *ear_utterance(const struct ear *e, size_t *n);
/* What is being said now is not wanted (a digit came); EAR_STOPPED still follows EAR_STARTED. */
void ear_discard(struct ear *e);
bool ear_is_quiet(const struct ear *e);
