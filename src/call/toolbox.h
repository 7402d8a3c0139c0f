/* The tools that one conversation calls: whether it may, with arguments of the right shape, each answered exactly once (by its result, its
 * refusal or its deadline), and each told as one fact `tool`. Thread: the conversation's loop. */
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
    int64_t tool_ms;               /* of tools without a deadline of their own */
};

struct toolbox_handlers {
    /* err 0: result is JSON; negative: result is one sentence. May run from inside toolbox_run. */
    void (*on_result)(uint32_t id, int err, struct text result, void *arg);
    /* A built-in tool ends the talk: hand_back, hang_up or transfer (tools.after says where to). From inside toolbox_run; no result follows.
     * 0, or -EALREADY: it is being ended. */
    int (*on_end)(uint32_t id, enum builtin how, struct text reason, void *arg);
    /* switch_agent: as above; who asked is heard to its end, then tools.switch_agent is called. */
    int (*on_switch)(uint32_t id, struct text agent, void *arg);
};

int toolbox_new(struct toolbox **out, struct loop *l, const struct toolbox_options *opt, const struct toolbox_handlers *on,
                void *arg) MUST_USE;
/* args: as the model wrote them. A call whose id is under way already is ignored. */
void toolbox_run(struct toolbox *b, uint32_t id, struct text name, struct text args);
/* Stops what is under way; nothing is answered any more. */
void toolbox_stop(struct toolbox *b);
size_t toolbox_running(const struct toolbox *b);
void toolbox_free(struct toolbox *b); /* NULL passes */
