/* Runs the tools of one conversation, some at a time, and sees that each call is allowed, answered once and written down. */
#include "call/toolbox.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include <cjson/cJSON.h>

#include "base/clock.h"
#include "call/tool_args.h"

/* One call, from the model's words to the fact that tells of it. */
struct call {
    uint32_t id;
    char *name, *args;             /* args: checked, written again */
    const struct tool_entry *entry; /* NULL: not on the list */
    int64_t started_us;
};

struct run {
    struct run *prev, *next;
    struct toolbox *box;
    struct call call;
    struct timer *late;
    struct tool_run *work;
};

struct toolbox {
    struct loop *loop;
    const struct tools *tools;
    const struct timeline *timeline;
    char *call, *context;
    int64_t tool_ms;
    const struct toolbox_handlers *on;
    void *arg;
    struct run *runs;
    size_t count;
    bool is_stopped;
};

static void call_free(struct call *c)
{
    free(c->name);
    free(c->args);
}

static void run_free(struct run *r)
{
    DL_DELETE(r->box->runs, r);
    r->box->count--;
    timer_free(r->late);
    call_free(&r->call);
    free(r);
}

/* ---- the fact ---- */

static const char *outcome_of(int err)
{
    switch (err) {
    case 0:
        return "ok";
    case -ETIMEDOUT:
        return "timeout";
    case -ECANCELED:
        return "stopped";
    case -EACCES:
    case -EINVAL:
    case -ENOENT:
        return "refused";
    default:
        return "failed";
    }
}

/* outcome: why is absent when it is "ok". */
static void tell(const struct toolbox *b, struct call *c, const char *outcome, struct text why, size_t result_bytes)
{
    /* Of a name that is on no list nobody has said that its numbers may be kept. */
    if (c->args && (!c->entry || c->entry->is_masked))
        tool_args_mask(c->args);
    TIMELINE(b->timeline, text_of(b->call), "tool", kv_text("name", text_head(text_of(c->name), 100)), kv_str("arguments", c->args),
             kv_str("outcome", outcome), kv_text("why", why), kv_int("result_bytes", (int64_t)result_bytes),
             kv_int("ms", (clock_mono_us() - c->started_us) / 1000));
}

/* Answers a call that is not under way (any more), and forgets it. */
static void answer(struct toolbox *b, struct call *c, const char *outcome, int err, struct text result)
{
    const uint32_t id = c->id;

    tell(b, c, outcome, err ? result : TEXT_NONE, err ? 0 : result.n);
    call_free(c);
    b->on->on_result(id, err, result, b->arg);
}

/* ---- those that take time ---- */

/* The run is gone before the provider hears of it, so the same id may be used again at once. */
static void run_end(struct run *r, int err, struct text result)
{
    struct toolbox *const b = r->box;
    struct call c = r->call;

    r->call = (struct call){ .id = c.id };
    run_free(r);
    answer(b, &c, err == 0 ? "ok" : err == -ETIMEDOUT ? "timeout" : "failed", err, result);
}

static void on_tool_result(int err, struct text result, void *arg)
{
    run_end(arg, err, result);
}

static void on_late(void *arg)
{
    struct run *r = arg;

    r->box->tools->stop(r->box->tools->arg, r->work);
    run_end(r, -ETIMEDOUT, TEXT("the tool did not answer in time"));
}

/* On success the call is the run's. */
static int run_start(struct toolbox *b, const struct call *c)
{
    const int64_t deadline_ms = c->entry->deadline_ms ? c->entry->deadline_ms : b->tool_ms;
    struct run *r = calloc(1, sizeof *r);
    int err;

    if (!r)
        return -ENOMEM;
    r->box = b;
    DL_APPEND(b->runs, r);
    b->count++;
    err = timer_new(&r->late, b->loop, on_late, r);
    if (!err)
        err = b->tools->run(b->tools->arg, &r->work, text_of(c->name), text_of(c->args), text_of(b->context), deadline_ms, on_tool_result, r);
    if (err) {
        run_free(r);
        return err;
    }
    r->call = *c;
    timer_start(r->late, deadline_ms);
    return 0;
}

static struct text refusal_text(int err)
{
    switch (err) {
    case -ENOENT:
        return TEXT("there is no such tool");
    case -ENOBUFS:
        return TEXT("too many tools are at work");
    case -EALREADY:
        return TEXT("the conversation is ending already");
    default:
        return text_of(err_text(err));
    }
}

static void run(struct toolbox *b, struct call *c)
{
    const int err = b->count >= TOOLBOX_RUNS_MAX ? -ENOBUFS : run_start(b, c);

    if (err)
        answer(b, c, outcome_of(err), err, refusal_text(err));
}

/* ---- those that are built in ---- */

static void transfer_keep(struct talk_after *after, const struct builtin_target *to)
{
    text_copy(after->context, sizeof after->context, text_of(to->context));
    text_copy(after->extension, sizeof after->extension, text_of(to->extension));
    text_copy(after->priority, sizeof after->priority, text_of(to->priority));
}

static int act(struct toolbox *b, uint32_t id, const struct builtin_act *a)
{
    int err;

    switch (a->what) {
    case BUILTIN_HAND_BACK:
    case BUILTIN_HANG_UP:
        return b->on->on_end(id, a->what, text_of(a->reason), b->arg);
    case BUILTIN_TRANSFER:
        err = b->on->on_end(id, a->what, text_of(a->reason), b->arg);
        if (!err)
            transfer_keep(b->tools->after, &a->to);
        return err;
    case BUILTIN_SET_VARIABLE:
        return talk_after_set(b->tools->after, a->name, a->value);
    case BUILTIN_SWITCH_AGENT:
        return b->on->on_switch(id, a->name, b->arg);
    case BUILTIN_NONE:
    case BUILTIN_TAKE_MESSAGE:
    case BUILTIN_COUNT:
        break;
    }
    return -ENOENT;
}

/* Only what set a variable is answered: the others are the end of who asked. */
static void carry_out(struct toolbox *b, struct call *c, const cJSON *args)
{
    struct builtin_act a;
    char why[BUILTIN_WHY_MAX] = "";
    int err = builtin_read(&a, c->entry->builtin, b->tools->rules(b->tools->arg), args, why);

    if (err) {
        answer(b, c, "refused", err, text_of(why));
        return;
    }
    err = act(b, c->id, &a);
    if (err) {
        answer(b, c, outcome_of(err), err, refusal_text(err));
    } else if (a.what == BUILTIN_SET_VARIABLE) {
        answer(b, c, "ok", 0, TEXT("{\"ok\":true}"));
    } else {
        tell(b, c, "ok", TEXT_NONE, 0);
        call_free(c);
    }
}

/* ---- a call ---- */

static bool is_under_way(const struct toolbox *b, uint32_t id)
{
    const struct run *r;

    DL_FOREACH(b->runs, r) {
        if (r->call.id == id)
            return true;
    }
    return false;
}

/* Allow-list and shape. 0: c is ready to run. */
static int check(const struct toolbox *b, struct call *c, struct text raw, cJSON **args, char why[SCHEMA_WHY_MAX])
{
    const char *fault = NULL;
    int err = tool_args_read(args, raw, &fault);

    c->entry = b->tools ? b->tools->find(b->tools->arg, text_of(c->name)) : NULL;
    c->args = err ? text_dup(text_head(raw, TOOL_ARGS_MAX)) : tool_args_write(*args);
    text_copy(why, SCHEMA_WHY_MAX, c->entry ? text_of(fault) : refusal_text(-ENOENT));
    if (!c->args)
        return -ENOMEM;
    if (!c->entry)
        return -ENOENT;
    if (!err && c->entry->schema && !schema_accepts(c->entry->schema, *args, why))
        err = -EINVAL;
    return err;
}

void toolbox_run(struct toolbox *b, uint32_t id, struct text name, struct text args)
{
    struct call c = { .id = id, .started_us = clock_mono_us() };
    char why[SCHEMA_WHY_MAX] = "";
    cJSON *tree = NULL;
    int err;

    if (b->is_stopped || is_under_way(b, id))
        return;                    /* the same call twice gets the one answer that is coming */
    c.name = text_dup(name.p ? name : TEXT(""));
    err = c.name ? check(b, &c, args, &tree, why) : -ENOMEM;
    if (err)
        answer(b, &c, outcome_of(err), err, err == -ENOMEM ? refusal_text(err) : text_of(why));
    else if (c.entry->builtin == BUILTIN_NONE || c.entry->builtin == BUILTIN_TAKE_MESSAGE)
        run(b, &c);
    else
        carry_out(b, &c, tree);
    cJSON_Delete(tree);
}

void toolbox_stop(struct toolbox *b)
{
    struct run *r, *next;

    b->is_stopped = true;
    DL_FOREACH_SAFE(b->runs, r, next) {
        b->tools->stop(b->tools->arg, r->work);
        tell(b, &r->call, "stopped", TEXT_NONE, 0);
        run_free(r);
    }
}

size_t toolbox_running(const struct toolbox *b)
{
    return b->count;
}

void toolbox_free(struct toolbox *b)
{
    if (!b)
        return;
    toolbox_stop(b);
    free(b->call);
    free(b->context);
    free(b);
}

int toolbox_new(struct toolbox **out, struct loop *l, const struct toolbox_options *opt, const struct toolbox_handlers *on, void *arg)
{
    struct toolbox *b = calloc(1, sizeof *b);

    if (!b)
        return -ENOMEM;
    b->loop = l;
    b->tools = opt->tools;
    b->timeline = opt->timeline;
    b->tool_ms = opt->tool_ms;
    b->on = on;
    b->arg = arg;
    b->call = text_dup(opt->call.p ? opt->call : TEXT(""));
    b->context = text_dup(opt->context.p ? opt->context : TEXT("{}"));
    if (!b->call || !b->context) {
        toolbox_free(b);
        return -ENOMEM;
    }
    *out = b;
    return 0;
}
