/* The tools that one conversation has under way: each answered exactly once, by its result, its refusal or its deadline.
 * Thread: the conversation's loop. */
#pragma once

#include <stddef.h>

#include "call/timeline.h"
#include "call/tools.h"
#include "net/loop.h"

struct toolbox;

enum { TOOLBOX_RUNS_MAX = 8 };

struct toolbox_options {
    const struct tools *tools;     /* may be NULL: every call fails with a sentence */
    const struct timeline *timeline;
    struct text call, context;     /* copied */
    int64_t tool_ms;
};

/* err 0: result is JSON; negative: result is one sentence. May run from inside toolbox_run. */
typedef void toolbox_on_result(uint32_t id, int err, struct text result, void *arg);

int toolbox_new(struct toolbox **out, struct loop *l, const struct toolbox_options *opt, toolbox_on_result *on_result,
                void *arg) MUST_USE;
/* A call whose id is under way already is ignored. */
void toolbox_run(struct toolbox *b, uint32_t id, struct text name, struct text args);
/* Stops what is under way; nothing is answered any more. */
void toolbox_stop(struct toolbox *b);
size_t toolbox_running(const struct toolbox *b);
void toolbox_free(struct toolbox *b); /* NULL passes */
