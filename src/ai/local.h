/* The embedded agent: energy VAD with pre-roll, closed-grammar recogniser with score zones, digits, flite with a prompt cache.
 * No key, no network. 8 kHz.
 * Time is counted in the samples that it hears: feed it while the agent speaks and while nobody does. When nothing comes for
 * half a second it takes that for silence. It keeps at most one job in the pool for its voice and one for its recogniser. */
#pragma once

#include "ai/provider.h"
#include "ai/speech.h"

struct local_options {
    const struct agent_file *agent;    /* outlives the provider */
    struct grammar *grammar;
    struct synthesiser *voice;
    struct worker_pool *pool;
};

int local_new(struct provider **out, struct loop *l, const struct local_options *opt, const struct log *log) MUST_USE;
