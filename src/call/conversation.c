/* Holds one talk: what the caller says goes to the provider, what the provider says to the caller, and whichever side ends first,
 * both are closed before on_ended runs.
 *
 *   TALKING --wish--> WISHED --nothing left to say, or WISH_MS--> CLOSING --leg and provider closed--> ENDED
 *      +------------- error, leg lost, max_ms, stop ----------------^
 *
 * Who talks is conversation_party.c's, samples toward the caller are voice.c's, tools are toolbox.c's. */
#include "call/conversation.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/ref.h"
#include "call/conversation_internal.h"

enum {
    CLOSE_MS = 5000,               /* leg and provider end within; then on_ended runs without them */
    TALK_MAX_MS = 30 * 60 * 1000,
    TOOL_MS = 5000,
};

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

static void set_state(struct conversation *c, enum talk_state to)
{
    INVARIANT(talk_moves[c->state] & (1u << to));
    c->state = to;
}

bool talk_is_on(const struct conversation *c)
{
    return c->state == TALK_TALKING || c->state == TALK_WISHED;
}

struct text talk_call(const struct conversation *c)
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
    TIMELINE(c->timeline, talk_call(c), "talk.end", kv_str("how", how_names[c->how]), kv_str("reason", c->reason),
             kv_int("turns", c->figures.turns), kv_int("first_audio_ms", c->figures.first_audio_ms),
             kv_int("frames_in", (int64_t)c->media.frames_in), kv_int("frames_out", (int64_t)c->media.frames_out),
             kv_int("missed", (int64_t)c->media.missed), kv_int("odd", (int64_t)c->media.odd),
             kv_int("early", (int64_t)c->media.early), kv_int("late", (int64_t)c->media.late),
             kv_int("lost", (int64_t)c->media.lost), kv_int("concealed", (int64_t)c->media.concealed),
             kv_int("strangers", (int64_t)c->media.strangers));
    c->on_ended(c->how, text_of(c->reason), &c->figures, c->arg);
}

void talk_side_closed(struct conversation *c)
{
    c->sides--;
    if (c->sides == 0)
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

void talk_end(struct conversation *c, enum talk_end how, struct text reason)
{
    if (!talk_is_on(c))
        return;
    set_state(c, TALK_CLOSING);
    c->how = how;
    text_copy(c->reason, sizeof c->reason, reason);
    voice_stop(c->voice);
    timer_stop(c->longest);
    wait_stop(c);
    timer_start(c->farewell, CLOSE_MS);
    figures_take(c);
    if (c->leg)
        leg_close(c->leg);
    if (c->party)
        party_close(c->party);
}

static void on_leg_closed(int err, const char *why, void *arg)
{
    struct conversation *c = arg;

    leg_figures(c->leg, &c->media);
    c->leg = ref_drop(c->leg);
    talk_end(c, err == -EPROTO ? TALK_ERROR : TALK_LEG_LOST, text_of(why ? why : err ? err_text(err) : "leg_ended"));
    talk_side_closed(c);
}

static void wish_grant(struct conversation *c)
{
    const enum talk_end how = c->how;
    char reason[TALK_REASON_MAX];

    memcpy(reason, c->reason, sizeof reason);
    talk_end(c, how, text_of(reason));
}

void talk_wish(struct conversation *c, enum talk_end how, struct text reason)
{
    if (c->state != TALK_TALKING)
        return;
    set_state(c, TALK_WISHED);
    c->how = how;
    text_copy(c->reason, sizeof c->reason, reason);
    voice_await_silence(c->voice);
    timer_start(c->farewell, TALK_WISH_MS);
}

/* WISHED, parting: the farewell took too long. CLOSING: a side does not close. */
static void on_farewell(void *arg)
{
    struct conversation *c = arg;

    if (c->state == TALK_WISHED) {
        wish_grant(c);
        return;
    }
    if (c->state == TALK_TALKING) {
        talk_parting_late(c);
        return;
    }
    log_error(&c->log, "close_late", kv_str("call", c->call), kv_str("waiting_for", c->leg ? "leg" : "provider"));
    tell_ended(c);                 /* memory stays until they have closed */
}

static void on_longest(void *arg)
{
    talk_end(arg, TALK_TIMEOUT, TEXT("max_time"));
}

void conversation_stop(struct conversation *c)
{
    talk_end(c, TALK_STOPPED, TEXT("stopped"));
}

/* ---- from the voice ---- */

static void on_heard(uint32_t item, void *arg)
{
    struct conversation *c = arg;

    TIMELINE(c->timeline, talk_call(c), "agent.heard", kv_int("item", item));
    if (c->party)
        provider_heard(c->party->provider, item);
}

static void on_cut(const struct voice_cut *k, void *arg)
{
    struct conversation *c = arg;

    if (k->cut_us > c->figures.cut_max_us)
        c->figures.cut_max_us = k->cut_us;
    TIMELINE(c->timeline, talk_call(c), "barge_in", kv_int("item", k->item), kv_int("played_ms", k->played_ms),
             kv_str("by", k->by), kv_int("cut_us", k->cut_us));
}

static void on_silent(void *arg)
{
    struct conversation *c = arg;

    if (c->state == TALK_WISHED)
        wish_grant(c);
    else if (c->state == TALK_TALKING)
        talk_parting_silent(c);
}

/* The first words behind the caller's; what follows a pause of the agent's own is no answer. */
static void on_began(int64_t at_us, void *arg)
{
    struct conversation *c = arg;

    if (c->began_us == 0)
        talk_meters_first(c->meters, c->manner->provider, at_us - c->started_us);
    if (c->ear.voice_us > c->began_us && at_us > c->ear.voice_us)
        talk_meters_answered(c->meters, c->manner->provider, at_us - c->ear.voice_us);
    c->began_us = at_us;
}

static const struct voice_handlers voice_on = { .on_heard = on_heard, .on_cut = on_cut, .on_silent = on_silent, .on_began = on_began };

void talk_interrupt(struct conversation *c, const char *by, int64_t onset_us)
{
    const unsigned unheard_ms = leg_flush(c->leg);
    uint32_t item;
    unsigned played_ms;

    if (!voice_interrupt(c->voice, by, onset_us, unheard_ms, &item, &played_ms))
        return;
    c->figures.barge_ins++;
    talk_meters_barge_in(c->meters, by);
    if (c->party && item) {        /* else it was a phrase of ours */
        memory_cut(&c->memory, item, played_ms, c->party->provider->rate_hz);
        provider_interrupted(c->party->provider, item, played_ms);
    }
}

/* ---- from the leg ---- */

static void on_leg_audio(const int16_t *pcm, size_t n, int64_t at_us, void *arg)
{
    struct conversation *c = arg;

    if (!talk_is_on(c))
        return;
    if (c->keeper)
        keeper_heard(c->keeper, pcm, n);
    talk_hear(c, pcm, n, at_us);
}

static void on_digit(char digit, void *arg)
{
    struct conversation *c = arg;

    if (!talk_is_on(c))
        return;
    patience_input(&c->patience);
    if (c->manner->barge_in_dtmf)
        talk_interrupt(c, "digit", clock_mono_us());
    if (c->party)
        provider_digit(c->party->provider, digit);
}

/* The audio tick: no allocation, lock, log or formatting. */
static void on_fill(int16_t *out, size_t n, int64_t at_us, void *arg)
{
    struct conversation *c = arg;

    if (!talk_is_on(c)) {
        memset(out, 0, n * sizeof *out);
        return;
    }
    voice_take(c->voice, out, n, at_us);
    if (c->ear_is_on)
        barge_in_played(&c->ear, out, n);
    if (c->keeper)
        keeper_played(c->keeper, out, n);
}

static const struct leg_handlers leg_on = {
    .on_audio = on_leg_audio, .on_fill = on_fill, .on_digit = on_digit, .on_closed = on_leg_closed,
};

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct conversation *c = obj;

    timer_free(c->longest);
    timer_free(c->step);
    timer_free(c->farewell);
    voice_free(c->voice);
    look_back_free(c->before);
    free(c->call);
    memory_free(&c->memory);
    free(c->context);
}

static int make(struct conversation *c, struct provider *provider, struct party **first)
{
    int err;

    if (!c->call || !c->context)
        return -ENOMEM;
    talk_ear_init(c);
    err = timer_new(&c->longest, c->loop, on_longest, c);
    if (!err)
        err = timer_new(&c->farewell, c->loop, on_farewell, c);
    if (!err)
        err = wait_new(c);
    if (!err)
        err = voice_new(&c->voice, c->loop, leg_rate(c->leg), provider->rate_hz, &voice_on, c);
    if (!err)
        err = party_new(first, c, provider);
    return err;
}

int conversation_start(struct conversation **out, struct loop *l, struct leg *leg, struct provider *provider,
                       const struct conversation_options *opt, const struct log *log, conversation_on_ended *on_ended,
                       void *arg)
{
    struct conversation *c = ref_new(sizeof *c, destroy);
    struct party *first;
    int err;

    if (!c)
        return -ENOMEM;
    c->log = log_for(log, "talk");
    c->loop = l;
    c->leg = leg;
    c->call = text_dup(opt->call.p ? opt->call : TEXT(""));
    c->context = text_dup(opt->context.p ? opt->context : TEXT("{}"));
    c->timeline = opt->timeline;
    c->tools = opt->tools;
    c->tool_ms = opt->tool_ms ? opt->tool_ms : TOOL_MS;
    c->next = opt->next;
    c->next_arg = opt->next_arg;
    c->figures.first_audio_ms = -1;
    c->on_ended = on_ended;
    c->arg = arg;
    err = make(c, provider, &first);
    if (err) {
        ref_drop(c);
        return err;
    }
    c->meters = opt->meters;
    c->keeper = opt->keeper;
    conversation_set_manner(c, opt->manner);
    c->started_us = clock_mono_us();
    TIMELINE(c->timeline, talk_call(c), "talk.start", kv_int("rate_hz", leg_rate(leg)));
    timer_start(c->longest, opt->max_ms ? opt->max_ms : TALK_MAX_MS);
    c->sides = 1;                  /* the leg has the first reference, each party holds one: see talk_side_closed */
    wait_start(c);
    party_start(first);
    leg_start(leg, &leg_on, c);
    *out = c;
    return 0;
}
