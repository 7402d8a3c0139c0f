/* What the caller says, on its way to the provider: heard by our own ear first, which may make the agent pause, cut it off, and keep the agent's echo from
 * the provider. */
#include "call/conversation_internal.h"

enum {
    PIECE = 960,
    BEFORE_MS = 100,               /* told of what came before the sound that was noticed */
};

/* The provider hears nothing while the agent talks, when it is our ear that decides: it would take the echo for the caller. */
static bool is_withheld(const struct conversation *c)
{
    const struct talk_manner *m = c->manner;

    return m->barge_in_voice && !m->barge_in_provider && barge_in_may_be_echo(&c->ear) && !c->ear.is_sure;
}

static void hear_silence(struct conversation *c, size_t n, int64_t at_us)
{
    static const int16_t silence[PIECE];

    while (n > 0) {
        const size_t piece = n < PIECE ? n : PIECE;

        party_hear(c->party, silence, piece, at_us);
        n -= piece;
    }
}

struct telling {
    struct conversation *talk;
    size_t left;                   /* samples that come behind this one */
    int64_t at_us;
};

static void tell_piece(const int16_t *pcm, size_t n, void *arg)
{
    struct telling *t = arg;
    struct conversation *c = t->talk;

    t->left -= n;
    if (c->party)
        party_hear(c->party, pcm, n, t->at_us - (int64_t)t->left * 1000000 / (int64_t)c->ear.rate_hz);
}

/* The first syllable was withheld: it is told now, before the rest. least: samples that are told in any case. */
static void tell_withheld(struct conversation *c, size_t least, int64_t at_us)
{
    const int64_t since_us = at_us - c->ear.onset_us + BEFORE_MS * 1000;
    const size_t most = (size_t)c->ear.rate_hz * LOOK_BACK_MS / 1000;
    size_t n = c->ear.speech_ms > 0 && since_us > 0 ? (size_t)(since_us * (int64_t)c->ear.rate_hz / 1000000) : 0;
    struct telling t = { .talk = c, .at_us = at_us };

    n = n < most ? n : most;
    n = n > least ? n : least;
    t.left = n;
    look_back_tell(c->before, n, tell_piece, &t);
    look_back_forget(c->before);
}

static void act(struct conversation *c, enum barge_event e)
{
    switch (e) {
    case BARGE_NOTHING:
        break;
    case BARGE_HOLD:
        (void)voice_hold(c->voice);
        break;
    case BARGE_CUT:
        talk_interrupt(c, "voice", c->ear.onset_us);
        break;
    case BARGE_RESUME:
        voice_resume(c->voice);
        TIMELINE(c->timeline, talk_call(c), "barge_in.false");
        talk_meters_barge_in(c->meters, "false");
        break;
    }
}

/* Most talks withhold nothing, so the store is made when it is needed first. Without memory nothing is withheld: the provider then hears the echo. */
static bool may_withhold(struct conversation *c)
{
    return c->before || look_back_new(&c->before, c->ear.rate_hz) == 0;
}

static void hear_piece(struct conversation *c, const int16_t *pcm, size_t n, int64_t at_us)
{
    const enum barge_event e = barge_in_heard(&c->ear, pcm, n, at_us, voice_is_talking(c->voice) && !voice_is_dry(c->voice));
    const bool was_withheld = c->withholds;

    if (c->manner->barge_in_voice)
        act(c, e);
    if (!c->party)
        return;
    c->withholds = is_withheld(c) && may_withhold(c);
    if (was_withheld && !c->withholds) {
        look_back_keep(c->before, pcm, n);
        tell_withheld(c, n, at_us);
        return;
    }
    if (!c->withholds) {
        party_hear(c->party, pcm, n, at_us);
        return;
    }
    look_back_keep(c->before, pcm, n);
    hear_silence(c, n, at_us);
}

void talk_hear(struct conversation *c, const int16_t *pcm, size_t n, int64_t at_us)
{
    const size_t frame = c->ear.rate_hz * LEG_FRAME_MS / 1000;

    if (!c->ear_is_on) {
        if (c->party)
            party_hear(c->party, pcm, n, at_us);
        return;
    }
    while (n > 0 && talk_is_on(c)) {
        const size_t piece = n < frame ? n : frame;

        hear_piece(c, pcm, piece, at_us);
        pcm += piece;
        n -= piece;
    }
}

bool talk_caller_talks(const struct conversation *c)
{
    return barge_in_is_speaking(&c->ear);
}

void talk_ear_init(struct conversation *c)
{
    barge_in_init(&c->ear, leg_rate(c->leg), 0);
}
