/* POST /v1/chat/completions: the nth question of a talk (words of the caller, or what a tool gave) gets the nth answer of the script, so that a question
 * that is asked again gets the same one, and many talks can go on at once. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "sim/openai_http_inner.h"

enum { ARGUMENTS_PIECE = 7, WORDS_MAX = 8000 };

struct completion {
    struct oh_client *c;
    const struct scripted_answer *answer;
    char model[OH_MODEL_MAX];      /* inside of a JSON string */
    bool is_streamed, tells_usage;
    size_t asked_bytes;
    long long created;
};

static const struct scripted_answer *answer_of(const struct service_script *script, size_t number)
{
    if (number < script->answer_count)
        return &script->answers[number];
    for (size_t i = script->answer_count; i > 0; i--)
        if (script->answers[i - 1].kind == ANSWER_SAY)
            return &script->answers[i - 1];
    return &script->answers[0];
}

static size_t questions(const cJSON *body)
{
    const cJSON *m;
    size_t n = 0;

    cJSON_ArrayForEach(m, cJSON_GetObjectItemCaseSensitive(body, "messages"))
        n += strcmp(shape_word(m, "role"), "user") == 0 || strcmp(shape_word(m, "role"), "tool") == 0;
    return n;
}

static void head_add(const struct completion *m, const char *object)
{
    buf_addf(&m->c->out, "{\"id\":\"chatcmpl-%u\",\"object\":\"%s\",\"created\":%lld,\"model\":\"%s\",%s", m->c->base.number, object, m->created, m->model,
             oh_fault(m->c, SIM_FAULT_DRIFT) ? "\"experimental\":{\"since\":[2027]}," : "");
}

static void usage_add(const struct completion *m)
{
    const size_t asked = m->asked_bytes / 4 + 1, said = strlen(m->answer->words) / 4 + 1;

    buf_addf(&m->c->out, "\"usage\":{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu}", asked, said, asked + said);
}

/* ---- in pieces ---- */

static void chunk_begin(const struct completion *m)
{
    buf_add_text(&m->c->out, TEXT("data: "));
    head_add(m, "chat.completion.chunk");
    buf_add_text(&m->c->out, TEXT("\"choices\":[{\"index\":0,\"delta\":{"));
}

/* finish NULL: not the last. */
static void chunk_end(const struct completion *m, const char *finish)
{
    buf_addf(&m->c->out, "},\"logprobs\":null,\"finish_reason\":%s%s%s}]%s}\n\n", finish ? "\"" : "", finish ? finish : "null", finish ? "\"" : "",
             m->tells_usage ? ",\"usage\":null" : "");
}

static void words_add(const struct completion *m, struct text words)
{
    const bool is_alien = oh_fault(m->c, SIM_FAULT_ALIEN);

    while (words.n > 0) {
        size_t n = 1;              /* a word with the blank before it, as tokens are */

        while (n < words.n && words.p[n] != ' ')
            n++;
        chunk_begin(m);
        buf_add_text(&m->c->out, is_alien ? TEXT("\"content\":{\"text\":\"") : TEXT("\"content\":\""));
        buf_add_json(&m->c->out, text_head(words, n));
        buf_add_text(&m->c->out, is_alien ? TEXT("\"}") : TEXT("\""));
        chunk_end(m, NULL);
        words = text_skip(words, n);
    }
}

static void call_add(const struct completion *m)
{
    struct text arguments = text_of(m->answer->arguments);

    chunk_begin(m);
    buf_addf(&m->c->out, "\"tool_calls\":[{\"index\":0,\"id\":\"call_%u\",\"type\":\"function\",\"function\":{\"name\":\"", m->c->base.number);
    buf_add_json(&m->c->out, text_of(m->answer->words));
    buf_add_text(&m->c->out, TEXT("\",\"arguments\":\"\"}}]"));
    chunk_end(m, NULL);
    for (; arguments.n > 0; arguments = text_skip(arguments, ARGUMENTS_PIECE)) {
        chunk_begin(m);
        buf_add_text(&m->c->out, TEXT("\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\""));
        buf_add_json(&m->c->out, text_head(arguments, ARGUMENTS_PIECE));
        buf_add_text(&m->c->out, TEXT("\"}}]"));
        chunk_end(m, NULL);
    }
}

/* What a proxy or a newer server says besides. */
static void drift_add(const struct completion *m)
{
    buf_add_text(&m->c->out, TEXT(": keep-alive\n\nevent: mood\ndata: {\"mood\":{\"nice\":[true,1]}}\n\n"));
    chunk_begin(m);
    buf_add_text(&m->c->out, TEXT("\"reasoning_content\":\"The user wants something.\",\"content\":null"));
    chunk_end(m, NULL);
}

static void error_add(const struct completion *m, const char *code, const char *message)
{
    buf_addf(&m->c->out, "data: {\"error\":{\"message\":\"%s\",\"type\":\"server_error\",\"param\":null,\"code\":\"%s\"}}\n\n", message, code);
}

static void stream_write(const struct completion *m)
{
    const bool is_call = m->answer->kind == ANSWER_CALL;

    chunk_begin(m);
    buf_add_text(&m->c->out, TEXT("\"role\":\"assistant\",\"content\":\"\",\"refusal\":null"));
    chunk_end(m, NULL);
    if (oh_fault(m->c, SIM_FAULT_DRIFT))
        drift_add(m);
    if (oh_fault(m->c, SIM_FAULT_GARBAGE))
        buf_add_text(&m->c->out, TEXT("data: {\"id\":\"chatcmpl\x01, no JSON\n\n"));
    if (is_call)
        call_add(m);
    else
        words_add(m, text_of(m->answer->words));
    if (oh_fault(m->c, SIM_FAULT_ERROR)) {
        error_add(m, "server_error", "The server had an error while processing your request.");
        return;
    }
    chunk_begin(m);
    chunk_end(m, is_call && !oh_fault(m->c, SIM_FAULT_DRIFT) ? "tool_calls" : "stop"); /* some servers say stop in either case */
    if (m->tells_usage) {
        buf_add_text(&m->c->out, TEXT("data: "));
        head_add(m, "chat.completion.chunk");
        buf_add_text(&m->c->out, TEXT("\"choices\":[],"));
        usage_add(m);
        buf_add_text(&m->c->out, TEXT("}\n\n"));
    }
    buf_add_text(&m->c->out, TEXT("data: [DONE]\n\n"));
}

/* ---- whole ---- */

static void whole_write(const struct completion *m)
{
    const bool is_call = m->answer->kind == ANSWER_CALL;
    struct buf *out = &m->c->out;

    head_add(m, "chat.completion");
    buf_add_text(out, TEXT("\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"refusal\":null,\"content\":"));
    if (is_call) {
        buf_addf(out, "null,\"tool_calls\":[{\"id\":\"call_%u\",\"type\":\"function\",\"function\":{\"name\":\"", m->c->base.number);
        buf_add_json(out, text_of(m->answer->words));
        buf_add_text(out, TEXT("\",\"arguments\":\""));
        buf_add_json(out, text_of(m->answer->arguments));
        buf_add_text(out, TEXT("\"}}]"));
    } else {
        buf_add_text(out, oh_fault(m->c, SIM_FAULT_ALIEN) ? TEXT("{\"text\":\"") : TEXT("\""));
        buf_add_json(out, text_of(m->answer->words));
        buf_add_text(out, oh_fault(m->c, SIM_FAULT_ALIEN) ? TEXT("\"}") : TEXT("\""));
    }
    buf_addf(out, "},\"logprobs\":null,\"finish_reason\":\"%s\"}],", is_call ? "tool_calls" : "stop");
    usage_add(m);
    buf_add_text(out, TEXT("}"));
}

/* ---- the request ---- */

/* A line `fail CODE`, and the faults that an answer itself tells. True: that was the answer. */
static bool fails(const struct completion *m)
{
    const char *code = m->answer->kind == ANSWER_FAIL ? m->answer->words : "";

    if (code[0]) {
        oh_refuse(m->c, strcmp(code, "rate_limit_exceeded") == 0 || strcmp(code, "insufficient_quota") == 0 ? 429 : 500, code, NULL, code);
        return true;
    }
    if (!m->is_streamed || !(oh_fault(m->c, SIM_FAULT_FAILED) || oh_fault(m->c, SIM_FAULT_ERROR)))
        return oh_fails(m->c);
    if (oh_fault(m->c, SIM_FAULT_ERROR))
        return false;              /* behind its words */
    error_add(m, "rate_limit_exceeded", "Rate limit reached. Please try again in 1s.");
    oh_go(m->c, oh_events_send);
    return true;
}

void oh_chat(struct oh_client *c, const struct http_ask *ask)
{
    cJSON *body = cJSON_ParseWithLength(ask->body.p, ask->body.n);
    struct completion m = { .c = c, .asked_bytes = ask->body.n, .created = (long long)time(NULL) };
    struct shape_complaint complaint;
    const size_t n = questions(body);

    openai_chat_check(body, &complaint);
    if (complaint.code) {
        oh_complain(c, &complaint);
        cJSON_Delete(body);
        return;
    }
    sim_json(m.model, sizeof m.model, text_of(shape_word(body, "model")));
    m.is_streamed = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "stream"));
    m.tells_usage = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(body, "stream_options"), "include_usage"));
    cJSON_Delete(body);
    m.answer = answer_of(&c->base.server->script, n > 0 ? n - 1 : 0);
    sim_client_moment(&c->base, "answer", "\"path\":\"%s\",\"number\":%zu,\"kind\":%d", c->path, n, (int)m.answer->kind);
    if (fails(&m))
        return;
    if (m.is_streamed)
        stream_write(&m);
    else
        whole_write(&m);
    c->type = "application/json";
    if (c->out.err)
        oh_refuse(c, 500, "server_error", NULL, "The answer is too long.");
    else
        oh_go(c, m.is_streamed ? oh_events_send : oh_whole_send);
}
