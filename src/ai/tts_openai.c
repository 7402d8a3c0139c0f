/* A voice over HTTP: OpenAI's /audio/speech and the servers that copy it. */
#include <errno.h>

#include "ai/chat_answer.h"
#include "ai/service.h"
#include "ai/tts_bought.h"
#include "base/ref.h"

enum {
    USUAL_HZ = 24000,
    BODY_MAX = 6 * TTS_WORDS_MAX + 4096,  /* a byte may need six as JSON */
    WHOLE_MS = 200 * 1000,
    RETRY_AFTER_MAX_S = 2,         /* longer than that nobody waits on the phone */
};

struct tts_openai {
    struct tts_bought common;
    struct dialer *dialer;
    struct http_request *request;
    struct buf body;
    int64_t retry_after_s;
};

static struct tts_openai *openai_of(struct tts *t)
{
    return (struct tts_openai *)(void *)t;
}

static void drop(struct tts_bought *b)
{
    struct tts_openai *t = openai_of(&b->base);

    http_cancel(t->request);
    t->request = NULL;
}

/* ---- the answer ---- */

static void on_piece(struct text bytes, void *arg)
{
    struct tts_openai *t = arg;

    bought_hear(&t->common, bytes);
}

static void refused(struct tts_openai *t, int status, struct text body)
{
    const enum provider_error kind = chat_error_of(status, body);
    const bool may_retry = kind == PROVIDER_SERVER || (kind == PROVIDER_RATE && t->retry_after_s <= RETRY_AFTER_MAX_S);
    char detail[200];

    chat_error_text(status, body, detail, sizeof detail);
    bought_fault(&t->common, kind, may_retry, detail);
}

static void on_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct tts_openai *t = arg;

    t->request = NULL;
    if (err == -EMSGSIZE)
        bought_fault(&t->common, PROVIDER_SERVER, true, detail);
    else if (err)
        bought_fault(&t->common, PROVIDER_NET, err != -EKEYREJECTED && err != -EINVAL, detail);
    else if (status < 200 || status > 299)
        refused(t, status, body);
    else
        bought_done(&t->common);
}

/* ---- asking ---- */

static int body_write(struct tts_openai *t)
{
    const struct tts_settings *s = t->common.settings;

    buf_clear(&t->body);
    buf_add_text(&t->body, TEXT("{\"model\":\""));
    buf_add_json(&t->body, text_of(s->model ? s->model : TTS_OPENAI_MODEL));
    buf_add_text(&t->body, TEXT("\",\"voice\":\""));
    buf_add_json(&t->body, text_of(s->voice ? s->voice : TTS_OPENAI_VOICE));
    buf_add_text(&t->body, TEXT("\",\"response_format\":\"pcm\",\"input\":\""));
    buf_add_json(&t->body, text_trim(buf_text(&t->common.words)));
    return buf_add_text(&t->body, TEXT("\"}"));
}

static int request_send(struct tts_openai *t)
{
    const struct tts_settings *s = t->common.settings;
    const struct service_call call = { .base = s->url ? s->url : TTS_OPENAI_URL, .path = "/audio/speech", .key = s->key };
    const struct http_options opt = {
        .method = "POST", .body = buf_text(&t->body), .timeout_ms = WHOLE_MS, .body_max = bought_bytes_max(&t->common),
        .retry_after_s = &t->retry_after_s, .on_piece = on_piece,
    };

    t->retry_after_s = 0;
    return service_send(&t->request, t->dialer, &call, "Content-Type: application/json", NULL, &opt, on_answer, t);
}

static int say(struct tts *base, struct text words)
{
    struct tts_openai *t = openai_of(base);
    const unsigned rate_hz = t->common.settings->rate_hz;
    int err = bought_say(&t->common, words, rate_hz ? rate_hz : USUAL_HZ);

    if (err || t->common.is_at_hand)
        return err;
    err = body_write(t);
    if (!err)
        err = request_send(t);
    if (err)
        bought_hush(&t->common);
    else
        bought_await(&t->common);
    return err;
}

static void stop(struct tts *base)
{
    struct tts_openai *t = openai_of(base);

    bought_hush(&t->common);
    drop(&t->common);
}

/* ---- its life ---- */

static void free_voice(struct tts *base)
{
    stop(base);
    ref_drop(base);
}

static void destroy(void *obj)
{
    struct tts_openai *t = obj;

    http_cancel(t->request);
    buf_free(&t->body);
    bought_end(&t->common);
}

static const struct tts_ops ops = { .say = say, .stop = stop, .free = free_voice };

int tts_openai_new(struct tts **out, struct loop *l, struct dialer *d, const struct tts_settings *s, const struct log *log,
                   const struct tts_handlers *on, void *arg)
{
    struct tts_openai *t = ref_new(sizeof *t, destroy);
    int err;

    if (!t)
        return -ENOMEM;
    t->dialer = d;
    t->common.base.ops = &ops;
    t->common.drop = drop;
    buf_init(&t->body, BODY_MAX);
    err = bought_begin(&t->common, l, s, log, "tts_openai", on, arg);
    if (err) {
        ref_drop(t);
        return err;
    }
    *out = &t->common.base;
    return 0;
}
