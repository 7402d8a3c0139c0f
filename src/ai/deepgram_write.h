/* What we say to Deepgram's Voice Agent: each message as JSON text. Pure. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "ai/talk_words.h"
#include "ai/tool.h"
#include "base/buf.h"

enum deepgram_audio { DEEPGRAM_ULAW, DEEPGRAM_PCM };  /* mu-law at 8 kHz; 16 bits at 16 kHz */

/* Outlives every provider made of it. Strings may be NULL where a default is told. */
struct deepgram_settings {
    const char *url;               /* NULL: Deepgram's */
    const char *listen_model;      /* NULL: flux-general-en */
    const char *think_provider;    /* NULL: open_ai */
    const char *model;             /* that thinks; NULL: gpt-4o-mini */
    const char *voice;             /* NULL: aura-2-thalia-en */
    const char *instructions;      /* NULL: none */
    const char *greeting;          /* NULL: the agent waits for the caller's words */
    enum deepgram_audio audio;
    const struct ai_tool *tools;
    size_t tool_count;
};

#define DEEPGRAM_URL "wss://agent.deepgram.com/v1/agent/converse"
#define DEEPGRAM_LISTEN "flux-general-en"
#define DEEPGRAM_THINKER "open_ai"
#define DEEPGRAM_MODEL "gpt-4o-mini"
#define DEEPGRAM_VOICE "aura-2-thalia-en"

/* Each adds one whole message; 0 or out's sticky error. */
/* words: what was said before in this talk. greets: the greeting is said. */
int deepgram_write_settings(struct buf *out, const struct deepgram_settings *s, const struct talk_words *words, bool greets);
int deepgram_write_result(struct buf *out, struct text id, struct text name, struct text content);
/* As if the caller had said so: the agent answers. */
int deepgram_write_user(struct buf *out, struct text words);
int deepgram_write_keep_alive(struct buf *out);
