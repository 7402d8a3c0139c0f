/* The flight recorder of one session: keeps its tape, and hands it over when the session is done. Thread: the session's loop. */
#pragma once

#include "call/recording.h"
#include "pbx/agi_session.h"
#include "route/mask.h"
#include "route/tape.h"

struct recorder_options {
    const char *route;
    unsigned keep;             /* recordings of this route that stay; 0 = 1000 */
    bool masks;                /* callers' numbers are hidden in what is kept */
};

struct recorder;

/* Watches the session from its complete environment on. NULL when memory is short. */
struct recorder *recorder_new(struct agi_session *s) MUST_USE;
/* The session's tape, numbers in clear; borrowed (ref_hold keeps it). */
struct tape *recorder_tape(struct recorder *r);
const struct mask *recorder_mask(const struct recorder *r);
/* script_on_asked: arg is the recorder. */
void recorder_note(struct text question, struct text answer, void *arg);
/* The session is done. Closes the tape. */
void recorder_end(struct recorder *r, enum agi_end status, struct text reason);
/* After recorder_end: 0, or -ENOBUFS (the sink is full), -ENOMEM: then the recording is lost. */
int recorder_keep(const struct recorder *r, const struct recorder_options *opt, struct text call, const struct recording_sink *sink) MUST_USE;
void recorder_free(struct recorder *r); /* NULL passes */
