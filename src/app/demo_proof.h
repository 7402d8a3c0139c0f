/* What must have happened in the demo's call, and whether it did: taken from what the daemon stored, what the caller heard, and what
 * Asterisk itself reported. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "call/timeline.h"

enum demo_step {
    STEP_NAMED,        /* the FastAGI look-up set the caller's name, and Asterisk says the same */
    STEP_HANDOFF,      /* the dialplan got SIDETONE_STATUS=HANDOFF */
    STEP_QUESTION,     /* the caller's question was recognised from its sound */
    STEP_TOOL,         /* the answer's facts came from a tool */
    STEP_ANSWER,       /* the caller heard the agent answer */
    STEP_BARGE_IN,     /* the caller cut in, and heard the agent stop */
    STEP_REQUEST,      /* the second request was recognised, while the answer had been running */
    STEP_BACK,         /* the dialplan went on after Stasis with SIDETONE_STATUS=OK */
    STEP_MEASURED,     /* the look-ups for the figures were made */
    STEP_CLEAN,        /* no channel and no bridge is left, the daemon ended in order */
    STEP_COUNT,
};

struct demo_proof {
    bool done[STEP_COUNT];
    bool named_by_daemon, answer_told, barge_in_told, interrupting;
    int64_t stasis_us, media_us, first_heard_us, question_end_us, answer_heard_us, cut_in_us, cut_heard_us;
    int64_t agi_p50_us, agi_p99_us, agi_commands;
};

void demo_proof_fact(struct demo_proof *p, const struct fact *f);
/* The caller's own moments: what as in sim/caller.h. */
void demo_proof_moment(struct demo_proof *p, int64_t wall_us, const char *what, const char *detail);
/* A SidetoneDemo UserEvent of Asterisk's: step "asked" "resumed" "measured". */
void demo_proof_event(struct demo_proof *p, struct text step, struct text status, struct text caller_name, struct text reason);
/* Prints each step with yes or NO, and the figures. True when all happened. */
bool demo_proof_print(const struct demo_proof *p, FILE *to);
