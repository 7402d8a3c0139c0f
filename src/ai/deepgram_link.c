/* Keeps the WebSocket of a Voice Agent session: opens it, judges how it ended, opens it once more. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ai/deepgram_internal.h"
#include "ai/deepgram_verdict.h"
#include "base/ref.h"

enum {
    MESSAGE_MAX = 4 * 1024 * 1024,
    QUEUE_MAX = 256 * 1024,        /* 32 s of mu-law: by then the line is dead */
    BAD_EVENTS_MAX = 10,           /* one behind the other */
    LIFETIME_MS = 55 * 60 * 1000,  /* sessions end after about an hour */
    JITTER_MS = 200,
};

/* ---- the end of a line ---- */

/* A server may repeat what it was sent. */
static void detail_keep(struct deepgram *p, const char *detail)
{
    if (p->key && p->key[0] && strstr(detail, p->key))
        detail = "the server's words held the key and are not repeated";
    text_copy(p->fault_text, sizeof p->fault_text, text_of(detail));
}

/* May be called from anywhere: the conversation is told from the pump. */
void deepgram_fail(struct deepgram *p, enum provider_error kind, const char *detail)
{
    if (!deepgram_is_on(p))
        return;
    p->state = DEEPGRAM_OVER;
    p->fault = kind;
    p->has_fault = true;
    detail_keep(p, detail);
    timer_stop(p->watch);
    timer_stop(p->retry);
    timer_stop(p->alive);
    deepgram_drop_line(p, 1000);
    timer_start(p->pump, 0);
}

void deepgram_drop_line(struct deepgram *p, int status)
{
    struct websocket *w = p->ws;

    p->ws = NULL;
    if (w) {
        websocket_close(w, status, NULL);
        ref_drop(w);
    }
}

/* What came of the broken answer is still said. */
static void session_forget(struct deepgram *p)
{
    p->was_owed = p->was_owed || p->is_owed || p->open > 0;
    deepgram_item_close(p);
    for (size_t i = 0; i < DEEPGRAM_TOOLS_MAX; i++) {
        free(p->tools[i].id);      /* a new session knows none of them */
        p->tools[i].id = NULL;
    }
    p->is_owed = p->is_muted = p->is_caller_speaking = false;
    buf_clear(&p->early);
}

void deepgram_lost(struct deepgram *p, enum provider_error kind, bool may_retry, const char *detail)
{
    if (!deepgram_is_on(p))
        return;
    if (!may_retry || p->reconnects_left == 0) {
        deepgram_fail(p, kind, detail);
        return;
    }
    detail_keep(p, detail);
    log_warn(&p->log, "line_lost", kv_str("why", p->fault_text), kv_str("next", "once more"));
    p->reconnects_left--;
    p->figures.reconnects++;
    deepgram_drop_line(p, 1000);
    session_forget(p);
    p->state = DEEPGRAM_CONNECTING;
    timer_stop(p->alive);
    timer_stop(p->watch);
    if (kind == PROVIDER_RATE)     /* another call may end meanwhile; spread, for others wait as well */
        timer_start(p->retry, p->retry_ms + loop_now_ms(p->loop) % JITTER_MS);
    else
        deepgram_connect(p);
}

/* ---- the WebSocket ---- */

static void on_open(struct websocket *w, void *arg)
{
    struct deepgram *p = arg;

    if (p->ws != w || p->state != DEEPGRAM_CONNECTING)
        return;
    p->state = DEEPGRAM_SETTING_UP;
    deepgram_write_settings(&p->out, p->settings, &p->words, !p->has_begun);
    deepgram_send(p);
}

static void on_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct deepgram *p = arg;
    struct deepgram_event e;

    if (p->ws != w || !deepgram_is_on(p))
        return;
    if (!is_text) {
        deepgram_on_sound(p, message);
        return;
    }
    p->figures.events++;
    if (deepgram_event_read(&e, message)) {
        if (p->figures.bad_events++ == 0)
            log_warn(&p->log, "bad_event", kv_int("bytes", (int64_t)message.n));
        if (++p->bad_run > BAD_EVENTS_MAX)
            deepgram_fail(p, PROVIDER_SERVER, "the service's messages cannot be understood");
        else if (p->state == DEEPGRAM_LIVE && !p->is_owed)
            deepgram_owe(p, true); /* it may have been what the talk waits for */
        return;
    }
    p->bad_run = 0;
    deepgram_on_event(p, &e);
    deepgram_event_free(&e);
}

static void on_line_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct deepgram *p = arg;

    if (p->ws == w) {
        const struct deepgram_verdict v = deepgram_verdict_of(err, status, text_of(detail));

        p->ws = ref_drop(w);
        deepgram_lost(p, v.kind, v.may_retry, detail);
    }
    ref_drop(p);                   /* the line's */
}

static const struct websocket_handlers line_on = { .on_open = on_open, .on_message = on_message, .on_closed = on_line_closed };

void deepgram_connect(struct deepgram *p)
{
    char header[4200];
    const char *const headers[] = { header, NULL };
    const struct websocket_options opt = {
        .url = p->settings->url ? p->settings->url : DEEPGRAM_URL,
        .headers = p->key ? headers : NULL,
        .connect_ms = p->setup_ms,
        .ping_ms = p->ping_ms,
        .message_max = MESSAGE_MAX,
        .queue_max = QUEUE_MAX,
    };
    int n = 0, err;

    p->state = DEEPGRAM_CONNECTING;
    timer_start(p->watch, p->setup_ms);
    if (p->key)
        n = snprintf(header, sizeof header, "Authorization: Token %s", p->key);
    err = n < 0 || (size_t)n >= sizeof header ? -EINVAL : websocket_open(&p->ws, p->dialer, &opt, &line_on, p);
    if (p->key)
        explicit_bzero(header, sizeof header);
    if (err)
        deepgram_fail(p, err == -ENOMEM ? PROVIDER_NET : PROVIDER_CONFIG, err_text(err));
    else
        ref_hold(p);               /* the line's, until on_line_closed */
}

void deepgram_send(struct deepgram *p)
{
    int err = p->out.err;

    if (!err)
        err = p->ws ? websocket_send(p->ws, true, buf_text(&p->out)) : -EPIPE;
    buf_clear(&p->out);
    if (err && err != -EPIPE) /* a lost message would leave two ideas of one talk */
        deepgram_fail(p, PROVIDER_NET, "a message to the service found no room");
}

void deepgram_send_audio(struct deepgram *p, const void *bytes, size_t n)
{
    const int err = n == 0 ? 0 : p->ws ? websocket_send(p->ws, false, text_make(bytes, n)) : -EPIPE;

    p->has_sent = p->has_sent || !err;
    p->figures.sent_frames += !err;
    if (err && p->figures.dropped_frames++ == 0)
        log_warn(&p->log, "audio_dropped", kv_err(err));
}

/* ---- a session that is ready ---- */

void deepgram_begin(struct deepgram *p)
{
    const bool is_first = !p->has_begun;

    p->state = DEEPGRAM_LIVE;
    timer_stop(p->watch);
    p->has_sent = false;
    p->odd = -1;
    timer_start(p->alive, p->alive_ms);
    timer_start(p->lifetime, LIFETIME_MS);
    p->has_begun = true;
    if (p->early.n > 0)
        deepgram_send_audio(p, p->early.p, p->early.n);
    buf_clear(&p->early);
    if (is_first) {
        deepgram_owe(p, p->settings->greeting != NULL);
        p->base.on->on_ready(p->base.arg);
    } else if (p->asked) {
        deepgram_ask(p, text_of(p->asked));
    } else if (p->was_owed) {
        deepgram_ask(p, TEXT("The line was interrupted for a moment. Please go on where you stopped."));
    }
    p->was_owed = false;
    free(p->asked);
    p->asked = NULL;
}
