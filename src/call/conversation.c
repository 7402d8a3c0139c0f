/* Holds one talk: what the caller says goes to the provider, what the provider says to the caller, and whichever side ends first,
 * both are closed before on_ended runs.
 *
 *   TALKING --wish--> WISHED --nothing left to say, or WISH_MS--> CLOSING --leg and provider closed--> ENDED
 *      +------------- error, leg lost, max_ms, stop ----------------^
 *
 * Samples toward the caller are voice.c's, tools are toolbox.c's. */
#include "call/conversation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audio/resample.h"
#include "base/clock.h"
#include "base/ref.h"
#include "call/toolbox.h"
#include "call/voice.h"

enum {
    WISH_MS = 30 * 1000,           /* longest farewell */
    CLOSE_MS = 5000,               /* leg and provider end within; then on_ended runs without them */
    TALK_MAX_MS = 30 * 60 * 1000,
    TOOL_MS = 5000,
    RATE_RATIO_MAX = 6,            /* 8 to 48 kHz */
    PIECE = 960,                   /* samples converted at once */
    REASON_MAX = 200,
};

enum talk_state { TALK_TALKING, TALK_WISHED, TALK_CLOSING, TALK_ENDED };

static const unsigned talk_moves[] = {
    [TALK_TALKING] = 1u << TALK_WISHED | 1u << TALK_CLOSING,
    [TALK_WISHED] = 1u << TALK_CLOSING,
    [TALK_CLOSING] = 1u << TALK_ENDED,
    [TALK_ENDED] = 0,
};

static const char *const how_names[] = {
    [TALK_HAND_BACK] = "hand_back", [TALK_HANG_UP] = "hang_up", [TALK_LEG_LOST] = "leg_lost",
    [TALK_ERROR] = "error",         [TALK_TIMEOUT] = "timeout", [TALK_STOPPED] = "stopped",
};

struct conversation {
    enum talk_state state;
    struct log log;
    struct leg *leg;               /* NULL once closed */
    struct provider *provider;     /* NULL once closed */
    struct voice *voice;           /* provider to caller */
    struct resampler *to_provider; /* caller to provider; NULL: same rate */
    struct toolbox *tools;
    char *call;
    const struct timeline *timeline;
    bool barge_in_voice, barge_in_dtmf;
    struct timer *longest, *farewell; /* farewell: of a wish, then of closing */

    int64_t started_us;
    bool has_dropped;              /* logged once */
    enum talk_end how;
    char reason[REASON_MAX];
    struct conversation_figures figures;
    struct leg_figures media;      /* known once the leg has closed */
    conversation_on_ended *on_ended;
    void *arg;
};

static void set_state(struct conversation *c, enum talk_state to)
{
    INVARIANT(talk_moves[c->state] & (1u << to));
    c->state = to;
}

static bool is_on(const struct conversation *c)
{
    return c->state == TALK_TALKING || c->state == TALK_WISHED;
}

static struct text call_of(const struct conversation *c)
{
    return text_of(c->call);
}

/* ---- the end ---- */

static void tell_ended(struct conversation *c)
{
    if (c->state == TALK_ENDED)
        return;
    set_state(c, TALK_ENDED);
    timer_stop(c->farewell);
    TIMELINE(c->timeline, call_of(c), "talk.end", kv_str("how", how_names[c->how]), kv_str("reason", c->reason),
             kv_int("turns", c->figures.turns), kv_int("first_audio_ms", c->figures.first_audio_ms),
             kv_int("frames_in", (int64_t)c->media.frames_in), kv_int("frames_out", (int64_t)c->media.frames_out),
             kv_int("missed", (int64_t)c->media.missed), kv_int("odd", (int64_t)c->media.odd),
             kv_int("early", (int64_t)c->media.early), kv_int("late", (int64_t)c->media.late),
             kv_int("lost", (int64_t)c->media.lost), kv_int("concealed", (int64_t)c->media.concealed),
             kv_int("strangers", (int64_t)c->media.strangers));
    c->on_ended(c->how, text_of(c->reason), &c->figures, c->arg);
}

/* Both sides have closed, each drops one reference; the last of them lets the conversation go. */
static void side_closed(struct conversation *c)
{
    if (!c->leg && !c->provider)
        tell_ended(c);
    ref_drop(c);
}

static void figures_take(struct conversation *c)
{
    struct voice_figures f;

    voice_figures(c->voice, &f);
    c->figures.underruns = f.underruns;
    if (f.first_us)
        c->figures.first_audio_ms = f.first_us > c->started_us ? (f.first_us - c->started_us) / 1000 : 0;
    if (f.dropped)
        log_warn(&c->log, "speech_dropped", kv_str("call", c->call), kv_int("samples", (int64_t)f.dropped));
}

static void end(struct conversation *c, enum talk_end how, struct text reason)
{
    if (!is_on(c))
        return;
    set_state(c, TALK_CLOSING);
    c->how = how;
    text_copy(c->reason, sizeof c->reason, reason);
    voice_stop(c->voice);
    timer_stop(c->longest);
    timer_start(c->farewell, CLOSE_MS);
    toolbox_stop(c->tools);
    figures_take(c);
    if (c->leg)
        leg_close(c->leg);
    if (c->provider)
        provider_close(c->provider);
}

static void on_leg_closed(int err, const char *why, void *arg)
{
    struct conversation *c = arg;

    leg_figures(c->leg, &c->media);
    c->leg = ref_drop(c->leg);
    end(c, err == -EPROTO ? TALK_ERROR : TALK_LEG_LOST, text_of(why ? why : err ? err_text(err) : "leg_ended"));
    side_closed(c);
}

static void on_provider_closed(void *arg)
{
    struct conversation *c = arg;

    c->provider = NULL;            /* provider_close took its reference */
    end(c, TALK_ERROR, TEXT("provider_closed"));
    side_closed(c);
}

static void wish_grant(struct conversation *c)
{
    const enum talk_end how = c->how;
    char reason[REASON_MAX];

    memcpy(reason, c->reason, sizeof reason);
    end(c, how, text_of(reason));
}

/* WISHED: the farewell took too long. CLOSING: a side does not close. */
static void on_farewell(void *arg)
{
    struct conversation *c = arg;

    if (c->state == TALK_WISHED) {
        wish_grant(c);
        return;
    }
    log_error(&c->log, "close_late", kv_str("call", c->call), kv_str("waiting_for", c->leg ? "leg" : "provider"));
    tell_ended(c);                 /* memory stays until they have closed */
}

static void on_longest(void *arg)
{
    end(arg, TALK_TIMEOUT, TEXT("max_time"));
}

void conversation_stop(struct conversation *c)
{
    end(c, TALK_STOPPED, TEXT("stopped"));
}

/* ---- from the voice ---- */

static void on_heard(uint32_t item, void *arg)
{
    struct conversation *c = arg;

    TIMELINE(c->timeline, call_of(c), "agent.heard", kv_int("item", item));
    provider_heard(c->provider, item);
}

static void on_cut(const struct voice_cut *k, void *arg)
{
    struct conversation *c = arg;

    if (k->cut_us > c->figures.cut_max_us)
        c->figures.cut_max_us = k->cut_us;
    TIMELINE(c->timeline, call_of(c), "barge_in", kv_int("item", k->item), kv_int("played_ms", k->played_ms),
             kv_str("by", k->by), kv_int("cut_us", k->cut_us));
}

static void on_silent(void *arg)
{
    struct conversation *c = arg;

    if (c->state == TALK_WISHED)
        wish_grant(c);
}

static const struct voice_handlers voice_on = { .on_heard = on_heard, .on_cut = on_cut, .on_silent = on_silent };

/* Throws away what the agent still wanted to say, and tells the provider how much of it was heard. */
static void interrupt(struct conversation *c, const char *by, int64_t onset_us)
{
    const unsigned unheard_ms = leg_flush(c->leg);
    uint32_t item;
    unsigned played_ms;

    if (!voice_interrupt(c->voice, by, onset_us, unheard_ms, &item, &played_ms))
        return;
    c->figures.barge_ins++;
    provider_interrupted(c->provider, item, played_ms);
}

/* ---- from the leg ---- */

static void on_leg_audio(const int16_t *pcm, size_t n, int64_t at_us, void *arg)
{
    struct conversation *c = arg;
    int16_t out[PIECE * RATE_RATIO_MAX + 1];

    if (!is_on(c))
        return;
    if (!c->to_provider) {
        provider_hear(c->provider, pcm, n, at_us);
        return;
    }
    while (n > 0) {
        const size_t piece = n < PIECE ? n : PIECE;
        const size_t made = resampler_run(c->to_provider, pcm, piece, out, sizeof out / sizeof out[0]);

        provider_hear(c->provider, out, made, at_us);
        pcm += piece;
        n -= piece;
    }
}

static void on_digit(char digit, void *arg)
{
    struct conversation *c = arg;

    if (!is_on(c))
        return;
    if (c->barge_in_dtmf)
        interrupt(c, "digit", clock_mono_us());
    provider_digit(c->provider, digit);
}

/* The audio tick: no allocation, lock, log or formatting. */
static void on_fill(int16_t *out, size_t n, int64_t at_us, void *arg)
{
    struct conversation *c = arg;

    if (is_on(c))
        voice_take(c->voice, out, n, at_us);
    else
        memset(out, 0, n * sizeof *out);
}

static const struct leg_handlers leg_on = {
    .on_audio = on_leg_audio, .on_fill = on_fill, .on_digit = on_digit, .on_closed = on_leg_closed,
};

/* ---- from the provider ---- */

static void on_agent_audio(uint32_t item, const int16_t *pcm, size_t n, bool last, void *arg)
{
    struct conversation *c = arg;

    if (!is_on(c) || voice_add(c->voice, item, pcm, n, last) || c->has_dropped)
        return;
    c->has_dropped = true;
    log_warn(&c->log, "playout_full", kv_str("call", c->call), kv_int("item", item));
}

static void on_ready(void *arg)
{
    struct conversation *c = arg;

    log_debug(&c->log, "provider_ready", kv_str("call", c->call));
}

static void on_agent_text(uint32_t item, struct text words, void *arg)
{
    struct conversation *c = arg;

    if (is_on(c))
        TIMELINE(c->timeline, call_of(c), "agent.said", kv_int("item", item), kv_text("text", words));
}

static void on_speech_started(int64_t onset_us, void *arg)
{
    struct conversation *c = arg;

    if (is_on(c) && c->barge_in_voice)
        interrupt(c, "voice", onset_us);
}

static void on_speech_stopped(int64_t end_us, void *arg)
{
    (void)end_us;
    (void)arg;
}

static void on_caller_text(struct text words, struct text intent, double score, bool accepted, void *arg)
{
    struct conversation *c = arg;

    if (!is_on(c))
        return;
    c->figures.turns++;
    TIMELINE(c->timeline, call_of(c), "caller.said", kv_text("text", words), kv_text("intent", intent),
             kv_int("score", (int64_t)score), kv_int("accepted", accepted));
}

static void on_tool_call(uint32_t id, struct text name, struct text args, void *arg)
{
    struct conversation *c = arg;

    if (!is_on(c))
        return;
    c->figures.tools++;
    toolbox_run(c->tools, id, name, args);
}

static void on_tool_result(uint32_t id, int err, struct text result, void *arg)
{
    struct conversation *c = arg;

    if (is_on(c))
        provider_tool_result(c->provider, id, err, result);
}

static void on_wish(enum provider_wish wish, struct text reason, void *arg)
{
    struct conversation *c = arg;

    if (c->state != TALK_TALKING)
        return;                    /* the first wish counts */
    set_state(c, TALK_WISHED);
    c->how = wish == PROVIDER_HANG_UP ? TALK_HANG_UP : TALK_HAND_BACK;
    text_copy(c->reason, sizeof c->reason, reason);
    voice_await_silence(c->voice);
    timer_start(c->farewell, WISH_MS);
}

static void on_error(enum provider_error kind, struct text detail, void *arg)
{
    struct conversation *c = arg;
    char reason[REASON_MAX];

    if (!is_on(c))
        return;
    log_error(&c->log, "provider_failed", kv_str("call", c->call), kv_str("kind", provider_error_name(kind)),
              kv_text("detail", detail));
    snprintf(reason, sizeof reason, "provider_%s", provider_error_name(kind));
    end(c, TALK_ERROR, text_of(reason));
}

static const struct provider_handlers provider_on = {
    .on_ready = on_ready,
    .on_audio = on_agent_audio,
    .on_agent_text = on_agent_text,
    .on_speech_started = on_speech_started,
    .on_speech_stopped = on_speech_stopped,
    .on_caller_text = on_caller_text,
    .on_tool_call = on_tool_call,
    .on_wish = on_wish,
    .on_error = on_error,
    .on_closed = on_provider_closed,
};

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct conversation *c = obj;

    toolbox_free(c->tools);
    timer_free(c->longest);
    timer_free(c->farewell);
    resampler_free(c->to_provider);
    voice_free(c->voice);
    free(c->call);
}

static int make(struct conversation *c, struct loop *l, const struct conversation_options *opt)
{
    const struct toolbox_options tools = {
        .tools = opt->tools,
        .timeline = opt->timeline,
        .call = opt->call,
        .context = opt->context,
        .tool_ms = opt->tool_ms ? opt->tool_ms : TOOL_MS,
    };
    int err;

    c->call = text_dup(opt->call.p ? opt->call : TEXT(""));
    if (!c->call)
        return -ENOMEM;
    err = timer_new(&c->longest, l, on_longest, c);
    if (!err)
        err = timer_new(&c->farewell, l, on_farewell, c);
    if (!err)
        err = voice_new(&c->voice, l, leg_rate(c->leg), c->provider->rate_hz, &voice_on, c);
    if (!err && leg_rate(c->leg) != c->provider->rate_hz)
        err = resampler_new(&c->to_provider, leg_rate(c->leg), c->provider->rate_hz);
    if (!err)
        err = toolbox_new(&c->tools, l, &tools, on_tool_result, c);
    return err;
}

int conversation_start(struct conversation **out, struct loop *l, struct leg *leg, struct provider *provider,
                       const struct conversation_options *opt, const struct log *log, conversation_on_ended *on_ended,
                       void *arg)
{
    struct conversation *c = ref_new(sizeof *c, destroy);
    int err;

    if (!c)
        return -ENOMEM;
    c->log = log_for(log, "talk");
    c->leg = leg;
    c->provider = provider;
    c->timeline = opt->timeline;
    c->barge_in_voice = opt->barge_in_voice;
    c->barge_in_dtmf = opt->barge_in_dtmf;
    c->figures.first_audio_ms = -1;
    c->on_ended = on_ended;
    c->arg = arg;
    err = make(c, l, opt);
    if (err) {
        ref_drop(c);
        return err;
    }
    c->started_us = clock_mono_us();
    TIMELINE(c->timeline, call_of(c), "talk.start", kv_int("rate_hz", leg_rate(leg)));
    timer_start(c->longest, opt->max_ms ? opt->max_ms : TALK_MAX_MS);
    ref_hold(c);                   /* one reference for each side: see side_closed */
    provider_start(provider, &provider_on, c);
    leg_start(leg, &leg_on, c);
    *out = c;
    return 0;
}
