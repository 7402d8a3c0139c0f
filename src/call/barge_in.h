/* Our own ear: hears whether the caller speaks while the agent does. First the agent only pauses; who goes on speaking cuts it off, a noise lets it
 * go on. Its own words, come back over the line, are not taken for the caller's. Pure; no allocation; time is counted in what is fed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audio/echo_gate.h"
#include "audio/vad.h"

enum barge_event {
    BARGE_NOTHING,
    BARGE_HOLD,                    /* something is heard: be quiet */
    BARGE_CUT,                     /* it is speech */
    BARGE_RESUME,                  /* it was not: go on */
};

struct barge_in {
    struct vad vad;
    struct echo_gate gate;
    unsigned rate_hz;
    int after_ms;
    int speech_ms, gap_ms;         /* of what may become an interruption: speech that is no echo; quiet since */
    int after_words_ms;            /* since the agent was silent: its echo comes later */
    bool holds, is_cut;
    bool is_sure;                  /* it is speech, and goes on */
    int64_t onset_us;              /* when it began */
    int64_t voice_us;              /* until when the caller's voice was heard last; 0: never */
};

/* after_ms: of speech before it cuts; 0 = 200. rate_hz: as echo_gate_init. */
void barge_in_init(struct barge_in *b, unsigned rate_hz, int after_ms);
/* What the caller hears, in the audio tick. */
void barge_in_played(struct barge_in *b, const int16_t *pcm, size_t n);
/* What the caller says, 10..60 ms. at_us: when it came. agent_talks: there is something to be cut. */
enum barge_event barge_in_heard(struct barge_in *b, const int16_t *pcm, size_t n, int64_t at_us, bool agent_talks);
/* The caller's voice is heard, or was a moment ago. */
bool barge_in_is_speaking(const struct barge_in *b);
/* The agent may be heard by our ear: it talks, or has just ended. */
bool barge_in_may_be_echo(const struct barge_in *b);
