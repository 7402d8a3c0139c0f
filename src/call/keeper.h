/* Keeps one talk: a stereo WAV (caller left, agent right, as heard) and a transcript of JSON lines. Files are written by a worker, a little at a time, and
 * are whole after each time: a daemon that is killed leaves what it had by then, readable.
 * Thread: its loop; one worker at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call/timeline.h"
#include "net/worker.h"

struct keeper;

struct keeper_options {
    const char *folder;            /* is made when it is not there */
    struct text call;              /* begins the files' names */
    int64_t wall_us;               /* when it began: goes on in them */
    unsigned rate_hz;              /* of both sides */
    bool has_audio, has_words;
    bool masks;                    /* numbers in words: see keeper_mask */
    struct worker_pool *pool;      /* of one thread: what is asked first is done first */
};

/* masks alone makes no files. -EINVAL: nothing is wanted. -ENOMEM. Nothing is written yet. */
int keeper_new(struct keeper **out, struct loop *l, const struct keeper_options *opt, const struct log *log) MUST_USE;
/* The files that will be there; NULL: it is not kept. */
const char *keeper_audio_path(const struct keeper *k);
const char *keeper_words_path(const struct keeper *k);
/* The caller's samples, as they come. */
void keeper_heard(struct keeper *k, const int16_t *pcm, size_t n);
/* The agent's samples, in the audio tick: no allocation, lock or log. What does not fit is lost and counted. */
void keeper_played(struct keeper *k, const int16_t *pcm, size_t n);
/* What is told there becomes a line of the transcript, masked, and goes on to `to`; NULL: nowhere. Lives as long as the keeper. */
const struct timeline *keeper_timeline(struct keeper *k, const struct timeline *to);
/* Writes the rest; frees itself. NULL passes. */
void keeper_close(struct keeper *k);

/* In the strings of a JSON text: digits of every number of four or more (blanks, dots, dashes and brackets may stand between them) become stars. */
void keeper_mask(char *json);
