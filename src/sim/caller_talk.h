/* The test caller's side of one call without its connection: follows the script, hears, tells moments. No clock, no socket:
 * positions (samples since the connection) are handed in, so a test turns the time. */
#pragma once

#include "sim/caller.h"

enum { TALK_RATE = 8000, TALK_FRAME = 160, TALK_FRAME_US = 20000, TALK_SAMPLE_US = 125, TALK_DETAIL_MAX = 256 };

struct caller_talk;
struct caller_tape;

/* at: position of what is told. May run inside any call but caller_talk_new. */
typedef void caller_talk_on_moment(int64_t at, const char *what, const char *detail, void *arg);

/* Synthesises and loads every clip: blocking. tape: borrowed, may be NULL. problem (malloc'ed) names the step's line. */
int caller_talk_new(struct caller_talk **out, const struct caller_step *steps, size_t count, const char *voice,
                    struct caller_tape *tape, caller_talk_on_moment *on_moment, void *arg, char **problem) MUST_USE;
void caller_talk_free(struct caller_talk *t); /* NULL passes */

/* The next 20 ms to say, at a position that never goes back. 1: the frame counts; 0: the script wants to hang up;
 * -ETIMEDOUT: a wait ran out ("failed" was told). */
int caller_talk_tick(struct caller_talk *t, int64_t at, int16_t frame[TALK_FRAME]) MUST_USE;
/* Samples that came in one go at `now`: the last 20 ms of them have just been sent, those before waited for us. */
void caller_talk_hear(struct caller_talk *t, int64_t now, const int16_t *pcm, size_t n);
/* The other side ended the call: 0 when the script was ready for that, else -ECONNRESET. Tells "hangup" (and "failed"). */
int caller_talk_end(struct caller_talk *t, int64_t now) MUST_USE;
/* First position after all that was said and heard. */
int64_t caller_talk_length(const struct caller_talk *t);
/* Samples thrown away because more came than time had passed. */
uint64_t caller_talk_surplus(const struct caller_talk *t);
