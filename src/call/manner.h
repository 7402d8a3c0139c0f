/* How an agent behaves in a talk, whoever provides its words: what cuts it off, what it says by itself, and when. Read by every loop;
 * outlives the talks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A sentence that is ready to be heard. */
struct phrase {
    const int16_t *pcm;            /* 8 kHz; NULL: none */
    size_t n;
    const char *words;
};

struct talk_manner {
    const char *agent, *provider;  /* names, for facts and figures; NULL: none */
    bool barge_in_provider;        /* the provider says that the caller speaks */
    bool barge_in_voice;           /* our own ear says so */
    bool barge_in_dtmf;
    int64_t barge_in_ms;           /* of speech before our ear is sure; 0 = 200 */
    struct phrase sorry;           /* an answer is late, or somebody else has to be fetched */
    int64_t sorry_ms;              /* late: this long; 0 = 2000 */
    struct phrase give_up;         /* before the talk ends because nobody is left */
    struct phrase filler;          /* a tool is slow */
    int64_t filler_ms;             /* slow: this long; 0 = 1500 */
    struct phrase no_input;        /* the caller says nothing */
    int64_t no_input_ms;           /* 0: never */
    bool recording, transcript, masks_numbers; /* what is kept of a talk that begins with this agent */
    unsigned no_input_times;       /* said that often, then the call goes back */
};
