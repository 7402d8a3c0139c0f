/* Runs the tools of one conversation, some at a time, and sees that each is answered once. */
#include "call/toolbox.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

#include "base/clock.h"

struct run {
    struct run *prev, *next;
    struct toolbox *box;
    uint32_t id;
    char *name;
    int64_t started_us;
    struct timer *late;
    struct tool_run *work;
};

struct toolbox {
    struct loop *loop;
    const struct tools *tools;
    const struct timeline *timeline;
    char *call, *context;
    int64_t tool_ms;
    toolbox_on_result *on_result;
    void *arg;
    struct run *runs;
    size_t count;
    bool is_stopped;
};

static void run_free(struct run *r)
{
    DL_DELETE(r->box->runs, r);
    r->box->count--;
    timer_free(r->late);
    free(r->name);
    free(r);
}

static void tell_end(const struct toolbox *b, struct text name, int err, struct text result, int64_t started_us)
{
    const int64_t ms = (clock_mono_us() - started_us) / 1000;

    TIMELINE(b->timeline, text_of(b->call), "tool.end", kv_text("name", name), kv_text(err ? "error" : "result", result),
             kv_int("ms", ms));
}

/* The run is gone before the provider hears of it, so the same id may be used again at once. */
static void run_end(struct run *r, int err, struct text result)
{
    struct toolbox *const b = r->box;
    const uint32_t id = r->id;

    tell_end(b, text_of(r->name), err, result, r->started_us);
    run_free(r);
    b->on_result(id, err, result, b->arg);
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

static int run_start(struct toolbox *b, uint32_t id, struct text name, struct text args)
{
    struct run *r = calloc(1, sizeof *r);
    int err = -ENOMEM;

    if (!r)
        return -ENOMEM;
    r->box = b;
    r->id = id;
    r->started_us = clock_mono_us();
    DL_APPEND(b->runs, r);
    b->count++;
    r->name = text_dup(name);
    if (!r->name)
        goto fail;
    err = timer_new(&r->late, b->loop, on_late, r);
    if (err)
        goto fail;
    err = b->tools->run(b->tools->arg, &r->work, name, args, text_of(b->context), b->tool_ms, on_tool_result, r);
    if (err)
        goto fail;
    timer_start(r->late, b->tool_ms);
    return 0;
fail:
    run_free(r);
    return err;
}

static struct text refusal_text(int err)
{
    switch (err) {
    case -ENOENT:
        return TEXT("there is no tool of that name");
    case -ENOBUFS:
        return TEXT("too many tools are at work");
    default:
        return text_of(err_text(err));
    }
}

static bool is_under_way(const struct toolbox *b, uint32_t id)
{
    const struct run *r;

    DL_FOREACH(b->runs, r) {
        if (r->id == id)
            return true;
    }
    return false;
}

void toolbox_run(struct toolbox *b, uint32_t id, struct text name, struct text args)
{
    const int64_t now_us = clock_mono_us();
    int err;

    if (b->is_stopped || is_under_way(b, id))
        return;                    /* the same call twice gets the one answer that is coming */
    TIMELINE(b->timeline, text_of(b->call), "tool.start", kv_text("name", name), kv_text("args", args));
    if (!b->tools)
        err = -ENOENT;
    else if (b->count >= TOOLBOX_RUNS_MAX)
        err = -ENOBUFS;
    else
        err = run_start(b, id, name, args);
    if (!err)
        return;
    tell_end(b, name, err, refusal_text(err), now_us);
    b->on_result(id, err, refusal_text(err), b->arg);
}

void toolbox_stop(struct toolbox *b)
{
    struct run *r, *next;

    b->is_stopped = true;
    DL_FOREACH_SAFE(b->runs, r, next) {
        b->tools->stop(b->tools->arg, r->work);
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

int toolbox_new(struct toolbox **out, struct loop *l, const struct toolbox_options *opt, toolbox_on_result *on_result,
                void *arg)
{
    struct toolbox *b = calloc(1, sizeof *b);

    if (!b)
        return -ENOMEM;
    b->loop = l;
    b->tools = opt->tools;
    b->timeline = opt->timeline;
    b->tool_ms = opt->tool_ms;
    b->on_result = on_result;
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
