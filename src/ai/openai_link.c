/* Keeps the WebSocket of a Realtime session: opens it, judges how it ended, opens it once more. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/openai_internal.h"
#include "base/ref.h"

enum {
    MESSAGE_MAX = 4 * 1024 * 1024, /* session.updated repeats all instructions and tools; deltas are some 10 kB */
    QUEUE_MAX = 256 * 1024,        /* 20 s of mu-law: by then the line is dead */
    BAD_EVENTS_MAX = 50,
    LIFETIME_MS = 55 * 60 * 1000,  /* a session ends after 60 minutes */
    URL_MAX = 2000,
};

/* ---- the end of a line ---- */

/* A server may repeat what it was sent. */
static void detail_keep(struct openai *p, const char *detail)
{
    if (p->key && p->key[0] && strstr(detail, p->key))
        detail = "the server's words held the key and are not repeated";
    text_copy(p->fault_text, sizeof p->fault_text, text_of(detail));
}

/* May be called from anywhere: the conversation is told from the pump. */
void openai_fail(struct openai *p, enum provider_error kind, const char *detail)
{
    if (!openai_is_on(p))
        return;
    p->state = OPENAI_OVER;
    p->fault = kind;
    p->has_fault = true;
    detail_keep(p, detail);
    timer_stop(p->watch);
    timer_stop(p->retry);
    openai_drop_line(p, 1000);
    timer_start(p->pump, 0);
}

void openai_drop_line(struct openai *p, int status)
{
    struct websocket *w = p->ws;

    p->ws = NULL;
    if (w) {
        websocket_close(w, status, NULL);
        ref_drop(w);
    }
}

/* Items of a session that is gone cannot be cut there any more, but what came of them is still said. */
static void session_forget(struct openai *p)
{
    p->wants_response = p->wants_response || p->is_answering || p->is_owed;
    openai_item_close(p);
    for (size_t i = 0; i < OPENAI_ITEMS; i++) {
        p->items[i].is_dead = true;
        p->items[i].id[0] = '\0';  /* another session may use the name again */
    }
    for (size_t i = 0; i < OPENAI_TOOLS_MAX; i++) {
        free(p->tools[i].call_id); /* a new session knows none of them */
        p->tools[i].call_id = NULL;
    }
    p->is_answering = false;
    p->response[0] = p->muted[0] = '\0';
    p->fed_us = 0;
    buf_clear(&p->early);
}

void openai_lost(struct openai *p, enum provider_error kind, bool may_retry, const char *detail)
{
    const bool again = may_retry && p->reconnects_left > 0;

    if (!openai_is_on(p))
        return;
    if (!again) {
        openai_fail(p, kind, detail);
        return;
    }
    detail_keep(p, detail);
    log_warn(&p->log, "line_lost", kv_str("why", p->fault_text), kv_str("next", "once more"));
    p->reconnects_left--;
    p->figures.reconnects++;
    openai_drop_line(p, 1000);
    session_forget(p);
    openai_connect(p);
}

struct verdict {
    enum provider_error kind;
    bool may_retry;
};

static struct verdict verdict_http(int status, struct text detail)
{
    const bool is_quota = text_find_text(detail, TEXT("insufficient_quota")) >= 0 || text_find_text(detail, TEXT("billing")) >= 0;

    if (status == 401 || status == 403)
        return (struct verdict){ PROVIDER_AUTH, false };
    if (status == 429)
        return (struct verdict){ is_quota ? PROVIDER_QUOTA : PROVIDER_RATE, false };
    if (status >= 500)
        return (struct verdict){ PROVIDER_SERVER, true };
    return (struct verdict){ PROVIDER_CONFIG, false };
}

/* The set of close codes after which a new session can work. */
static struct verdict verdict_close(int status)
{
    switch (status) {
    case 1008:
    case 3000:
        return (struct verdict){ PROVIDER_AUTH, false };
    case 1011:
    case 1012:
    case 1013:
        return (struct verdict){ PROVIDER_SERVER, true };
    case 1000:
    case 1001:
    case 1005:
    case 1006:
    case 1015:
        return (struct verdict){ PROVIDER_NET, true };
    default:
        return (struct verdict){ PROVIDER_SERVER, false };
    }
}

static struct verdict verdict_of(int err, int status, const char *detail)
{
    if (status >= 1000)
        return verdict_close(status);
    if (status > 0)
        return verdict_http(status, text_of(detail));
    if (err == -EKEYREJECTED || err == -EINVAL || err == -ENOENT)
        return (struct verdict){ PROVIDER_NET, false };
    return (struct verdict){ PROVIDER_NET, true };
}

/* ---- the WebSocket ---- */

static void on_open(struct websocket *w, void *arg)
{
    struct openai *p = arg;

    if (p->ws != w || p->state != OPENAI_CONNECTING)
        return;
    p->state = OPENAI_SETTING_UP;
    openai_write_session(&p->out, p->settings, TEXT("set-up"));
    openai_send(p);
}

static void on_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct openai *p = arg;
    struct openai_event e;
    int err;

    if (p->ws != w || !openai_is_on(p))
        return;
    p->figures.events++;
    err = is_text ? openai_event_read(&e, message) : -EINVAL;
    if (err) {
        if (p->figures.bad_events++ == 0)
            log_warn(&p->log, "bad_event", kv_int("bytes", (int64_t)message.n));
        if (p->figures.bad_events > BAD_EVENTS_MAX)
            openai_fail(p, PROVIDER_SERVER, "the service's messages cannot be understood");
        return;
    }
    openai_on_event(p, &e);
    openai_event_free(&e);
}

static void on_line_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct openai *p = arg;

    if (p->ws == w) {
        const struct verdict v = verdict_of(err, status, detail);

        p->ws = ref_drop(w);
        openai_lost(p, v.kind, v.may_retry, detail);
    }
    ref_drop(p);                   /* the line's */
}

static const struct websocket_handlers line_on = { .on_open = on_open, .on_message = on_message, .on_closed = on_line_closed };

/* Azure takes its key under another name. */
static bool is_azure(struct text url)
{
    const struct text rest = text_skip(url, sizeof "wss://" - 1);
    size_t end = 0;

    while (end < rest.n && rest.p[end] != '/' && rest.p[end] != ':' && rest.p[end] != '?')
        end++;
    return text_ends(text_head(rest, end), TEXT(".azure.com"));
}

static int line_open(struct openai *p, const char *url)
{
    char header[4200];
    const char *const headers[] = { header, NULL };
    const struct websocket_options opt = {
        .url = url,
        .headers = p->key ? headers : NULL,
        .connect_ms = p->setup_ms,
        .ping_ms = p->ping_ms,
        .message_max = MESSAGE_MAX,
        .queue_max = QUEUE_MAX,
    };
    int n = 0, err;

    if (p->key)
        n = snprintf(header, sizeof header, "%s%s", is_azure(text_of(url)) ? "api-key: " : "Authorization: Bearer ", p->key);
    err = n < 0 || (size_t)n >= sizeof header ? -EINVAL : websocket_open(&p->ws, p->dialer, &opt, &line_on, p);
    if (p->key)
        explicit_bzero(header, sizeof header);
    return err;
}

void openai_connect(struct openai *p)
{
    struct buf url;
    int err;

    p->state = OPENAI_CONNECTING;
    timer_start(p->watch, p->setup_ms);
    buf_init(&url, URL_MAX);
    err = openai_write_url(&url, p->settings);
    if (!err)
        err = buf_cstr(&url) ? line_open(p, url.p) : -ENOMEM;
    buf_free(&url);
    if (err)
        openai_fail(p, err == -ENOMEM ? PROVIDER_NET : PROVIDER_CONFIG, err_text(err));
    else
        ref_hold(p);               /* the line's, until on_line_closed */
}

void openai_send(struct openai *p)
{
    const bool is_audio = text_starts(buf_text(&p->out), TEXT("{\"type\":\"input_audio_buffer.append\""));
    int err = p->out.err;

    if (!err)
        err = p->ws ? websocket_send(p->ws, true, buf_text(&p->out)) : -EPIPE;
    buf_clear(&p->out);
    if (is_audio) {
        p->figures.sent_frames += !err;
        if (err && p->figures.dropped_frames++ == 0)
            log_warn(&p->log, "audio_dropped", kv_err(err));
    } else if (err && err != -EPIPE) {
        /* A lost control message would leave two ideas of one talk; from the pump, for we may be inside a call. */
        openai_fail(p, PROVIDER_NET, "a message to the service found no room");
    }
}

/* ---- a session that is ready ---- */

/* A new session is told what was said in the one before; an agent that takes over, what was said with the other. */
static void turns_send(struct openai *p)
{
    openai_write_message(&p->out, "system",
                         p->has_begun ? TEXT("The call was interrupted for technical reasons. Do not greet again; go on where it stopped.")
                                      : TEXT("You take over this call from another agent. What was said so far follows; do not ask for it again."));
    openai_send(p);
    for (size_t i = 0; i < p->words.count && p->ws; i++) {
        const struct talk_turn *t = talk_words_at(&p->words, i);

        if (!t->words[0])
            continue;
        openai_write_message(&p->out, t->is_agent ? "assistant" : "user", text_of(t->words));
        openai_send(p);
    }
}

static void early_send(struct openai *p)
{
    if (p->early.n == 0)
        return;
    openai_write_append(&p->out, p->early.p, p->early.n);
    openai_send(p);
    buf_clear(&p->early);
}

void openai_begin(struct openai *p)
{
    p->state = OPENAI_LIVE;
    openai_owe(p, false);
    timer_stop(p->watch);
    if (!timer_is_running(p->lifetime))
        timer_start(p->lifetime, LIFETIME_MS);
    if (p->newest > 0 || p->words.count > 0)
        turns_send(p);
    early_send(p);
    if (!p->has_begun) {
        p->has_begun = true;
        p->wants_response = true;
        p->base.on->on_ready(p->base.arg);
    }
    if (openai_is_on(p))
        openai_response_ask(p);
}
