/* What the caller hears when nobody else speaks: a phrase while an answer is late or a tool is slow, a question when he is silent himself. */
#include "call/conversation_internal.h"

#include "base/clock.h"

enum {
    STEP_MS = 100,
    SORRY_MS = 1800,               /* the caller hears something within 2 s */
    FILLER_MS = 1500,
};

static const struct talk_manner plain; /* nothing is on */

int64_t wait_now_ms(const struct conversation *c)
{
    return loop_now_ms(c->loop);
}

void wait_say(struct conversation *c, const struct phrase *phrase, const char *why)
{
    if (!phrase->pcm || voice_say(c->voice, phrase->pcm, phrase->n))
        return;
    talk_meters_phrase(c->meters, why);
    TIMELINE(c->timeline, talk_call(c), "agent.phrase", kv_str("why", why), kv_str("text", phrase->words));
}

void wait_count(struct conversation *c, const char *provider)
{
    const bool is_end = provider && !*provider;

    if (c->is_counted)
        talk_meters_talks(c->meters, c->counted, -1);
    c->is_counted = !is_end;
    c->counted = is_end ? NULL : provider;
    if (c->is_counted)
        talk_meters_talks(c->meters, c->counted, 1);
}

static void underruns_count(struct conversation *c)
{
    struct voice_figures f;

    voice_figures(c->voice, &f);
    talk_meters_underruns(c->meters, (int64_t)(f.underruns - c->underruns_told));
    c->underruns_told = f.underruns;
}

void wait_stop(struct conversation *c)
{
    timer_stop(c->step);
    underruns_count(c);
    wait_count(c, "");
}

void wait_failed(struct conversation *c, const struct phrase *sorry)
{
    if (!c->patience.said_sorry)
        wait_say(c, sorry, "failed");
    patience_owe(&c->patience, wait_now_ms(c));
    patience_has_said_sorry(&c->patience);
}

static void carry_out(struct conversation *c, enum patience_wish wish)
{
    switch (wish) {
    case PATIENCE_NOTHING:
        break;
    case PATIENCE_SORRY:
        wait_say(c, &c->manner->sorry, "late");
        break;
    case PATIENCE_FILLER:
        wait_say(c, &c->manner->filler, "tool");
        break;
    case PATIENCE_NO_INPUT:
        wait_say(c, &c->manner->no_input, "no_input");
        break;
    case PATIENCE_END:
        talk_wish(c, TALK_HAND_BACK, TEXT("no_input"));
        break;
    }
}

static void on_step(void *arg)
{
    struct conversation *c = arg;
    const bool is_dry = voice_is_dry(c->voice);
    const struct patience_view view = {
        .agent_talks = voice_is_talking(c->voice) && !is_dry,
        .is_dry = is_dry,
        .caller_talks = c->caller_talks || talk_caller_talks(c),
        .has_tool = c->party && toolbox_running(c->party->tools) > 0,
    };

    if (c->state != TALK_TALKING)
        return;
    timer_start(c->step, STEP_MS);
    underruns_count(c);
    if (c->parting.is_set)
        return;                    /* the last words */
    carry_out(c, patience_step(&c->patience, &view, wait_now_ms(c)));
}

void conversation_set_manner(struct conversation *c, const struct talk_manner *m)
{
    c->manner = m ? m : &plain;
    c->ear_is_on = c->meters || c->manner->barge_in_voice || c->manner->no_input_ms || c->manner->sorry.pcm;
    if (c->manner->barge_in_ms)
        c->ear.after_ms = (int)c->manner->barge_in_ms;
    c->patience.limit = (struct patience_limits){
        .sorry_ms = c->manner->sorry.pcm ? c->manner->sorry_ms ? c->manner->sorry_ms : SORRY_MS : 0,
        .filler_ms = c->manner->filler.pcm ? c->manner->filler_ms ? c->manner->filler_ms : FILLER_MS : 0,
        .no_input_ms = c->manner->no_input_ms,
        .no_input_times = c->manner->no_input.pcm ? c->manner->no_input_times : 0,
    };
    wait_count(c, c->manner->provider);
}

int wait_new(struct conversation *c)
{
    static const struct patience_limits none;

    patience_init(&c->patience, &none);
    return timer_new(&c->step, c->loop, on_step, c);
}

void wait_start(struct conversation *c)
{
    patience_owe(&c->patience, wait_now_ms(c));
    timer_start(c->step, STEP_MS);
}
