/* The pipeline as the conversation sees it: hears, is told what was heard, and goes.
 *
 *   sound -> ear -> words -> model -> sentences -> voice -> on_audio
 *                     ^        |
 *   digits -----------'        '-> tools -> results -> model
 *
 * pipeline_ear.c follows the caller, pipeline_turn.c the model, pipeline_voice.c the sentences, pipeline_tools.c the calls. Ear, model and voice tell
 * what happened from the loop, so most is told on at once; what begins inside a call of the conversation goes through the pump. */
#include "ai/pipeline.h"

#include <errno.h>
#include <stdlib.h>

#include "ai/pipeline_internal.h"
#include "base/ref.h"

enum {
    SETUP_MS = 8000,
    KEYS_MS = 1500,
    RETRY_MS = 300,
    TURN_MS = 12000,
    TOOLS_MS = 70000,
};

static struct pipeline *pipeline_of(struct provider *base)
{
    return (struct pipeline *)base;
}

void pipeline_fail(struct pipeline *p, enum provider_error kind, const char *detail)
{
    if (p->state != PIPELINE_LIVE)
        return;
    p->state = PIPELINE_OVER;
    p->fault = kind;
    p->has_fault = true;
    text_copy(p->fault_text, sizeof p->fault_text, text_of(detail));
    pipeline_answer_drop(p);
    timer_start(p->pump, 0);
}

/* ---- the conversation's calls ---- */

static void hear(struct provider *base, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct pipeline *p = pipeline_of(base);

    if (!pipeline_is_on(p) || p->is_parting)
        return;
    if (p->ear)
        stt_hear(p->ear, pcm, n, at_us);
    else
        p->figures.unheard_frames++;
}

static void digit(struct provider *base, char c)
{
    pipeline_digit(pipeline_of(base), c);
}

static void interrupted(struct provider *base, uint32_t item, unsigned played_ms)
{
    struct pipeline *p = pipeline_of(base);

    if (pipeline_is_on(p))
        pipeline_interrupted(p, item, played_ms);
}

static void heard(struct provider *base, uint32_t item)
{
    pipeline_heard(pipeline_of(base), item);
}

static void tool_result(struct provider *base, uint32_t id, int err, struct text result)
{
    struct pipeline *p = pipeline_of(base);

    if (pipeline_is_on(p))
        pipeline_tool_answer(p, id, err, result);
}

static bool farewell(struct provider *base, uint32_t id)
{
    struct pipeline *p = pipeline_of(base);

    return pipeline_is_on(p) && pipeline_farewell(p, id);
}

/* Words of a talk that another agent had. */
static void remember(struct provider *base, const struct talk_words *before)
{
    struct pipeline *p = pipeline_of(base);
    int err = 0;

    if (before->count > 0)
        err = chat_history_add(&p->history, CHAT_USER, 0, TEXT("[another agent had this call so far; what was said follows, do not ask for it again]"));
    for (size_t i = 0; i < before->count && !err; i++) {
        const struct talk_turn *t = talk_words_at(before, i);

        if (t->words[0])
            err = chat_history_add(&p->history, t->is_agent ? CHAT_AGENT : CHAT_USER, 0, text_of(t->words));
    }
    if (err)
        log_warn(&p->log, "words_lost", kv_err(err));
}

static void start(struct provider *base)
{
    struct pipeline *p = pipeline_of(base);

    p->state = PIPELINE_LIVE;
    pipeline_ear_open(p);
    if (pipeline_is_on(p))
        pipeline_greet(p);
}

static void figures_log(const struct pipeline *p)
{
    const struct pipeline_figures *f = &p->figures;

    log_info(&p->log, "session", kv_int("turns", f->turns), kv_int("answers", f->answers), kv_int("sentences", f->sentences), kv_int("cuts", f->cuts),
             kv_int("tools", f->tools), kv_int("reprompts", f->reprompts), kv_int("ear_retries", f->ear_retries),
             kv_int("voice_retries", f->voice_retries), kv_int("mute", f->mute), kv_int("unheard", (int64_t)f->unheard_frames),
             kv_int("first_word_ms_max", f->words_ms_max), kv_int("first_sound_ms_max", f->sound_ms_max));
}

static void timers_stop(struct pipeline *p)
{
    timer_stop(p->keys);
    timer_stop(p->setup);
    timer_stop(p->turn);
    timer_stop(p->tools_late);
    timer_stop(p->ahead);
}

/* The voice is freed, the model only stopped: it may be its handler that we are in. */
static void close_provider(struct provider *base)
{
    struct pipeline *p = pipeline_of(base);

    if (p->state == PIPELINE_CLOSED)
        return;
    pipeline_answer_drop(p);
    p->state = PIPELINE_CLOSED;
    timers_stop(p);
    tts_free(p->voice);
    p->voice = NULL;
    pipeline_ear_close(p);
    figures_log(p);
    timer_start(p->pump, 0);
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
    .remember = remember,
};

/* ---- time ---- */

static void on_pump(void *arg)
{
    struct pipeline *p = arg;

    if (p->state == PIPELINE_CLOSED) {
        if (p->ears > 0)
            return;                /* the last one's on_closed starts us again */
        if (p->base.on)
            p->base.on->on_closed(p->base.arg);
        ref_drop(p);               /* the conversation's */
    } else if (p->has_fault) {
        p->has_fault = false;
        p->base.on->on_error(p->fault, text_of(p->fault_text), p->base.arg);
    } else if (p->has_wish && !p->is_wish_told && pipeline_is_on(p)) {
        p->is_wish_told = true;
        p->base.on->on_wish(PROVIDER_HAND_BACK, TEXT("agent"), p->base.arg);
    }
}

static void on_keys(void *arg)
{
    pipeline_on_keys(arg);
}

static void on_setup(void *arg)
{
    pipeline_on_setup(arg);
}

static void on_turn_late(void *arg)
{
    pipeline_on_turn_late(arg);
}

static void on_tools_late(void *arg)
{
    pipeline_on_tools_late(arg);
}

/* The caller's ear is behind by longer than there was to hear: the conversation lost count. */
static void on_ahead(void *arg)
{
    struct pipeline *p = arg;

    log_warn(&p->log, "not_heard", kv_int("item", p->given));
    pipeline_heard(p, p->given);
}

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct pipeline *p = obj;

    timer_free(p->pump);
    timer_free(p->keys);
    timer_free(p->setup);
    timer_free(p->turn);
    timer_free(p->tools_late);
    timer_free(p->ahead);
    tts_free(p->voice);
    llm_free(p->llm);
    pipeline_tools_free(p);
    chat_history_free(&p->history);
    sentence_free(&p->sentence);
}

static int timers_make(struct pipeline *p)
{
    const struct {
        struct timer **timer;
        void (*on_time)(void *arg);
    } all[] = { { &p->pump, on_pump }, { &p->keys, on_keys }, { &p->setup, on_setup },
                { &p->turn, on_turn_late }, { &p->tools_late, on_tools_late }, { &p->ahead, on_ahead } };
    int err = 0;

    for (size_t i = 0; i < sizeof all / sizeof *all && !err; i++)
        err = timer_new(all[i].timer, p->own.ground.loop, all[i].on_time, p);
    return err;
}

static void options_take(struct pipeline *p, const struct pipeline_options *opt)
{
    p->own = *opt;
    p->opt = &p->own;
    p->own.setup_ms = opt->setup_ms ? opt->setup_ms : SETUP_MS;
    p->own.keys_ms = opt->keys_ms ? opt->keys_ms : KEYS_MS;
    p->own.retry_ms = opt->retry_ms ? opt->retry_ms : RETRY_MS;
    p->own.turn_ms = opt->turn_ms ? opt->turn_ms : TURN_MS;
    p->own.tools_ms = opt->tools_ms ? opt->tools_ms : TOOLS_MS;
}

int pipeline_new(struct provider **out, const struct pipeline_options *opt, const struct log *log)
{
    struct pipeline *p = ref_new(sizeof *p, destroy);
    int err;

    if (!p)
        return -ENOMEM;
    p->base.ops = &ops;
    p->base.rate_hz = PIPELINE_HZ;
    p->log = log_for(log, "pipeline");
    p->ear_retries_left = 1;
    options_take(p, opt);
    sentence_init(&p->sentence);
    err = timers_make(p);
    if (!err)
        err = llm_new(&p->llm, opt->ground.loop, opt->ground.dialer, opt->llm, opt->thinking, log, &pipeline_llm_on, p);
    if (!err)
        err = opt->parts->voice(&p->voice, opt->settings, &p->own.ground, &pipeline_voice_on, p);
    if (err) {
        ref_drop(p);
        return err;
    }
    *out = &p->base;
    return 0;
}
