/* The language model of a pipeline: chat completions as OpenAI and most local servers offer them (llama.cpp, vLLM, Ollama), streamed. One
 * answer at a time. Loop thread. Handlers never run from inside a call you make; inside of them llm_cancel and llm_ask are allowed. */
#pragma once

#include "ai/chat_answer.h"
#include "ai/chat_history.h"
#include "net/dialer.h"

#define LLM_URL "https://api.openai.com/v1"
#define LLM_MODEL "gpt-4o-mini"

struct llm;

struct llm_settings {              /* outlive the model */
    const char *url;               /* base, to which /chat/completions is added; NULL: OpenAI's */
    const char *model;             /* NULL: LLM_MODEL */
    const char *key;               /* NULL: none is sent */
    const char *instructions;      /* NULL: none */
    const struct ai_tool *tools;
    size_t tool_count;
    unsigned max_tokens;           /* of one answer; 0 = 400 */
};

struct llm_options {               /* 0 = the usual */
    int64_t first_ms;              /* to the first token: 6 s */
    int64_t gap_ms;                /* between two: 5 s */
    int64_t retry_ms;              /* before it is tried once more: 300 */
};

struct llm_handlers {
    void (*on_words)(struct text words, void *arg);
    /* The answer is whole. Calls are borrowed for the call. is_broken: it broke off in the middle of its words. */
    void (*on_end)(const struct chat_call *calls, size_t count, bool is_broken, void *arg);
    /* No answer, also when asked twice. */
    void (*on_fault)(enum provider_error kind, struct text detail, void *arg);
};

struct llm_figures {
    unsigned requests, retries;
    int64_t first_ms;              /* of the last answer: from llm_ask to its first word */
};

int llm_new(struct llm **out, struct loop *l, struct dialer *d, const struct llm_settings *settings, const struct llm_options *opt,
            const struct log *log, const struct llm_handlers *on, void *arg) MUST_USE;
/* Asks for the answer to what was said (h stays until the end of the answer); one that is under way is cancelled. 0, -ENOMEM, -ENOBUFS, -EINVAL (url). */
int llm_ask(struct llm *m, const struct chat_history *h) MUST_USE;
/* The connection ends, so that the server stops, too. No handler runs of it any more. */
void llm_cancel(struct llm *m);
bool llm_is_busy(const struct llm *m);
void llm_figures(const struct llm *m, struct llm_figures *out);
void llm_free(struct llm *m); /* NULL passes */
