/* The Realtime provider as the conversation sees it: hears, is told what was heard, and goes.
 *
 *   IDLE -> CONNECTING -> SETTING_UP -> LIVE -> OVER (failed) -> CLOSED
 *              ^------- line lost, once -----'
 *
 * openai_link.c keeps the line, openai_turn.c follows the talk, openai_event.c and openai_write.c know the messages. */
#include "ai/openai_realtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ai/openai_internal.h"
#include "audio/g711.h"
#include "base/clock.h"
#include "base/ref.h"

enum {
    ULAW_HZ = 8000,
    PCM_HZ = 24000,
    FRAME_MAX = 4800,              /* samples converted at once */
    EARLY_MS = 2000,               /* kept of what the caller says before the session is ready */
    OUT_MAX = 512 * 1024,          /* one message: instructions and tools */
    SETUP_MS = 6000,
    STALL_MS = 4000,
    PING_MS = 3000,
    RETRY_MS = 500,
    KEYS_MS = 1500,
    RENEWAL_AGAIN_MS = 1000,
};

static struct openai *openai_of(struct provider *base)
{
    return (struct openai *)base;
}

/* ---- hearing ---- */

static void early_keep(struct openai *p, const unsigned char *bytes, size_t n)
{
    if (p->early.n + n > p->early.max) {
        p->figures.dropped_frames++;
        buf_drop(&p->early, n < p->early.n ? n : p->early.n);
    }
    buf_add(&p->early, bytes, n);
    p->early.err = 0;              /* what finds no room is lost, the rest is not */
}

static void frame_hear(struct openai *p, const int16_t *pcm, size_t n, int64_t at_us)
{
    unsigned char bytes[FRAME_MAX * 2];
    size_t size = n;

    if (p->settings->audio == OPENAI_ULAW) {
        ulaw_write(bytes, pcm, n);
    } else {
        size = n * 2;
        for (size_t i = 0; i < n; i++) {
            bytes[2 * i] = (unsigned char)((uint16_t)pcm[i] & 0xff);
            bytes[2 * i + 1] = (unsigned char)((uint16_t)pcm[i] >> 8);
        }
    }
    if (p->fed_us == 0)
        p->fed_us = at_us;
    if (p->state == OPENAI_LIVE) {
        openai_write_append(&p->out, bytes, size);
        openai_send(p);
    } else {
        early_keep(p, bytes, size);
    }
}

static void hear(struct provider *base, const int16_t *pcm, size_t n, int64_t at_us)
{
    struct openai *p = openai_of(base);

    while (n > 0 && openai_is_on(p)) {
        const size_t piece = n < FRAME_MAX ? n : FRAME_MAX;

        frame_hear(p, pcm, piece, at_us);
        pcm += piece;
        n -= piece;
    }
}

/* ---- digits ---- */

static void on_keys(void *arg)
{
    struct openai *p = arg;
    char words[OPENAI_DIGITS_MAX + 40] = "The caller pressed on the phone: ";

    if (p->state == OPENAI_LIVE && p->digit_count > 0) {
        strncat(words, p->digits, p->digit_count);
        talk_words_add(&p->words, false, 0, text_of(words));
        openai_write_message(&p->out, "user", text_of(words));
        openai_send(p);
        p->wants_response = true;
        openai_response_ask(p);
    }
    p->digit_count = 0;
}

static void digit(struct provider *base, char c)
{
    struct openai *p = openai_of(base);

    if (!openai_is_on(p) || p->digit_count == OPENAI_DIGITS_MAX)
        return;
    p->digits[p->digit_count++] = c;
    p->digits[p->digit_count] = '\0';
    timer_start(p->keys, KEYS_MS);
}

/* ---- the conversation's other calls ---- */

static void interrupted(struct provider *base, uint32_t item, unsigned played_ms)
{
    openai_interrupted(openai_of(base), item, played_ms);
}

static void heard(struct provider *base, uint32_t item)
{
    struct openai *p = openai_of(base);

    if (item > p->heard)
        p->heard = item;
}

static void tool_result(struct provider *base, uint32_t id, int err, struct text result)
{
    struct openai *p = openai_of(base);

    if (openai_is_on(p))
        openai_tool_answer(p, id, err, result);
}

static void start(struct provider *base)
{
    openai_connect(openai_of(base));
}

static void figures_log(const struct openai *p)
{
    const struct openai_figures *f = &p->figures;

    log_info(&p->log, "session", kv_int("answers", f->responses), kv_int("failed", f->failed), kv_int("cuts", f->truncations),
             kv_int("reconnects", f->reconnects), kv_int("sent", (int64_t)f->sent_frames), kv_int("dropped", (int64_t)f->dropped_frames),
             kv_int("events", (int64_t)f->events), kv_int("bad_events", (int64_t)f->bad_events), kv_int("bad_audio", (int64_t)f->bad_audio),
             kv_int("late_audio", (int64_t)f->late_audio), kv_int("errors", (int64_t)f->errors));
}

static void close_provider(struct provider *base)
{
    struct openai *p = openai_of(base);

    if (p->state == OPENAI_CLOSED)
        return;
    p->state = OPENAI_CLOSED;
    timer_stop(p->watch);
    timer_stop(p->retry);
    timer_stop(p->keys);
    timer_stop(p->lifetime);
    openai_drop_line(p, 1000);     /* it closes in order behind our back: the caller does not wait for that */
    figures_log(p);
    timer_start(p->pump, 0);
}

static void remember(struct provider *base, const struct talk_words *before)
{
    talk_words_copy(&openai_of(base)->words, before);
}

static const struct provider_ops ops = {
    .start = start,
    .hear = hear,
    .digit = digit,
    .interrupted = interrupted,
    .heard = heard,
    .tool_result = tool_result,
    .close = close_provider,
    .remember = remember,
};

/* ---- time ---- */

static void on_pump(void *arg)
{
    struct openai *p = arg;

    if (p->state == OPENAI_CLOSED) {
        if (p->base.on)
            p->base.on->on_closed(p->base.arg);
        ref_drop(p);               /* the conversation's */
    } else if (p->has_fault) {
        p->has_fault = false;
        p->base.on->on_error(p->fault, text_of(p->fault_text), p->base.arg);
    }
}

static void on_watch(void *arg)
{
    struct openai *p = arg;

    if (p->state == OPENAI_LIVE)
        openai_lost(p, PROVIDER_NET, true, "the service went silent in the middle of an answer");
    else if (openai_is_on(p))
        openai_lost(p, PROVIDER_NET, true, "the session was not ready in time");
}

static void on_retry(void *arg)
{
    struct openai *p = arg;

    p->wants_response = true;
    openai_response_ask(p);
}

/* The service ends a session after 60 minutes: a new one takes over while nobody speaks. It does not count as a failure. */
static void on_lifetime(void *arg)
{
    struct openai *p = arg;
    const bool is_pause = p->state == OPENAI_LIVE && !p->is_owed && !p->is_answering && p->tools_open == 0 && p->heard == p->newest;

    if (!is_pause) {
        timer_start(p->lifetime, RENEWAL_AGAIN_MS);
        return;
    }
    p->reconnects_left++;
    openai_lost(p, PROVIDER_EXPIRED, true, "the session is old");
}

/* ---- construction ---- */

static void destroy(void *obj)
{
    struct openai *p = obj;

    timer_free(p->pump);
    timer_free(p->watch);
    timer_free(p->retry);
    timer_free(p->keys);
    timer_free(p->lifetime);
    for (size_t i = 0; i < OPENAI_TOOLS_MAX; i++)
        free(p->tools[i].call_id);
    talk_words_free(&p->words);
    buf_free(&p->out);
    buf_free(&p->early);
    if (p->key)
        explicit_bzero(p->key, strlen(p->key));
    free(p->key);
}

static int timers_make(struct openai *p)
{
    const struct {
        struct timer **timer;
        void (*on_time)(void *arg);
    } all[] = { { &p->pump, on_pump }, { &p->watch, on_watch }, { &p->retry, on_retry }, { &p->keys, on_keys }, { &p->lifetime, on_lifetime } };
    int err = 0;

    for (size_t i = 0; i < sizeof all / sizeof *all && !err; i++)
        err = timer_new(all[i].timer, p->loop, all[i].on_time, p);
    return err;
}

int openai_realtime_new(struct provider **out, struct loop *l, const struct openai_options *opt, const struct log *log)
{
    struct openai *p = ref_new(sizeof *p, destroy);
    int err;

    if (!p)
        return -ENOMEM;
    p->base.ops = &ops;
    p->base.rate_hz = opt->settings->audio == OPENAI_ULAW ? ULAW_HZ : PCM_HZ;
    p->log = log_for(log, "openai");
    p->loop = l;
    p->dialer = opt->dialer;
    p->settings = opt->settings;
    p->setup_ms = opt->setup_ms ? opt->setup_ms : SETUP_MS;
    p->stall_ms = opt->stall_ms ? opt->stall_ms : STALL_MS;
    p->ping_ms = opt->ping_ms ? opt->ping_ms : PING_MS;
    p->retry_ms = opt->retry_ms ? opt->retry_ms : RETRY_MS;
    p->reconnects_left = 1;
    buf_init(&p->out, OUT_MAX);
    buf_init(&p->early, (size_t)p->base.rate_hz / 1000 * EARLY_MS * (opt->settings->audio == OPENAI_ULAW ? 1 : 2));
    err = timers_make(p);
    if (!err && opt->key) {
        p->key = strdup(opt->key);
        err = p->key ? 0 : -ENOMEM;
    }
    if (err) {
        ref_drop(p);
        return err;
    }
    *out = &p->base;
    return 0;
}
