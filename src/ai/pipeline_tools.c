/* Carries the calls of a pipeline's model to the conversation, and the results back into what the model knows. */
#include <errno.h>
#include <stdlib.h>

#include "ai/pipeline_internal.h"

#include "ai/tool_answer.h"

enum {
    ROUNDS_MAX = 8,                /* of calls in one turn; then they are refused, and then it is a fault */
    RESULT_MAX = 16 * 1024,
};

static void slot_free(struct pipeline_tool_call *slot)
{
    free(slot->id);
    free(slot->name);
    free(slot->arguments);
    *slot = (struct pipeline_tool_call){ .number = 0 };
}

void pipeline_tools_free(struct pipeline *p)
{
    for (size_t i = 0; i < PIPELINE_TOOLS_MAX; i++)
        slot_free(&p->tools[i]);
}

static struct pipeline_tool_call *slot_numbered(struct pipeline *p, uint32_t number)
{
    for (size_t i = 0; number > 0 && i < PIPELINE_TOOLS_MAX; i++)
        if (p->tools[i].number == number)
            return &p->tools[i];
    return NULL;
}

/* ---- results ---- */

void pipeline_tool_answer(struct pipeline *p, uint32_t number, int err, struct text result)
{
    struct pipeline_tool_call *slot = slot_numbered(p, number);
    struct buf b;

    if (!slot)
        return;
    buf_init(&b, RESULT_MAX);
    tool_answer_write(&b, err, result);
    if (chat_history_add_call(&p->history, text_of(slot->id), text_of(slot->name), text_of(slot->arguments), buf_text(&b)))
        log_warn(&p->log, "result_lost", kv_str("tool", slot->name));
    buf_free(&b);
    slot_free(slot);
    if (--p->tools_open == 0)
        timer_stop(p->tools_late);
    p->wants_answer = true;
    pipeline_ask(p);
}

void pipeline_on_tools_late(struct pipeline *p)
{
    if (!pipeline_is_on(p))
        return;
    log_warn(&p->log, "tools_lost", kv_int("count", p->tools_open));
    for (size_t i = 0; i < PIPELINE_TOOLS_MAX; i++)
        if (p->tools[i].number)
            pipeline_tool_answer(p, p->tools[i].number, -ETIMEDOUT, TEXT("the tool did not answer"));
}

/* ---- calls ---- */

static int slot_fill(struct pipeline *p, struct pipeline_tool_call *slot, const struct chat_call *call)
{
    *slot = (struct pipeline_tool_call){ .number = p->tool_number + 1, .id = text_dup(text_of(call->id)), .name = text_dup(text_of(call->name)),
                                         .arguments = text_dup(buf_text(&call->arguments)) };
    if (!slot->id || !slot->name || !slot->arguments) {
        slot_free(slot);
        return -ENOMEM;
    }
    p->tool_number++;
    p->tools_open++;
    return 0;
}

static bool slots_fill(struct pipeline *p, const struct chat_call *calls, size_t count)
{
    for (size_t i = 0; i < count && i < PIPELINE_TOOLS_MAX; i++)
        if (slot_fill(p, &p->tools[i], &calls[i]))
            return false;
    return true;
}

/* One after the other: some are answered from inside, one may end the talk. */
static void calls_tell(struct pipeline *p)
{
    const bool is_refused = p->rounds > ROUNDS_MAX;

    for (size_t i = 0; i < PIPELINE_TOOLS_MAX && pipeline_is_on(p) && !p->is_parting; i++) {
        const struct pipeline_tool_call *slot = &p->tools[i];

        if (!slot->number)
            continue;
        p->figures.tools++;
        if (is_refused)
            pipeline_tool_answer(p, slot->number, -EBUSY, TEXT("too many calls in one turn; answer the caller now"));
        else
            p->base.on->on_tool_call(slot->number, text_of(slot->name), text_of(slot->arguments), p->base.arg);
    }
}

/* Nothing is asked while tools are open, so all places are free. */
void pipeline_calls_take(struct pipeline *p, const struct chat_call *calls, size_t count)
{
    p->rounds++;
    if (p->rounds > ROUNDS_MAX)
        log_warn(&p->log, "tools_over", kv_int("rounds", p->rounds));
    if (p->rounds > ROUNDS_MAX + 1) {
        pipeline_fail(p, PROVIDER_SERVER, "the model calls tools and does not answer");
        return;
    }
    if (!slots_fill(p, calls, count)) {
        pipeline_fail(p, PROVIDER_SERVER, err_text(-ENOMEM));
        return;
    }
    timer_start(p->tools_late, p->opt->tools_ms);
    p->is_taking_calls = true;
    calls_tell(p);
    p->is_taking_calls = false;
    if (p->tools_open == 0)
        timer_stop(p->tools_late);
    pipeline_ask(p);
}

/* ---- the last call ---- */

bool pipeline_farewell(struct pipeline *p, uint32_t number)
{
    struct pipeline_tool_call *slot = slot_numbered(p, number);

    if (!slot || p->is_parting)
        return false;
    slot_free(slot);
    p->tools_open--;
    p->is_parting = true;
    p->wants_answer = false;
    timer_stop(p->keys);
    timer_stop(p->turn);
    llm_cancel(p->llm);
    return pipeline_is_speaking(p);
}
