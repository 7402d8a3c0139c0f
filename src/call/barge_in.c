/* Speech, echo or noise: frame by frame. */
#include "call/barge_in.h"

#include "audio/pcm.h"

enum {
    AFTER_MS = 200,
    HOLD_MS = 40,                  /* quiet at once would be a stutter for every click, */
    HOLD_LOUD_MS = 20,             /* unless it is as loud as somebody who means it */
    GAP_MS = 160,                  /* quiet inside speech */
    ECHO_TAIL_MS = ECHO_DELAY_MS,
    ECHO_SHARE = 80,               /* flite's voices against each other: own echo 88 and more, another voice below 80 */
};

void barge_in_init(struct barge_in *b, unsigned rate_hz, int after_ms)
{
    struct vad_options vo;

    *b = (struct barge_in){ .rate_hz = rate_hz, .after_ms = after_ms ? after_ms : AFTER_MS, .after_words_ms = ECHO_TAIL_MS };
    vad_options_default(&vo);
    vo.rate_hz = rate_hz;
    vad_init(&b->vad, &vo);
    echo_gate_init(&b->gate, rate_hz);
}

void barge_in_played(struct barge_in *b, const int16_t *pcm, size_t n)
{
    echo_gate_played(&b->gate, pcm, n);
}

bool barge_in_may_be_echo(const struct barge_in *b)
{
    return b->after_words_ms < ECHO_TAIL_MS;
}

bool barge_in_is_speaking(const struct barge_in *b)
{
    return b->speech_ms >= HOLD_MS;
}

static bool is_loud_now(const struct barge_in *b)
{
    return b->vad.loud_since >= 0 && b->vad.quiet_since < 0;
}

static bool is_meant(const struct barge_in *b, const int16_t *pcm, size_t n)
{
    const int64_t floor = (int64_t)b->vad.floor_rms * b->vad.opt.ratio_256 / 256;
    const int64_t least = floor > b->vad.opt.floor_min ? floor : b->vad.opt.floor_min;

    return pcm_rms(pcm, n) > 4 * least;
}

static enum barge_event on_quiet(struct barge_in *b, int ms)
{
    const bool did_hold = b->holds;

    b->gap_ms += ms;
    if (b->speech_ms == 0 || b->gap_ms <= GAP_MS)
        return BARGE_NOTHING;
    b->speech_ms = 0;
    b->holds = b->is_cut = b->is_sure = false;
    return did_hold ? BARGE_RESUME : BARGE_NOTHING;
}

static enum barge_event on_speech(struct barge_in *b, int ms, int64_t at_us, bool is_very_loud, bool agent_talks)
{
    if (b->speech_ms == 0)
        b->onset_us = at_us - (int64_t)ms * 1000;
    b->speech_ms += ms;
    b->gap_ms = 0;
    if (b->speech_ms >= HOLD_MS)
        b->voice_us = at_us;
    b->is_sure = b->is_sure || b->speech_ms >= b->after_ms;
    if (!agent_talks || b->is_cut)
        return BARGE_NOTHING;
    if (b->speech_ms >= b->after_ms) {
        b->is_cut = true;
        b->holds = false;
        return BARGE_CUT;
    }
    if (b->holds || b->speech_ms < (is_very_loud ? HOLD_LOUD_MS : HOLD_MS))
        return BARGE_NOTHING;
    b->holds = true;
    return BARGE_HOLD;
}

enum barge_event barge_in_heard(struct barge_in *b, const int16_t *pcm, size_t n, int64_t at_us, bool agent_talks)
{
    const int ms = (int)(n * 1000 / b->rate_hz);
    bool is_echo;

    (void)vad_feed(&b->vad, pcm, n);
    echo_gate_heard(&b->gate, pcm, n);
    b->after_words_ms = agent_talks ? 0 : b->after_words_ms < ECHO_TAIL_MS ? b->after_words_ms + ms : ECHO_TAIL_MS;
    if (!agent_talks)
        b->is_cut = false;         /* the next words are to be cut by speech that goes on, too */
    if (!is_loud_now(b))
        return on_quiet(b, ms);
    is_echo = barge_in_may_be_echo(b) && echo_gate_share(&b->gate) >= ECHO_SHARE;
    return is_echo ? on_quiet(b, ms) : on_speech(b, ms, at_us, is_meant(b, pcm, n), agent_talks);
}
