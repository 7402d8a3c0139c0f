/* Puts the answer of a chat completion together from its chunks: words as they come, tool calls at the end, whatever the server's idea of
 * them is. Pure. */
#pragma once

#include <stdbool.h>

#include "ai/provider.h"
#include "base/buf.h"

enum { CHAT_CALLS_MAX = 8, CHAT_ARGUMENTS_MAX = 16 * 1024, CHAT_ID_MAX = 127, CHAT_NAME_MAX = 64 };

struct chat_call {
    char id[CHAT_ID_MAX + 1];
    char name[CHAT_NAME_MAX + 1];
    long index;                    /* -1: the server gives none */
    struct buf arguments;          /* JSON; "{}" when there were none */
};

struct chat_answer {
    struct buf words;              /* to be spoken, since the last chat_answer_taken */
    struct buf held;               /* not decided yet: may be the beginning of a mark */
    struct buf raw_call;           /* a tool call that came as text */
    struct chat_call calls[CHAT_CALLS_MAX];
    size_t call_count;
    unsigned synthetic;            /* ids made by us */
    bool has_words;                /* some were given */
    bool is_thinking;              /* inside <think> */
    bool is_raw_call;              /* inside <tool_call> */
    bool was_raw_call;             /* worth a warning: the server lacks its parser */
    bool is_finished;              /* a finish_reason or [DONE] came */
    bool is_cut;                   /* finish_reason "length" */
    bool has_error;
    enum provider_error error;
    char detail[200];
};

void chat_answer_init(struct chat_answer *a);
void chat_answer_free(struct chat_answer *a);
void chat_answer_clear(struct chat_answer *a);
/* One event's data. 0, -EBADMSG (no JSON), -ENOMEM/-ENOBUFS (too much). An error of the service: has_error. */
int chat_answer_add(struct chat_answer *a, struct text data) MUST_USE;
/* The stream has ended: what was held is given free, calls are completed, those that cannot be carried out removed. */
void chat_answer_end(struct chat_answer *a);
/* HTTP status and body of a refusal, as a kind of fault. */
enum provider_error chat_error_of(int status, struct text body);
/* The "message" of a service's error, or the beginning of its body. */
void chat_error_text(int status, struct text body, char *out, size_t size);
