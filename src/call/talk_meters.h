/* The figures of all talks, under the names that outsiders see. Thread: made by one, counted from every loop. */
#pragma once

#include "base/metrics.h"

struct talk_meters {
    struct metric *talks, *failures, *barge_ins, *turn_seconds, *first_seconds, *phrases;
    struct series *underruns, *turns;
};

/* 0, -ENOMEM. */
int talk_meters_add(struct talk_meters *t, struct metrics *m) MUST_USE;

/* t NULL passes in all of them. provider: NULL is "other". */
void talk_meters_talks(const struct talk_meters *t, const char *provider, int64_t more);
void talk_meters_failed(const struct talk_meters *t, const char *provider, const char *kind);
void talk_meters_barge_in(const struct talk_meters *t, const char *by);
void talk_meters_turn(const struct talk_meters *t);
/* From the end of the caller's voice to the agent's first sample. */
void talk_meters_answered(const struct talk_meters *t, const char *provider, int64_t us);
/* From the beginning of the talk. */
void talk_meters_first(const struct talk_meters *t, const char *provider, int64_t us);
void talk_meters_phrase(const struct talk_meters *t, const char *why);
void talk_meters_underruns(const struct talk_meters *t, int64_t more);
