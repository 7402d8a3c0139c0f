/* What was said in a talk, as a chat model is told of it: only words that were heard, and tool calls with their results. Bounded: the oldest go. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ai/tool.h"
#include "base/buf.h"

enum { CHAT_TURNS_MAX = 100, CHAT_HISTORY_MAX = 48 * 1024 };

enum chat_role { CHAT_USER, CHAT_AGENT, CHAT_CALL, CHAT_RESULT };

struct chat_turn {
    enum chat_role role;
    uint32_t item;                 /* of CHAT_AGENT: the conversation's number; 0: none */
    char *words;                   /* arguments, of a call */
    char *id, *name;               /* of a call and its result */
};

struct chat_history {
    struct chat_turn turns[CHAT_TURNS_MAX];
    size_t count, bytes;
};

void chat_history_free(struct chat_history *h);
/* -ENOMEM: the turn is missing. */
int chat_history_add(struct chat_history *h, enum chat_role role, uint32_t item, struct text words) MUST_USE;
int chat_history_add_call(struct chat_history *h, struct text id, struct text name, struct text arguments, struct text result) MUST_USE;
/* Of this item only part of whole was heard: its words are cut at a word, in proportion; nothing of the items after it was. */
void chat_history_cut(struct chat_history *h, uint32_t item, uint64_t part, uint64_t whole);
/* Items from this one on were never heard. */
void chat_history_drop(struct chat_history *h, uint32_t from_item);
/* The caller's latest words, if nothing has followed them. */
void chat_history_retract(struct chat_history *h);
bool chat_history_ends_with_user(const struct chat_history *h);

/* Fields that a server refused: left out from then on. */
enum chat_field { CHAT_FIELD_STREAM_OPTIONS = 1, CHAT_FIELD_MAX_TOKENS = 2, CHAT_FIELD_PARALLEL = 4, CHAT_FIELD_ALL = 7 };

struct chat_request {
    const char *model, *instructions;      /* instructions NULL: none */
    const struct ai_tool *tools;
    size_t tool_count;
    unsigned max_tokens;
    unsigned without;              /* chat_fields */
};
/* The body of a streaming request. Consecutive words of one side become one message, as servers demand. */
int chat_write(struct buf *out, const struct chat_request *r, const struct chat_history *h) MUST_USE;
