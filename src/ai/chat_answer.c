/* Reads chunks of chat completions (OpenAI, llama.cpp, vLLM, Ollama, gateways) and assembles what they mean. */
#include "ai/chat_answer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

enum { WORDS_MAX = 64 * 1024, RAW_CALL_MAX = 32 * 1024 };

void chat_answer_init(struct chat_answer *a)
{
    *a = (struct chat_answer){ .call_count = 0 };
    buf_init(&a->words, WORDS_MAX);
    buf_init(&a->held, WORDS_MAX);
    buf_init(&a->raw_call, RAW_CALL_MAX);
    for (size_t i = 0; i < CHAT_CALLS_MAX; i++)
        buf_init(&a->calls[i].arguments, CHAT_ARGUMENTS_MAX);
}

void chat_answer_free(struct chat_answer *a)
{
    buf_free(&a->words);
    buf_free(&a->held);
    buf_free(&a->raw_call);
    for (size_t i = 0; i < CHAT_CALLS_MAX; i++)
        buf_free(&a->calls[i].arguments);
}

void chat_answer_clear(struct chat_answer *a)
{
    chat_answer_free(a);
    chat_answer_init(a);
}

static struct text string_of(const cJSON *object, const char *name)
{
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(object, name);

    return cJSON_IsString(v) ? text_of(v->valuestring) : TEXT_NONE;
}

/* ---- words: marks inside of them are not spoken ---- */

static const struct mark {
    const char *open, *close;
    bool is_call;
} marks[] = {
    { "<think>", "</think>", false },
    { "<tool_call>", "</tool_call>", true },
    { "[TOOL_CALLS]", NULL, true },
};

/* A mark may begin in the last bytes of t: how many of them. */
static size_t tail_of(struct text t, const char *mark)
{
    const size_t whole = strlen(mark);

    for (size_t n = t.n < whole - 1 ? t.n : whole - 1; n > 0; n--)
        if (memcmp(t.p + t.n - n, mark, n) == 0)
            return n;
    return 0;
}

static void words_give(struct chat_answer *a, struct text t)
{
    if (!a->has_words)             /* blanks before the first word are the template's */
        while (t.n > 0 && (unsigned char)t.p[0] <= ' ')
            t = text_skip(t, 1);
    if (t.n == 0)
        return;
    a->has_words = true;
    buf_add_text(&a->words, t);
}

/* Gives what stands before the first mark. True: a mark was entered. */
static bool plain_take(struct chat_answer *a)
{
    const struct text t = buf_text(&a->held);
    const struct mark *first = NULL;
    ptrdiff_t at = -1;
    size_t tail = 0;

    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        const ptrdiff_t found = text_find_text(t, text_of(marks[i].open));
        const size_t here = tail_of(t, marks[i].open);

        if (found >= 0 && (at < 0 || found < at)) {
            at = found;
            first = &marks[i];
        }
        tail = here > tail ? here : tail;
    }
    if (!first) {
        words_give(a, text_head(t, t.n - tail));
        buf_drop(&a->held, t.n - tail);
        return false;
    }
    words_give(a, text_head(t, (size_t)at));
    buf_drop(&a->held, (size_t)at + strlen(first->open));
    a->is_thinking = !first->is_call;
    a->is_raw_call = a->was_raw_call = first->is_call;
    return true;
}

/* Inside of a mark. True: it has ended. */
static bool marked_take(struct chat_answer *a)
{
    const char *close = a->is_thinking ? "</think>" : "</tool_call>";
    const struct text t = buf_text(&a->held);
    const ptrdiff_t at = text_find_text(t, text_of(close));
    const size_t n = at >= 0 ? (size_t)at : t.n - tail_of(t, close);

    if (a->is_raw_call)
        buf_add_text(&a->raw_call, text_head(t, n));
    if (a->is_raw_call && at >= 0)
        buf_add_char(&a->raw_call, '\n');
    buf_drop(&a->held, at >= 0 ? n + strlen(close) : n);
    if (at >= 0)
        a->is_thinking = a->is_raw_call = false;
    return at >= 0;
}

static int content_add(struct chat_answer *a, struct text t)
{
    int err = buf_add_text(&a->held, t);

    while (!err && (a->is_thinking || a->is_raw_call ? marked_take(a) : plain_take(a)))
        ;
    return err ? err : a->words.err ? a->words.err : a->raw_call.err;
}

/* ---- tool calls ---- */

static struct chat_call *slot_new(struct chat_answer *a, long index)
{
    struct chat_call *c = a->call_count < CHAT_CALLS_MAX ? &a->calls[a->call_count++] : NULL;

    if (c)
        c->index = index;
    return c;
}

/* The call that a fragment belongs to: by index, and by id where servers repeat an index (Ollama) or give none. */
static struct chat_call *slot_of(struct chat_answer *a, long index, struct text id, struct text name)
{
    struct chat_call *last = a->call_count ? &a->calls[a->call_count - 1] : NULL;

    for (size_t i = a->call_count; i > 0 && index >= 0; i--) {
        struct chat_call *c = &a->calls[i - 1];

        if (c->index == index && (!id.n || !c->id[0] || text_eq(id, text_of(c->id))))
            return c;
    }
    if (index >= 0)
        return slot_new(a, index);
    if (!last || (id.n && !text_eq(id, text_of(last->id))) || (!id.n && name.n))
        return slot_new(a, -1);
    return last;
}

static int arguments_add(struct chat_call *c, const cJSON *arguments)
{
    char *printed;
    int err;

    if (cJSON_IsString(arguments))
        return buf_add_text(&c->arguments, text_of(arguments->valuestring));
    if (!cJSON_IsObject(arguments))
        return 0;
    printed = cJSON_PrintUnformatted(arguments);
    err = printed ? buf_add_text(&c->arguments, text_of(printed)) : -ENOMEM;
    cJSON_free(printed);
    return err;
}

static int fragment_add(struct chat_answer *a, const cJSON *fragment)
{
    const cJSON *index = cJSON_GetObjectItemCaseSensitive(fragment, "index");
    const cJSON *function = cJSON_GetObjectItemCaseSensitive(fragment, "function");
    const struct text id = string_of(fragment, "id"), name = string_of(function, "name");
    const bool has_index = cJSON_IsNumber(index) && index->valueint >= 0;
    struct chat_call *c = slot_of(a, has_index ? index->valueint : -1, id, name);

    if (!c)
        return 0;                  /* more than anybody needs */
    if (id.n && !c->id[0])
        text_copy(c->id, sizeof c->id, id);
    if (name.n && !c->name[0])
        text_copy(c->name, sizeof c->name, name);
    return arguments_add(c, cJSON_GetObjectItemCaseSensitive(function, "arguments"));
}

/* A call as a model without a parser writes it: {"name":..,"arguments":{..}}, or a list of such. */
static void raw_call_take(struct chat_answer *a, const cJSON *tree)
{
    const struct text name = string_of(tree, "name");
    const cJSON *arguments = cJSON_GetObjectItemCaseSensitive(tree, "arguments");
    struct chat_call *c = name.n ? slot_new(a, -1) : NULL;

    if (!c)
        return;
    text_copy(c->name, sizeof c->name, name);
    if (arguments_add(c, arguments ? arguments : cJSON_GetObjectItemCaseSensitive(tree, "parameters")))
        buf_clear(&c->arguments);
}

static void raw_calls_take(struct chat_answer *a)
{
    struct text rest = buf_text(&a->raw_call), line;

    while (text_cut(&rest, '\n', &line)) {
        cJSON *tree = cJSON_ParseWithLength(line.p ? line.p : "", line.n);
        const cJSON *one;

        if (cJSON_IsArray(tree))
            cJSON_ArrayForEach(one, tree) raw_call_take(a, one);
        else
            raw_call_take(a, tree);
        cJSON_Delete(tree);
    }
}

/* ---- chunks ---- */

static void error_take(struct chat_answer *a, const cJSON *error)
{
    const struct text code = string_of(error, "code"), type = string_of(error, "type");
    const struct text message = cJSON_IsString(error) ? text_of(error->valuestring) : string_of(error, "message");

    a->has_error = true;
    a->error = text_eq(code, TEXT("insufficient_quota"))                                                  ? PROVIDER_QUOTA
               : text_eq(code, TEXT("rate_limit_exceeded")) || text_find_text(type, TEXT("rate_limit")) >= 0 ? PROVIDER_RATE
                                                                                                          : PROVIDER_SERVER;
    text_copy(a->detail, sizeof a->detail, message.n ? message : TEXT("the service broke the answer off"));
}

static int choice_add(struct chat_answer *a, const cJSON *choice)
{
    const cJSON *delta = cJSON_GetObjectItemCaseSensitive(choice, "delta"), *calls, *one;
    const struct text finish = string_of(choice, "finish_reason");
    int err = 0;

    if (!cJSON_IsObject(delta))    /* an answer that was not streamed */
        delta = cJSON_GetObjectItemCaseSensitive(choice, "message");
    const struct text content = string_of(delta, "content");

    if (content.n)
        err = content_add(a, content);
    calls = cJSON_GetObjectItemCaseSensitive(delta, "tool_calls");
    if (cJSON_IsArray(calls))
        cJSON_ArrayForEach(one, calls) if (!err) err = fragment_add(a, one);
    if (finish.n) {
        a->is_finished = true;
        a->is_cut = text_eq(finish, TEXT("length"));
    }
    return err;
}

int chat_answer_add(struct chat_answer *a, struct text data)
{
    cJSON *tree;
    const cJSON *error, *choices, *one;
    int err = 0;

    if (text_eq(text_trim(data), TEXT("[DONE]"))) {
        a->is_finished = true;
        return 0;
    }
    tree = cJSON_ParseWithLength(data.p ? data.p : "", data.n);
    if (!cJSON_IsObject(tree)) {
        cJSON_Delete(tree);
        return -EBADMSG;
    }
    error = cJSON_GetObjectItemCaseSensitive(tree, "error");
    choices = cJSON_GetObjectItemCaseSensitive(tree, "choices");
    if (cJSON_IsObject(error) || cJSON_IsString(error))
        error_take(a, error);
    else if (cJSON_IsArray(choices))
        cJSON_ArrayForEach(one, choices) if (!err) err = choice_add(a, one);
    cJSON_Delete(tree);
    return err;
}

/* False: nobody could carry it out. */
static bool call_finish(struct chat_answer *a, struct chat_call *c)
{
    const struct text t = text_trim(buf_text(&c->arguments));

    if (!c->name[0] || c->arguments.err)
        return false;
    if (t.n == 0 || text_eq(t, TEXT("null"))) {
        buf_clear(&c->arguments);
        buf_add_text(&c->arguments, TEXT("{}"));
    }
    if (!c->id[0])
        snprintf(c->id, sizeof c->id, "call_%u", ++a->synthetic);
    return !c->arguments.err;
}

void chat_answer_end(struct chat_answer *a)
{
    size_t kept = 0;

    if (!a->is_thinking && !a->is_raw_call)
        words_give(a, buf_text(&a->held));
    else if (a->is_raw_call)
        buf_add_text(&a->raw_call, buf_text(&a->held));
    buf_clear(&a->held);
    raw_calls_take(a);
    for (size_t i = 0; i < a->call_count; i++) {
        struct chat_call *c = &a->calls[i];

        if (a->is_cut || !call_finish(a, c))
            continue;              /* cut in its arguments */
        if (kept != i) {
            const struct chat_call spare = a->calls[kept];

            a->calls[kept] = *c;
            *c = spare;
        }
        kept++;
    }
    a->call_count = kept;
}

/* ---- refusals ---- */

enum provider_error chat_error_of(int status, struct text body)
{
    const bool is_quota = text_find_text(body, TEXT("insufficient_quota")) >= 0 || text_find_text(body, TEXT("billing")) >= 0;

    if (status == 401 || status == 403)
        return PROVIDER_AUTH;
    if (status == 402 || (status == 429 && is_quota))
        return PROVIDER_QUOTA;
    if (status == 429)
        return PROVIDER_RATE;
    return status >= 500 ? PROVIDER_SERVER : PROVIDER_CONFIG;
}

void chat_error_text(int status, struct text body, char *out, size_t size)
{
    cJSON *tree = cJSON_ParseWithLength(body.p ? body.p : "", body.n);
    const cJSON *error = cJSON_GetObjectItemCaseSensitive(tree, "error");
    struct text message = cJSON_IsString(error) ? text_of(error->valuestring) : string_of(error, "message");
    size_t n;

    if (!message.n)
        message = text_head(body, 120);
    n = (size_t)snprintf(out, size, "HTTP %d: %.*s", status, (int)(message.n < 150 ? message.n : 150), message.p ? message.p : "");
    for (size_t i = 0; i < n && i < size; i++)
        if ((unsigned char)out[i] < 0x20 && out[i])
            out[i] = ' ';
    cJSON_Delete(tree);
}
