/* Keeps the turns of a talk and writes them as the messages of a chat completion. */
#include "ai/chat_history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t size_of(const struct chat_turn *t)
{
    return strlen(t->words) + (t->id ? strlen(t->id) : 0) + (t->name ? strlen(t->name) : 0);
}

static void turn_free(struct chat_turn *t)
{
    free(t->words);
    free(t->id);
    free(t->name);
}

static void remove_at(struct chat_history *h, size_t i)
{
    h->bytes -= size_of(&h->turns[i]);
    turn_free(&h->turns[i]);
    h->count--;
    memmove(h->turns + i, h->turns + i + 1, (h->count - i) * sizeof *h->turns);
}

void chat_history_free(struct chat_history *h)
{
    while (h->count > 0)
        remove_at(h, h->count - 1);
}

/* A call and its result go together: neither means anything alone. */
static void oldest_drop(struct chat_history *h)
{
    remove_at(h, 0);
    while (h->count > 0 && (h->turns[0].role == CHAT_RESULT || h->turns[0].role == CHAT_CALL))
        remove_at(h, 0);
}

static int turn_put(struct chat_history *h, const struct chat_turn *t)
{
    const size_t size = size_of(t);

    while (h->count > 0 && (h->count == CHAT_TURNS_MAX || h->bytes + size > CHAT_HISTORY_MAX))
        oldest_drop(h);
    if (size > CHAT_HISTORY_MAX)
        return -ENOBUFS;
    h->turns[h->count++] = *t;
    h->bytes += size;
    return 0;
}

int chat_history_add(struct chat_history *h, enum chat_role role, uint32_t item, struct text words)
{
    struct chat_turn t = { .role = role, .item = item, .words = text_dup(words) };
    const int err = t.words ? turn_put(h, &t) : -ENOMEM;

    if (err)
        turn_free(&t);
    return err;
}

static int call_make(struct chat_turn *t, enum chat_role role, struct text id, struct text name, struct text words)
{
    *t = (struct chat_turn){ .role = role, .words = text_dup(words), .id = text_dup(id), .name = text_dup(name) };
    return t->words && t->id && t->name ? 0 : -ENOMEM;
}

int chat_history_add_call(struct chat_history *h, struct text id, struct text name, struct text arguments, struct text result)
{
    struct chat_turn call = { .words = NULL }, answer = { .words = NULL };
    int err = call_make(&call, CHAT_CALL, id, name, arguments);

    if (!err)
        err = call_make(&answer, CHAT_RESULT, id, name, result);
    if (!err && size_of(&call) + size_of(&answer) > CHAT_HISTORY_MAX)
        err = -ENOBUFS;
    if (err) {
        turn_free(&call);
        turn_free(&answer);
        return err;
    }
    /* Room for both first: the second must not push the first out. */
    while (h->count > 0 && (h->count + 2 > CHAT_TURNS_MAX || h->bytes + size_of(&call) + size_of(&answer) > CHAT_HISTORY_MAX))
        oldest_drop(h);
    err = turn_put(h, &call);
    return err ? err : turn_put(h, &answer);
}

void chat_history_drop(struct chat_history *h, uint32_t from_item)
{
    for (size_t i = h->count; i > 0; i--)
        if (h->turns[i - 1].role == CHAT_AGENT && h->turns[i - 1].item >= from_item)
            remove_at(h, i - 1);
}

void chat_history_cut(struct chat_history *h, uint32_t item, uint64_t part, uint64_t whole)
{
    chat_history_drop(h, item + 1);
    for (size_t i = h->count; i > 0; i--) {
        struct chat_turn *t = &h->turns[i - 1];

        if (t->role != CHAT_AGENT || t->item != item || part >= whole)
            continue;
        const size_t all = strlen(t->words);
        size_t n = (size_t)(all * part / whole);

        while (n > 0 && t->words[n] != ' ')
            n--;                   /* whole words */
        if (n == 0) {
            remove_at(h, i - 1);
            continue;
        }
        h->bytes -= all;
        strcpy(t->words + n, all - n >= 3 ? "..." : "");
        h->bytes += strlen(t->words);
    }
}

void chat_history_retract(struct chat_history *h)
{
    if (chat_history_ends_with_user(h))
        remove_at(h, h->count - 1);
}

bool chat_history_ends_with_user(const struct chat_history *h)
{
    return h->count > 0 && h->turns[h->count - 1].role == CHAT_USER;
}

/* ---- writing ---- */

static void message_begin(struct buf *out, const char *role)
{
    buf_addf(out, "%s{\"role\":\"%s\",\"content\":\"", out->n > 0 && out->p[out->n - 1] == '}' ? "," : "", role);
}

/* The words of one side, up to the other's. */
static size_t words_write(struct buf *out, const struct chat_history *h, size_t i)
{
    const enum chat_role role = h->turns[i].role;

    message_begin(out, role == CHAT_USER ? "user" : "assistant");
    for (size_t first = i; i < h->count && h->turns[i].role == role; i++) {
        buf_add_text(out, i > first ? TEXT(" ") : TEXT(""));
        buf_add_json(out, text_of(h->turns[i].words));
    }
    buf_add_char(out, '"');
    return i;
}

static void call_write(struct buf *out, const struct chat_turn *t)
{
    buf_add_text(out, TEXT(",\"tool_calls\":[{\"id\":\""));
    buf_add_json(out, text_of(t->id));
    buf_add_text(out, TEXT("\",\"type\":\"function\",\"function\":{\"name\":\""));
    buf_add_json(out, text_of(t->name));
    buf_add_text(out, TEXT("\",\"arguments\":\""));
    buf_add_json(out, text_of(t->words));
    buf_add_text(out, TEXT("\"}}]"));
}

static void messages_write(struct buf *out, const struct chat_history *h)
{
    for (size_t i = 0; i < h->count;) {
        const struct chat_turn *t = &h->turns[i];

        if (t->role == CHAT_USER || t->role == CHAT_AGENT) {
            const bool is_agent = t->role == CHAT_AGENT;

            i = words_write(out, h, i);
            if (is_agent && i < h->count && h->turns[i].role == CHAT_CALL)
                call_write(out, &h->turns[i++]);
        } else if (t->role == CHAT_CALL) {
            message_begin(out, "assistant");
            buf_add_char(out, '"');
            call_write(out, t);
            i++;
        } else {
            message_begin(out, "tool");
            buf_add_json(out, text_of(t->words));
            buf_add_text(out, TEXT("\",\"tool_call_id\":\""));
            buf_add_json(out, text_of(t->id));
            buf_add_char(out, '"');
            i++;
        }
        buf_add_char(out, '}');
    }
}

static void tools_write(struct buf *out, const struct chat_request *r)
{
    buf_add_text(out, TEXT(",\"tools\":["));
    for (size_t i = 0; i < r->tool_count; i++) {
        const struct ai_tool *t = &r->tools[i];

        buf_addf(out, "%s{\"type\":\"function\",\"function\":{\"name\":\"", i ? "," : "");
        buf_add_json(out, text_of(t->name));
        if (t->description) {
            buf_add_text(out, TEXT("\",\"description\":\""));
            buf_add_json(out, text_of(t->description));
        }
        buf_addf(out, "\",\"parameters\":%s}}", t->parameters ? t->parameters : "{\"type\":\"object\",\"properties\":{}}");
    }
    buf_add_text(out, TEXT("],\"tool_choice\":\"auto\""));
    if (!(r->without & CHAT_FIELD_PARALLEL))
        buf_add_text(out, TEXT(",\"parallel_tool_calls\":false"));
}

int chat_write(struct buf *out, const struct chat_request *r, const struct chat_history *h)
{
    buf_add_text(out, TEXT("{\"model\":\""));
    buf_add_json(out, text_of(r->model));
    buf_add_text(out, TEXT("\",\"stream\":true"));
    if (!(r->without & CHAT_FIELD_STREAM_OPTIONS))
        buf_add_text(out, TEXT(",\"stream_options\":{\"include_usage\":true}"));
    if (!(r->without & CHAT_FIELD_MAX_TOKENS))
        buf_addf(out, ",\"max_completion_tokens\":%u", r->max_tokens);
    if (r->tool_count > 0)
        tools_write(out, r);
    buf_add_text(out, TEXT(",\"messages\":["));
    if (r->instructions) {
        message_begin(out, "system");
        buf_add_json(out, text_of(r->instructions));
        buf_add_text(out, TEXT("\"}"));
    }
    messages_write(out, h);
    return buf_add_text(out, TEXT("]}"));
}
