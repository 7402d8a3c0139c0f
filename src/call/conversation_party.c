/* The providers of a talk: what they say and wish, who follows when one fails, and how one takes over from another.
 *
 * A party that has been replaced stays until its provider has closed; what it still says is not heard. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/resample.h"
#include "base/ref.h"
#include "call/conversation_internal.h"

enum {
    RATE_RATIO_MAX = 6,            /* 8 to 48 kHz */
    PIECE = 960,                   /* samples converted at once */
};

/* The talk, when this party is the one that talks in it. */
static struct conversation *talk_of(void *arg)
{
    struct party *p = arg;
    struct conversation *c = p->talk;

    return c->party == p && talk_is_on(c) ? c : NULL;
}

void party_hear(struct party *p, const int16_t *pcm, size_t n, int64_t at_us)
{
    int16_t out[PIECE * RATE_RATIO_MAX + 1];

    if (!p->resampler) {
        provider_hear(p->provider, pcm, n, at_us);
        return;
    }
    while (n > 0) {
        const size_t piece = n < PIECE ? n : PIECE;
        const size_t made = resampler_run(p->resampler, pcm, piece, out, sizeof out / sizeof out[0]);

        provider_hear(p->provider, out, made, at_us);
        pcm += piece;
        n -= piece;
    }
}

/* ---- what a provider says ---- */

static void on_ready(void *arg)
{
    struct conversation *c = talk_of(arg);

    if (c)
        log_debug(&c->log, "provider_ready", kv_str("call", c->call));
}

static void on_audio(uint32_t item, const int16_t *pcm, size_t n, bool last, void *arg)
{
    struct conversation *c = talk_of(arg);

    if (!c)
        return;
    if (n > 0)
        patience_settle(&c->patience);
    memory_sound(&c->memory, item, n);
    if (voice_add(c->voice, item, pcm, n, last) || c->has_dropped)
        return;
    c->has_dropped = true;
    log_warn(&c->log, "playout_full", kv_str("call", c->call), kv_int("item", item));
}

static void on_agent_text(uint32_t item, struct text words, void *arg)
{
    struct conversation *c = talk_of(arg);

    if (!c)
        return;
    memory_agent(&c->memory, item, words, c->party->provider->rate_hz);
    TIMELINE(c->timeline, talk_call(c), "agent.said", kv_int("item", item), kv_text("text", words));
}

static void on_speech_started(int64_t onset_us, void *arg)
{
    struct conversation *c = talk_of(arg);

    if (!c)
        return;
    c->caller_talks = true;
    patience_settle(&c->patience);
    if (c->manner->barge_in_provider)
        talk_interrupt(c, "voice", onset_us);
}

static void on_speech_stopped(int64_t end_us, void *arg)
{
    struct conversation *c = talk_of(arg);

    (void)end_us;
    if (!c)
        return;
    c->caller_talks = false;
    patience_owe(&c->patience, wait_now_ms(c));
}

static void on_caller_text(struct text words, struct text intent, double score, bool accepted, void *arg)
{
    struct conversation *c = talk_of(arg);

    if (!c)
        return;
    if (!words.p) {
        patience_settle(&c->patience);
        return;
    }
    c->figures.turns++;
    memory_caller(&c->memory, words);
    talk_meters_turn(c->meters);
    patience_input(&c->patience);
    TIMELINE(c->timeline, talk_call(c), "caller.said", kv_text("text", words), kv_text("intent", intent),
             kv_int("score", (int64_t)score), kv_int("accepted", accepted));
}

static void on_tool_call(uint32_t id, struct text name, struct text args, void *arg)
{
    struct conversation *c = talk_of(arg);

    if (!c)
        return;
    c->figures.tools++;
    toolbox_run(((struct party *)arg)->tools, id, name, args);
}

static void on_tool_result(uint32_t id, int err, struct text result, void *arg)
{
    struct party *p = arg;
    struct conversation *c = talk_of(p);

    if (!c)
        return;
    patience_owe(&c->patience, wait_now_ms(c));
    provider_tool_result(p->provider, id, err, result);
}

static int on_tool_end(uint32_t id, enum builtin how, struct text reason, void *arg)
{
    struct conversation *c = talk_of(arg);

    return c ? talk_part_for_good(c, arg, id, how, reason) : -EALREADY;
}

static int on_tool_switch(uint32_t id, struct text agent, void *arg)
{
    struct conversation *c = talk_of(arg);

    return c ? talk_part_to(c, arg, id, agent) : -EALREADY;
}

static const struct toolbox_handlers tools_on = { .on_result = on_tool_result, .on_end = on_tool_end, .on_switch = on_tool_switch };

/* A tool's wish goes before the provider's own: that one only says that the last words were said. */
static void on_wish(enum provider_wish wish, struct text reason, void *arg)
{
    struct conversation *c = talk_of(arg);

    if (c && c->parting.is_set)
        talk_parting_go(c);
    else if (c)
        talk_wish(c, wish == PROVIDER_HANG_UP ? TALK_HANG_UP : TALK_HAND_BACK, reason);
}

/* ---- one after the other ---- */

/* The next one that can be had talks from now on. */
static int next_take_over(struct conversation *c)
{
    struct provider *next;
    int err = c->next ? c->next(&next, c->next_arg) : -ENOENT;

    if (err)
        return err;
    err = conversation_switch(c, next);
    if (err)
        provider_close(next);
    return err;
}

/* Nobody is left: the caller is told so before the call goes on elsewhere. */
static void give_up(struct conversation *c, struct text reason)
{
    if (c->manner->give_up.pcm) {
        voice_drop(c->voice);
        talk_wish(c, TALK_ERROR, reason);
        wait_say(c, &c->manner->give_up, "give_up");
        return;
    }
    talk_end(c, TALK_ERROR, reason);
}

static void on_error(enum provider_error kind, struct text detail, void *arg)
{
    struct conversation *c = talk_of(arg);
    const struct talk_manner *const was = c ? c->manner : NULL;
    char reason[TALK_REASON_MAX];
    int err;

    if (!c)
        return;
    log_error(&c->log, "provider_failed", kv_str("call", c->call), kv_str("kind", provider_error_name(kind)),
              kv_text("detail", detail));
    talk_meters_failed(c->meters, c->manner->provider, provider_error_name(kind));
    timer_start(c->party->leave, 0);
    if (c->state == TALK_WISHED || c->parting.is_set) {
        c->party = NULL;           /* what it said last is heard, and was all that was wanted of it */
        voice_finish(c->voice);
        if (c->state == TALK_TALKING)
            talk_parting_go(c);
        return;
    }
    err = next_take_over(c);
    TIMELINE(c->timeline, talk_call(c), "provider.failed", kv_str("error", provider_error_name(kind)), kv_str("next", err ? "none" : "yes"));
    if (!err) {
        wait_failed(c, &was->sorry);
        return;
    }
    if (err != -ENOENT)
        log_error(&c->log, "next_provider_failed", kv_str("call", c->call), kv_err(err));
    c->party = NULL;               /* it hears no more, either */
    snprintf(reason, sizeof reason, "provider_%s", provider_error_name(kind));
    give_up(c, text_of(reason));
}

static void on_closed(void *arg)
{
    struct party *p = arg;
    struct conversation *c = p->talk;
    const bool is_talking = c->party == p;

    p->provider = NULL;            /* provider_close took its reference */
    if (is_talking)
        c->party = NULL;
    party_free(p);
    if (is_talking)
        talk_end(c, TALK_ERROR, TEXT("provider_closed"));
    talk_side_closed(c);
}

static const struct provider_handlers provider_on = {
    .on_ready = on_ready,
    .on_audio = on_audio,
    .on_agent_text = on_agent_text,
    .on_speech_started = on_speech_started,
    .on_speech_stopped = on_speech_stopped,
    .on_caller_text = on_caller_text,
    .on_tool_call = on_tool_call,
    .on_wish = on_wish,
    .on_error = on_error,
    .on_closed = on_closed,
};

void party_close(struct party *p)
{
    if (p->is_closing)
        return;
    p->is_closing = true;
    timer_stop(p->leave);
    toolbox_stop(p->tools);
    provider_close(p->provider);
}

static void on_leave(void *arg)
{
    party_close(arg);
}

void party_start(struct party *p)
{
    struct conversation *c = p->talk;

    ref_hold(c);                   /* until it has closed: see talk_side_closed */
    c->sides++;
    c->party = p;
    provider_start(p->provider, &provider_on, p);
}

int conversation_switch(struct conversation *c, struct provider *next)
{
    struct party *const old = c->party;
    struct party *p;
    int err;

    if (c->state != TALK_TALKING)
        return -ESHUTDOWN;
    err = party_new(&p, c, next);
    if (err)
        return err;
    err = voice_switch(c->voice, next->rate_hz);
    if (err) {
        p->provider = NULL;        /* stays the caller's */
        party_free(p);
        return err;
    }
    c->caller_talks = false;
    memory_switch(&c->memory);
    provider_remember(next, &c->memory.words);
    patience_owe(&c->patience, wait_now_ms(c));
    if (old)
        timer_start(old->leave, 0);
    TIMELINE(c->timeline, talk_call(c), "talk.switch", kv_int("rate_hz", next->rate_hz));
    party_start(p);
    return 0;
}

/* ---- construction ---- */

void party_free(struct party *p)
{
    if (!p)
        return;
    timer_free(p->leave);
    toolbox_free(p->tools);
    resampler_free(p->resampler);
    free(p);
}

int party_new(struct party **out, struct conversation *c, struct provider *provider)
{
    const struct toolbox_options tools = {
        .tools = c->tools,
        .timeline = c->timeline,
        .call = talk_call(c),
        .context = text_of(c->context),
        .tool_ms = c->tool_ms,
    };
    struct party *p = calloc(1, sizeof *p);
    int err;

    if (!p)
        return -ENOMEM;
    p->talk = c;
    p->provider = provider;
    err = timer_new(&p->leave, c->loop, on_leave, p);
    if (!err && leg_rate(c->leg) != provider->rate_hz)
        err = resampler_new(&p->resampler, leg_rate(c->leg), provider->rate_hz);
    if (!err)
        err = toolbox_new(&p->tools, c->loop, &tools, &tools_on, p);
    if (err) {
        party_free(p);
        return err;
    }
    *out = p;
    return 0;
}
