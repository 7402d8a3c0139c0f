/* What we say to a Realtime server (GA dialect): each message as JSON text. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ai/tool.h"
#include "base/buf.h"

enum openai_audio { OPENAI_ULAW, OPENAI_PCM };       /* G.711 mu-law at 8 kHz; 16 bits at 24 kHz */

/* Outlives every provider made of it. Strings may be NULL where a default is told. */
struct openai_settings {
    const char *url;               /* NULL: OpenAI's */
    const char *model;             /* NULL: gpt-realtime */
    const char *voice;             /* NULL: marin */
    const char *instructions;      /* NULL: the service's own */
    const char *greeting;          /* said first, word for word; NULL: the model begins in its own words */
    const char *transcription;     /* model that writes down the caller's words; NULL: none does */
    enum openai_audio audio;
    unsigned silence_ms;           /* that ends the caller's turn; 0 = 500 */
    const struct ai_tool *tools;
    size_t tool_count;
};

#define OPENAI_URL "wss://api.openai.com/v1/realtime"
#define OPENAI_MODEL "gpt-realtime"
#define OPENAI_VOICE "marin"
enum { OPENAI_SILENCE_MS = 500, OPENAI_PREFIX_MS = 300 };

/* Each adds one whole message; 0 or out's sticky error. */
int openai_write_session(struct buf *out, const struct openai_settings *s, struct text event_id);
int openai_write_append(struct buf *out, const void *audio, size_t n);
/* instructions: absent for the session's own. */
int openai_write_response(struct buf *out, struct text instructions);
int openai_write_cancel(struct buf *out, struct text response);
int openai_write_truncate(struct buf *out, struct text item, unsigned end_ms);
int openai_write_delete(struct buf *out, struct text item);
int openai_write_tool_output(struct buf *out, struct text call_id, struct text output);
/* role: "system", "user" or "assistant". */
int openai_write_message(struct buf *out, const char *role, struct text words);
/* Where to connect: url with ?model= when it names none. */
int openai_write_url(struct buf *out, const struct openai_settings *s);
