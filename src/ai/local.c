/* The embedded agent: hears the line, and hands on what it heard and what its workers made of it.
 *
 *   samples -> ear -> utterance -> recogniser (worker) -> judge -> accept | ask | reject
 *   digit ---------------------------------------------------------^
 *   accept -> tool -> tool_result -> say -> synthesiser (worker) -> on_audio pieces -> wish
 *
 * Handlers run from the pump (a timer of 0 ms) and from workers' answers, never from inside a call of the conversation. */
#include "ai/local.h"

#include <errno.h>
#include <stdlib.h>

#include "ai/answer.h"
#include "ai/local_internal.h"

static struct local *local_of(struct provider *base)
{
    return (struct local *)base;
}

bool local_is_live(const struct local *p)
{
    return p->ready && !p->over && !p->closed;
}

/* ---- events: what cannot be told from inside a call ---- */

void local_event_add(struct local *p, struct event e)
{
    if (p->event_count == EVENTS) {
        log_warn(&p->log, "event_dropped", kv_int("kind", e.kind));
        return;
    }
    p->events[(p->event_first + p->event_count++) % EVENTS] = e;
    timer_start(p->pump, 0);
}

/* ---- hearing ---- */

static void on_recognised(int err, int intent, const char *words, double score, void *arg)
{
    struct local *p = arg;

    p->recognising = false;
    local_drain(p);
    if (!local_is_live(p) || p->asked_turn != p->turn)
        return;
    if (err) {
        log_warn(&p->log, "recogniser_failed", kv_err(err));
        local_reject(p);
        return;
    }
    const bool is_idle_talk = intent == RECOGNISED_NOTHING || (intent < 0 && p->asked < 0);
    if (is_idle_talk && p->voiced_ms < NOISE_MS && !p->was_cut)
        return;
    local_judge(p, intent, text_of(words), score);
}

static void utterance_submit(struct local *p)
{
    size_t n = 0;
    const int16_t *pcm = ear_utterance(p->ear, &n);

    if (n == 0)
        return;
    const int err = recogniser_submit(p->recogniser, pcm, n, on_recognised, p);
    if (err) {
        log_warn(&p->log, "utterance_dropped", kv_err(err));
        if (err != -EBUSY) /* busy: the one before will be answered */
            local_event_add(p, (struct event){.kind = EVENT_UNHEARD});
        return;
    }
    p->recognising = true;
    p->asked_turn = p->turn;
    p->voiced_ms = ear_voiced_ms(p->ear);
}

/* How long speech must be to count now; negative: it does not. */
static int need_ms(const struct local *p)
{
    if (!p->sounding)
        return 0;
    return p->agent->barge_in_voice ? (int)p->agent->barge_in_ms : -1;
}

static void no_input(struct local *p)
{
    p->idle = 0;
    p->silences++;
    log_info(&p->log, "no_input", kv_int("times", p->silences));
    if (p->silences >= SILENCES_MAX)
        local_give_up(p, TEXT("no_input"));
    else
        local_say_text(p, p->agent->no_input);
}

/* Deadlines, in samples: they pass as the call passes. */
static void time_pass(struct local *p, int64_t n)
{
    if (p->sounding && (p->sounding_left -= n) <= 0)
        p->sounding = 0;
    if (p->tool_intent >= 0 && (p->tool_left -= n) <= 0) {
        const struct agent_intent *in = &p->agent->intents[p->tool_intent];
        log_warn(&p->log, "tool_lost", kv_text("tool", in->tool));
        p->tool_intent = -1;
        local_answer(p, in, in->failed);
    }
    const bool waits =
        !p->sounding && !p->job && p->tool_intent < 0 && !p->recognising && p->event_count == 0 && ear_is_quiet(p->ear);
    p->idle = waits ? p->idle + n : 0;
    if (p->idle >= p->agent->no_input_ms * PER_MS)
        no_input(p);
}

static void hear(struct provider *base, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct local *p = local_of(base);

    if (!local_is_live(p) || p->is_parting)
        return;
    p->was_fed = true;
    for (size_t at = 0; at < n;) {
        size_t used = 0;
        const enum ear_event event = ear_feed(p->ear, pcm + at, n - at, at_us + (int64_t)at * 1000 / PER_MS, need_ms(p), &used);
        at += used;
        if (event == EAR_STARTED) {
            p->silences = 0;
            local_event_add(p, (struct event){.kind = EVENT_STARTED, .at_us = ear_onset_us(p->ear)});
        } else if (event == EAR_STOPPED) {
            local_event_add(p, (struct event){.kind = EVENT_STOPPED, .at_us = ear_end_us(p->ear)});
            utterance_submit(p);
        }
    }
    p->heard_until_us = at_us + (int64_t)n * 1000 / PER_MS;
    time_pass(p, (int64_t)n);
}

/* A phone that sends nothing while nobody speaks must not keep an utterance open for ever. */
static void on_gap(void *arg)
{
    static const int16_t silence[GAP_MS * PER_MS];
    struct local *p = arg;

    if (!local_is_live(p))
        return;
    if (!p->was_fed)
        hear(&p->base, silence, sizeof silence / sizeof silence[0], p->heard_until_us);
    p->was_fed = false;
    timer_start(p->gap, GAP_MS);
}

/* ---- digits ---- */

static void digit(struct provider *base, char c)
{
    struct local *p = local_of(base);

    if (!local_is_live(p) || p->is_parting)
        return;
    if (p->digits_waiting == DIGITS_MAX) {
        log_warn(&p->log, "digit_dropped", kv_int("waiting", DIGITS_MAX));
        return;
    }
    p->digits_waiting++;
    local_event_add(p, (struct event){.kind = EVENT_DIGIT, .digit = c});
}

/* ---- the conversation's other calls ---- */

static void interrupted(struct provider *base, uint32_t item, unsigned played_ms)
{
    struct local *p = local_of(base);

    (void)played_ms; /* we keep no history of what was said */
    if (!local_is_live(p) || p->is_parting)
        return;
    if (item == p->sounding)
        p->sounding = 0;
    p->was_cut = true;
    p->idle = 0;
    local_speech_drop(p);
}

static void heard(struct provider *base, uint32_t item)
{
    struct local *p = local_of(base);

    if (item != p->sounding)
        return;
    p->sounding = 0;
    p->idle = 0;
}

static void tool_result(struct provider *base, uint32_t id, int err, struct text result)
{
    struct local *p = local_of(base);

    if (!local_is_live(p) || p->tool_intent < 0 || id != p->tool_id)
        return;
    const struct agent_intent *in = &p->agent->intents[p->tool_intent];
    p->tool_intent = -1;
    struct buf words;
    buf_init(&words, WORDS_MAX);
    if (!err)
        err = answer_fill(&words, in->answer, result);
    if (err)
        log_warn(&p->log, "tool_failed", kv_text("tool", in->tool), kv_err(err));
    local_answer(p, in, err ? in->failed : buf_text(&words));
    buf_free(&words);
}

/* The intent's answer is the last that is said. */
static bool farewell(struct provider *base, uint32_t id)
{
    struct local *p = local_of(base);

    if (!local_is_live(p) || p->tool_intent < 0 || id != p->tool_id)
        return false;
    const struct agent_intent *in = &p->agent->intents[p->tool_intent];
    p->tool_intent = -1;
    if (!in->answer.n)
        return false;
    p->is_parting = true;
    p->turn++;                     /* what the recogniser still has at hand is stale */
    local_say_then(p, in->answer, PROVIDER_HAND_BACK, in->reason);
    return true;
}

static void start(struct provider *base)
{
    struct local *p = local_of(base);

    p->ready = true;
    local_event_add(p, (struct event){.kind = EVENT_READY});
    timer_start(p->gap, GAP_MS);
}

static void close_provider(struct provider *base)
{
    struct local *p = local_of(base);

    if (p->closed)
        return;
    p->closed = true;
    speech_forget(p->job);
    p->job = NULL;
    recogniser_close(p->recogniser);
    p->recogniser = NULL;
    timer_stop(p->gap);
    timer_start(p->pump, 0);
}

/* ---- the pump ---- */

static void event_act(struct local *p, const struct event *e)
{
    const struct provider_handlers *on = p->base.on;

    switch (e->kind) {
    case EVENT_READY:
        on->on_ready(p->base.arg);
        if (local_is_live(p))
            local_say_text(p, p->agent->greeting);
        break;
    case EVENT_STARTED:
        on->on_speech_started(e->at_us, p->base.arg);
        break;
    case EVENT_STOPPED:
        on->on_speech_stopped(e->at_us, p->base.arg);
        break;
    case EVENT_DIGIT:
        p->digits_waiting--;
        if (!p->is_parting)
            local_digit(p, e->digit);
        break;
    case EVENT_UNHEARD:
        if (!p->is_parting)
            local_reject(p);
        break;
    case EVENT_SAID:
        local_wish_tell(p);
        break;
    case EVENT_FAILED:
        p->over = true;
        on->on_error(p->fault, text_of(p->fault_text), p->base.arg);
        break;
    }
}

void local_drain(struct local *p)
{
    while (p->event_count > 0 && local_is_live(p)) {
        const struct event e = p->events[p->event_first];
        p->event_first = (p->event_first + 1) % EVENTS;
        p->event_count--;
        event_act(p, &e);
    }
}

static void destroy(struct local *p)
{
    speech_forget(p->job);
    recogniser_close(p->recogniser);
    timer_free(p->pump);
    timer_free(p->gap);
    ear_free(p->ear);
    buf_free(&p->words);
    free(p);
}

/* close starts the timer again, so what it leads to is not inside of any handler. */
static void on_pump(void *arg)
{
    struct local *p = arg;

    if (!p->closed) {
        local_drain(p);
        return;
    }
    if (p->base.on)
        p->base.on->on_closed(p->base.arg);
    destroy(p);
}

static const struct provider_ops ops = {
    .start = start,
    .hear = hear,
    .digit = digit,
    .interrupted = interrupted,
    .heard = heard,
    .tool_result = tool_result,
    .farewell = farewell,
    .close = close_provider,
};

int local_new(struct provider **out, struct loop *l, const struct local_options *opt, const struct log *log)
{
    struct local *p = calloc(1, sizeof *p);
    int err;

    if (!p)
        return -ENOMEM;
    p->base.ops = &ops;
    p->base.rate_hz = EAR_HZ;
    p->loop = l;
    p->agent = opt->agent;
    p->voice = opt->voice;
    p->log = log_for(log, "agent");
    p->asked = p->tool_intent = -1;
    buf_init(&p->words, WORDS_MAX);
    err = ear_new(&p->ear, NULL);
    if (!err)
        err = recogniser_new(&p->recogniser, opt->grammar, opt->pool, l);
    if (!err)
        err = timer_new(&p->pump, l, on_pump, p);
    if (!err)
        err = timer_new(&p->gap, l, on_gap, p);
    if (err) {
        destroy(p);
        return err;
    }
    *out = &p->base;
    return 0;
}
