/* Carries one talk between the control loop, which knows the channel, and its call loop, which holds the conversation.
 *
 *   control loop                     call loop
 *   call_loop_talk    -- begin -->   leg + provider + conversation
 *   on_end            <-- ended --   conversation over
 *   call_loop_talk_stop -- stop -->  conversation_stop
 *   free              <-- stopped -- (only after a stop: the talk lives until both answers are back) */
#include "app/call_loop.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/call_loop_parts.h"
#include "app/talk_files.h"
#include "app/tool_run.h"
#include "base/clock.h"
#include "base/ref.h"
#include "pbx/leg_audiosocket.h"
#include "pbx/leg_rtp.h"
#include "pbx/leg_websocket.h"

struct call_talk {
    struct call_loop *home;
    /* control loop's: */
    stasis_on_talk_end *on_end;
    void *end_arg;
    bool is_stopped, is_ended, stop_answered;
    /* call loop's: */
    struct call_talk *next, **link;
    struct conversation *conversation;
    struct keeper *keeper;         /* NULL: nothing of it is kept */
    size_t agent;                  /* who talks now: next_agent moves on */
    unsigned leg_hz;
    struct stasis_way way;         /* .fd is -1 once the leg has it */
    char *call, *context;
    struct tools tools;
    struct talk_after after;       /* what the talk leaves for the dialplan */
    struct stasis_talk_end end;    /* written by the call loop before "ended" is posted, read by control after */
};

static void talk_free(struct call_talk *t)
{
    free(t->call);
    free(t->context);
    free(t);
}

/* An answer must not be lost: a full queue is emptied by its loop every turn, and control never waits for us. */
static void post_surely(struct loop *l, void (*fn)(void *arg), void *arg)
{
    while (loop_post(l, fn, arg) == -ENOBUFS)
        sched_yield();
}

/* ---- back on the control loop ---- */

static void on_ended_at_control(void *arg)
{
    struct call_talk *t = arg;

    t->is_ended = true;
    t->home->talks--;
    if (!t->is_stopped) {
        t->on_end(&t->end, t->end_arg);
        talk_free(t);
    } else if (t->stop_answered) {
        talk_free(t);
    }
}

static void on_stopped_at_control(void *arg)
{
    struct call_talk *t = arg;

    t->stop_answered = true;
    if (t->is_ended)
        talk_free(t);
}

/* ---- on the call loop ---- */

static void tell_end(struct call_talk *t, const char *status, struct text reason, bool hang_up)
{
    t->end = (struct stasis_talk_end){ .status = status, .hang_up = hang_up, .after = &t->after };
    text_copy(t->end.reason, sizeof t->end.reason, reason);
    post_surely(t->home->control, on_ended_at_control, t);
}

static void unlink_live(struct call_talk *t)
{
    *t->link = t->next;
    if (t->next)
        t->next->link = t->link;
}

static void on_conversation_ended(enum talk_end how, struct text reason, const struct conversation_figures *f, void *arg)
{
    struct call_talk *t = arg;
    struct call_loop *home = t->home;

    (void)f;
    t->conversation = NULL;
    keeper_close(t->keeper);
    t->keeper = NULL;
    unlink_live(t);
    switch (how) {
    case TALK_HAND_BACK:
        tell_end(t, "OK", reason, false);
        break;
    case TALK_HANG_UP:
        tell_end(t, "OK", reason, true);
        break;
    case TALK_LEG_LOST:
        tell_end(t, "ERROR", TEXT("media_lost"), false);
        break;
    case TALK_ERROR:
        tell_end(t, "ERROR", reason.n ? reason : TEXT("provider_error"), false);
        break;
    case TALK_TIMEOUT:
        tell_end(t, "TIMEOUT", TEXT("max_duration"), false);
        break;
    case TALK_STOPPED:
        tell_end(t, "ERROR", TEXT("stopped"), false);
        break;
    }
    call_loop_check_done(home);
}

/* ---- its tools: those of the agent who talks now ---- */

static const struct agent_tools *tools_of(const struct call_talk *t)
{
    return &agents_at(t->home->agents, t->agent)->tools;
}

static const struct tool_entry *find_tool(void *arg, struct text name)
{
    const struct agent_tool *tool = agent_tools_find(tools_of(arg), name);

    return tool ? &tool->entry : NULL;
}

static const struct builtin_rules *tool_rules(void *arg)
{
    return &tools_of(arg)->rules;
}

static int run_tool(void *arg, struct tool_run **out, struct text name, struct text args, struct text context,
                    int64_t deadline_ms, tool_on_result *on_result, void *result_arg)
{
    struct call_talk *t = arg;
    const struct agent_tool *tool = agent_tools_find(tools_of(t), name);
    const struct tool_ground g = { .loop = t->home->loop, .dialer = t->home->dialer, .store = t->home->store, .call = text_of(t->call) };

    if (!tool)
        return -ENOENT;
    return tool_run_start(out, tool, tool->path ? t->home->own[t->agent].tools[tool - tools_of(t)->items] : NULL, &g, args, context, deadline_ms,
                          on_result, result_arg);
}

static void stop_tool(void *arg, struct tool_run *run)
{
    (void)arg;
    tool_run_stop(run);
}

/* A leg that nobody took: ends its carrier in order. */
static void drop_leg(struct leg *leg)
{
    leg_close(leg);
    ref_drop(leg);
}

static int provider_make(struct provider **out, struct call_loop *c, const struct agent *a, unsigned leg_hz)
{
    const struct agent_ground g = { .loop = c->loop, .leg_hz = leg_hz, .dialer = c->dialer, .voice = c->voice, .speech = c->speech, .log = &c->log };

    return a->kind->make(out, a->settings, &g);
}

/* The agent that has failed is followed by the one that its `next =` names, or by that one's next when it cannot even be made. */
static int next_agent(struct provider **out, void *arg)
{
    struct call_talk *t = arg;
    const struct agents *all = t->home->agents;

    for (int next = agents_at(all, t->agent)->next; next >= 0; next = agents_at(all, t->agent)->next) {
        const struct agent *a = agents_at(all, (size_t)next);
        const int err = provider_make(out, t->home, a, t->leg_hz);

        t->agent = (size_t)next;
        log_info(&t->home->log, "next_agent", kv_str("call", t->call), kv_str("agent", a->name), kv_err(err));
        if (!err) {
            conversation_set_manner(t->conversation, &a->manner);
            return 0;
        }
    }
    return -ENOENT;
}

/* A tool of the one who talks gives the talk to another. */
static int switch_agent(void *arg, struct text name)
{
    struct call_talk *t = arg;
    const struct agents *all = t->home->agents;
    const int i = agents_find(all, name);
    struct provider *next;
    int err = i < 0 ? -ENOENT : provider_make(&next, t->home, agents_at(all, (size_t)i), t->leg_hz);

    if (err)
        return err;
    err = conversation_switch(t->conversation, next);
    if (err) {
        provider_close(next);
        return err;
    }
    t->agent = (size_t)i;
    conversation_set_manner(t->conversation, &agents_at(all, t->agent)->manner);
    return 0;
}

static int make_leg(struct leg **out, struct call_talk *t)
{
    const struct leg_rtp_options ro = { .format = t->way.format, .peer = t->way.peer };
    const struct leg_websocket_options wo = { .format = t->way.ws_format, .is_server = t->way.is_server };
    struct call_loop *c = t->home;

    if (t->way.media == STASIS_RTP)
        return leg_rtp_new(out, c->loop, c->ticker, t->way.fd, &ro, &c->log);
    if (t->way.media == STASIS_WEBSOCKET)
        return leg_websocket_new(out, c->loop, c->ticker, t->way.fd, &wo, &c->log);
    return leg_audiosocket_new(out, c->loop, c->ticker, t->way.fd, t->way.rate_hz, &c->log);
}

/* What is kept of the talk, when its agent says so. The talk does not depend on it. */
static const struct timeline *keep(struct call_talk *t, const struct talk_manner *m)
{
    struct call_loop *c = t->home;
    const struct timeline *facts = store_timeline(c->store);
    const struct keeper_options ko = {
        .folder = talk_files_folder(c->files), .call = text_of(t->call), .wall_us = clock_wall_us(), .rate_hz = t->leg_hz,
        .has_audio = m->recording, .has_words = m->transcript, .masks = m->masks_numbers, .pool = talk_files_pool(c->files),
    };
    int err;

    if (!m->recording && !m->transcript && !m->masks_numbers)
        return facts;
    err = keeper_new(&t->keeper, c->loop, &ko, &c->log);
    if (err) {
        log_error(&c->log, "not_kept", kv_str("call", t->call), kv_err(err));
        return m->masks_numbers ? NULL : facts; /* rather nothing than numbers in clear */
    }
    if (m->recording || m->transcript)
        TIMELINE(facts, text_of(t->call), "talk.kept", kv_str("recording", m->recording ? keeper_audio_path(t->keeper) : ""),
                 kv_str("transcript", m->transcript ? keeper_words_path(t->keeper) : ""));
    return keeper_timeline(t->keeper, facts);
}

static int hold_conversation(struct call_talk *t)
{
    struct call_loop *c = t->home;
    const struct agent *a = agents_at(c->agents, t->agent);
    struct conversation_options co = {
        .call = text_of(t->call), .context = text_of(t->context), .tools = &t->tools,
        .next = next_agent, .next_arg = t,
        .max_ms = a->max_ms, .manner = &a->manner, .meters = c->meters,
    };
    struct leg *leg;
    struct provider *provider;
    int err;

    err = make_leg(&leg, t);
    if (err)
        return err;
    t->way.fd = -1;
    t->leg_hz = leg_rate(leg);
    err = provider_make(&provider, c, a, t->leg_hz);
    if (err) {
        drop_leg(leg);
        return err;
    }
    co.timeline = keep(t, &a->manner);
    co.keeper = t->keeper;
    err = conversation_start(&t->conversation, c->loop, leg, provider, &co, &c->log, on_conversation_ended, t);
    if (err) {
        drop_leg(leg);
        provider_close(provider);
        keeper_close(t->keeper);
        t->keeper = NULL;
    }
    return err;
}

static void begin_on_loop(void *arg)
{
    struct call_talk *t = arg;
    struct call_loop *c = t->home;
    int err;

    t->tools = (struct tools){ .find = find_tool, .run = run_tool, .stop = stop_tool, .rules = tool_rules, .switch_agent = switch_agent,
                               .after = &t->after, .arg = t };
    err = c->is_closing ? -ESHUTDOWN : hold_conversation(t);
    if (err) {
        if (t->way.fd >= 0)
            close(t->way.fd);
        log_error(&c->log, "talk_failed", kv_str("call", t->call), kv_err(err));
        tell_end(t, "ERROR", TEXT("no_media"), false);
        return;
    }
    t->link = &c->live;
    t->next = c->live;
    if (t->next)
        t->next->link = &t->next;
    c->live = t;
}

static void stop_on_loop(void *arg)
{
    struct call_talk *t = arg;

    if (t->conversation)
        conversation_stop(t->conversation);
    post_surely(t->home->control, on_stopped_at_control, t);
}

void call_talk_stop_all(struct call_loop *c)
{
    for (struct call_talk *t = c->live; t; t = t->next)
        conversation_stop(t->conversation);
}

/* ---- asked on the control loop ---- */

static char *make_context(const struct stasis_talk_request *req)
{
    struct buf b;

    buf_init(&b, 4096);
    buf_add_text(&b, TEXT("{\"call\":\""));
    buf_add_json(&b, text_head(req->call, 200));
    buf_add_text(&b, TEXT("\",\"caller_number\":\""));
    buf_add_json(&b, text_head(req->caller_number, 200));
    buf_add_text(&b, TEXT("\",\"caller_name\":\""));
    buf_add_json(&b, text_head(req->caller_name, 200));
    buf_add_text(&b, TEXT("\"}"));
    if (buf_cstr(&b))
        return b.p;
    buf_free(&b);
    return NULL;
}

int call_loop_talk(struct call_talk **out, struct call_loop *c, const struct stasis_talk_request *req,
                   stasis_on_talk_end *on_end, void *arg)
{
    const int agent = agents_find(c->agents, req->agent);
    struct call_talk *t = agent < 0 ? NULL : calloc(1, sizeof *t);
    int err = agent < 0 ? -ENOENT : -ENOMEM;

    if (t) {
        t->home = c;
        t->agent = (size_t)agent;
        t->way = req->way;
        t->on_end = on_end;
        t->end_arg = arg;
        t->call = text_dup(req->call);
        t->context = make_context(req);
        if (t->call && t->context)
            err = loop_post(c->loop, begin_on_loop, t);
    }
    if (err) {
        close(req->way.fd);
        if (t)
            talk_free(t);
        return err;
    }
    c->talks++;
    *out = t;
    return 0;
}

void call_loop_talk_stop(struct call_talk *t)
{
    t->is_stopped = true;
    /* Control does not wait: when the loop's queue is full the talk ends all the same, by its media channel being deleted. */
    if (loop_post(t->home->loop, stop_on_loop, t))
        t->stop_answered = true;
}
