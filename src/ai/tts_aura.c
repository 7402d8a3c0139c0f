/* Deepgram's voice: one WebSocket, kept between the texts of a call, and opened again when the service has closed it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "ai/deepgram_verdict.h"
#include "ai/tts_bought.h"
#include "base/ref.h"
#include "net/websocket.h"

enum {
    CONNECT_MS = 4000,
    PING_MS = 10 * 1000,
    MESSAGE_MAX = 4 * 1024 * 1024,
    QUEUE_MAX = 64 * 1024,
    HEADER_MAX = 4200,
    URL_MAX = 2000,
    OUT_MAX = 6 * TTS_WORDS_MAX + 100,     /* a byte may need six as JSON */
    FLUSHES_MAX = 18,              /* of a connection in a minute; more than 20 are passed over by the service */
    MINUTE_MS = 60 * 1000,
    BAD_MESSAGES_MAX = 10,         /* one behind the other */
};

enum line_state { LINE_NONE, LINE_CONNECTING, LINE_OPEN };

struct tts_aura {
    struct tts_bought common;
    struct dialer *dialer;
    enum line_state state;
    struct websocket *ws;          /* NULL: none. It holds a reference to us until its on_closed */
    struct buf out;
    bool is_asked;                 /* the text is with the service: its Flushed is due */
    bool is_again;                 /* it was sent on a second line already */
    unsigned clearing;             /* Cleared that are due: what comes before belongs to texts that were stopped */
    unsigned flushes, bad_run;     /* of this line */
    int64_t flushed_ms[FLUSHES_MAX]; /* the latest ones, a ring */
};

static struct tts_aura *aura_of(struct tts *t)
{
    return (struct tts_aura *)(void *)t;
}

/* A text is waiting for the service, or is being said by it. */
static bool is_wanted(const struct tts_aura *t)
{
    return t->common.is_saying && !t->common.is_at_hand;
}

static void fault(struct tts_aura *t, enum provider_error kind, bool may_retry, const char *detail)
{
    if (is_wanted(t))
        bought_fault(&t->common, kind, may_retry, detail);
}

static void line_drop(struct tts_aura *t)
{
    struct websocket *w = t->ws;

    t->ws = NULL;
    t->state = LINE_NONE;
    t->is_asked = false;
    t->clearing = 0;
    if (w) {
        websocket_close(w, 1000, NULL);
        ref_drop(w);
    }
}

/* After a fault nobody knows what the line still holds. */
static void drop(struct tts_bought *b)
{
    line_drop(aura_of(&b->base));
}

/* ---- what we say ---- */

static int out_send(struct tts_aura *t)
{
    const int err = t->out.err ? t->out.err : websocket_send(t->ws, true, buf_text(&t->out));

    buf_clear(&t->out);
    return err;
}

static int text_send(struct tts_aura *t)
{
    int err;

    buf_clear(&t->out);
    buf_add_text(&t->out, TEXT("{\"type\":\"Speak\",\"text\":\""));
    buf_add_json(&t->out, text_trim(buf_text(&t->common.words)));
    buf_add_text(&t->out, TEXT("\"}"));
    err = out_send(t);
    if (!err) {
        buf_add_text(&t->out, TEXT("{\"type\":\"Flush\"}"));
        err = out_send(t);
    }
    t->is_asked = !err;
    t->flushed_ms[t->flushes++ % FLUSHES_MAX] = loop_now_ms(t->common.loop);
    return err;
}

static bool minute_is_full(const struct tts_aura *t)
{
    return t->flushes >= FLUSHES_MAX && loop_now_ms(t->common.loop) - t->flushed_ms[t->flushes % FLUSHES_MAX] <= MINUTE_MS;
}

/* ---- what the service says ---- */

static void warned(struct tts_aura *t, const cJSON *message)
{
    const cJSON *code = cJSON_GetObjectItemCaseSensitive(message, "code");
    const char *word = cJSON_IsString(code) ? code->valuestring : "";

    log_warn(&t->common.log, "warning", kv_str("code", word));
    if (strstr(word, "EXCESSIVE_FLUSH")) /* its Flushed will not come */
        fault(t, PROVIDER_RATE, true, "too many texts in a minute");
}

static void bad_message(struct tts_aura *t, size_t bytes)
{
    if (t->bad_run++ == 0)
        log_warn(&t->common.log, "bad_event", kv_int("bytes", (int64_t)bytes));
    if (t->bad_run > BAD_MESSAGES_MAX)
        fault(t, PROVIDER_SERVER, true, "the service's messages cannot be understood");
}

static void text_take(struct tts_aura *t, struct text message)
{
    cJSON *tree = cJSON_ParseWithLength(message.p, message.n);
    const cJSON *type = cJSON_GetObjectItemCaseSensitive(tree, "type");
    const char *word = cJSON_IsString(type) ? type->valuestring : "";

    t->bad_run = word[0] ? 0 : t->bad_run;
    if (word[0] == 0) {
        bad_message(t, message.n);
    } else if (strcmp(word, "Flushed") == 0 && t->is_asked && t->clearing == 0) {
        t->is_asked = false;
        bought_done(&t->common);
    } else if (strcmp(word, "Cleared") == 0) {
        t->clearing -= t->clearing > 0;
    } else if (strcmp(word, "Warning") == 0) {
        warned(t, tree);
    } else if (strcmp(word, "Error") == 0) {
        fault(t, PROVIDER_SERVER, true, "the service tells of an error");
    }
    cJSON_Delete(tree);
}

static void on_message(struct websocket *w, bool is_text, struct text message, void *arg)
{
    struct tts_aura *t = arg;

    if (t->ws != w)
        return;
    if (is_text)
        text_take(t, message);
    else if (t->is_asked && t->clearing == 0)
        bought_hear(&t->common, message);
}

/* ---- the line ---- */

static int line_open(struct tts_aura *t);

static void on_open(struct websocket *w, void *arg)
{
    struct tts_aura *t = arg;

    if (t->ws != w)
        return;
    t->state = LINE_OPEN;
    t->flushes = t->bad_run = 0;
    if (is_wanted(t) && text_send(t))
        fault(t, PROVIDER_NET, true, "a message to the service found no room");
}

/* A line that is closed while we do not need it is nobody's trouble; one that is found closed is opened once more. */
static void line_lost(struct tts_aura *t, struct deepgram_verdict v, const char *detail)
{
    const bool was_open = t->state == LINE_OPEN;
    struct tts_bought *b = &t->common;

    t->state = LINE_NONE;
    t->is_asked = false;
    t->clearing = 0;
    if (!is_wanted(t)) {
        log_info(&b->log, "line_closed", kv_str("kind", provider_error_name(v.kind)), kv_str("next", "opened with the next text"));
        return;
    }
    if (was_open && !b->has_sound && !t->is_again && v.may_retry && v.kind != PROVIDER_RATE) {
        t->is_again = true;
        if (line_open(t) == 0)
            return;
    }
    bought_fault(b, v.kind, v.may_retry, detail);
}

static void on_line_closed(struct websocket *w, int err, int status, const char *detail, void *arg)
{
    struct tts_aura *t = arg;

    if (t->ws == w) {
        t->ws = ref_drop(w);
        line_lost(t, deepgram_verdict_of(err, status, text_of(detail)), detail);
    }
    ref_drop(t);                   /* the line's */
}

static int url_write(const struct tts_settings *s, char *out, size_t size)
{
    struct text base = text_of(s->url ? s->url : TTS_AURA_URL);
    const char *model = s->voice ? s->voice : s->model ? s->model : TTS_AURA_MODEL;
    struct buf b;

    buf_init(&b, size - 1);
    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    buf_add_text(&b, base);
    buf_add_text(&b, TEXT("/v1/speak?model="));
    buf_add_url(&b, text_of(model));
    buf_addf(&b, "&encoding=linear16&sample_rate=%d", TTS_HZ);
    const int err = b.err == -ENOBUFS ? -EINVAL : b.err;

    if (!err)
        text_copy(out, size, buf_text(&b));
    buf_free(&b);
    return err;
}

static int line_open(struct tts_aura *t)
{
    static const struct websocket_handlers on = { .on_open = on_open, .on_message = on_message, .on_closed = on_line_closed };
    const struct tts_settings *s = t->common.settings;
    const bool has_key = s->key && s->key[0];
    char url[URL_MAX], header[HEADER_MAX];
    const char *const headers[] = { header, NULL };
    const struct websocket_options opt = {
        .url = url, .headers = has_key ? headers : NULL, .connect_ms = CONNECT_MS, .ping_ms = PING_MS, .message_max = MESSAGE_MAX,
        .queue_max = QUEUE_MAX,
    };
    const int n = has_key ? snprintf(header, sizeof header, "Authorization: Token %s", s->key) : 0;
    int err = n < 0 || (size_t)n >= sizeof header ? -EINVAL : url_write(s, url, sizeof url);

    if (!err)
        err = websocket_open(&t->ws, t->dialer, &opt, &on, t);
    if (has_key)
        explicit_bzero(header, sizeof header);
    if (err)
        return err;
    t->state = LINE_CONNECTING;
    ref_hold(t);                   /* the line's, until on_line_closed */
    return 0;
}

/* ---- asking ---- */

/* -EPIPE: the line is being closed and we have not been told yet; then another. */
static int ask(struct tts_aura *t)
{
    if (t->state == LINE_OPEN) {
        const int err = minute_is_full(t) ? -EPIPE : text_send(t);

        if (err != -EPIPE)
            return err;
        line_drop(t);
    }
    return t->state == LINE_CONNECTING ? 0 : line_open(t);
}

static int say(struct tts *base, struct text words)
{
    struct tts_aura *t = aura_of(base);
    int err = bought_say(&t->common, words, TTS_HZ);

    if (err || t->common.is_at_hand)
        return err;
    t->is_again = false;
    err = ask(t);
    if (err)
        bought_hush(&t->common);
    else
        bought_await(&t->common);
    return err;
}

static void stop(struct tts *base)
{
    struct tts_aura *t = aura_of(base);

    bought_hush(&t->common);
    if (!t->is_asked)
        return;
    t->is_asked = false;
    t->clearing++;
    buf_add_text(&t->out, TEXT("{\"type\":\"Clear\"}"));
    if (out_send(t))
        line_drop(t);
}

/* ---- its life ---- */

static void free_voice(struct tts *base)
{
    struct tts_aura *t = aura_of(base);

    bought_hush(&t->common);
    if (t->state == LINE_OPEN) {
        buf_clear(&t->out);
        buf_add_text(&t->out, t->is_asked ? TEXT("{\"type\":\"Clear\"}") : TEXT("{\"type\":\"Close\"}"));
        if (out_send(t))
            log_debug(&t->common.log, "goodbye_not_sent");
    }
    line_drop(t);
    ref_drop(base);
}

static void destroy(void *obj)
{
    struct tts_aura *t = obj;

    buf_free(&t->out);
    bought_end(&t->common);
}

static const struct tts_ops ops = { .say = say, .stop = stop, .free = free_voice };

int tts_aura_new(struct tts **out, struct loop *l, struct dialer *d, const struct tts_settings *s, const struct log *log,
                 const struct tts_handlers *on, void *arg)
{
    struct tts_aura *t = ref_new(sizeof *t, destroy);
    int err;

    if (!t)
        return -ENOMEM;
    t->dialer = d;
    t->common.base.ops = &ops;
    t->common.drop = drop;
    buf_init(&t->out, OUT_MAX);
    err = bought_begin(&t->common, l, s, log, "tts_aura", on, arg);
    if (!err)
        err = line_open(t);
    if (err) {
        ref_drop(t);
        return err;
    }
    *out = &t->common.base;
    return 0;
}
