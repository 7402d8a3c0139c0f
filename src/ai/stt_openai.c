/* Ears of a pipeline that send each utterance to OpenAI's /audio/transcriptions or a server like it.
 *
 *   ear -> utterance -> upload -> words -> on_turn
 *                         ^  once more after silence, 5xx, 429, nonsense
 *                         a second failure ends the ears: the pipeline knows whom to ask next */
#include "ai/stt.h"

#include <errno.h>
#include <stdlib.h>

#include "ai/chat_answer.h"
#include "ai/service.h"
#include "ai/stt_own.h"
#include "ai/transcription.h"

enum {
    SPEECH_MAX_MS = 30000,
    LEAST_MS = 150,                /* voiced: clicks; a "no" on the phone has about 200 */
    BODY_MAX = 1024 * 1024,        /* twice what 30 s take; the service's own ceiling is 25 MB */
    ANSWER_MAX = 64 * 1024,
    ANSWER_MS = 4000,              /* and as much again as a tenth of the sound, for its upload */
    RETRY_MS = 300,
    RETRY_AFTER_MAX_S = 2,         /* longer than that nobody waits on the phone */
};

struct stt_openai {
    struct stt_own own;            /* first */
    struct dialer *dialer;
    const struct stt_settings *settings;
    struct timer *retry;
    struct http_request *request;
    struct buf body;               /* kept for the second time */
    char header[TRANSCRIPTION_HEADER_MAX];
    int64_t timeout_ms, retry_after_s;
    bool is_retried;
};

static void done(struct stt_openai *s, struct text words)
{
    buf_free(&s->body);            /* not kept for the rest of the call: it may be half a megabyte */
    buf_init(&s->body, BODY_MAX);
    stt_own_understood(&s->own, words, TEXT_NONE, 0);
}

static void broken(struct stt_openai *s, enum provider_error kind, bool may_retry, const char *detail)
{
    const int64_t retry_ms = s->settings->retry_ms ? s->settings->retry_ms : RETRY_MS;
    char safe[STT_DETAIL_MAX];

    if (!may_retry || s->is_retried) {
        stt_core_fail(&s->own.core, kind, s->settings->key, detail);
        return;
    }
    service_detail(safe, sizeof safe, s->settings->key, detail);
    log_warn(&s->own.core.log, "asked_again", kv_str("kind", provider_error_name(kind)), kv_str("why", safe));
    s->is_retried = true;
    timer_start(s->retry, s->retry_after_s > 0 ? s->retry_after_s * 1000 : retry_ms);
}

static void refused(struct stt_openai *s, int status, struct text body)
{
    const enum provider_error kind = chat_error_of(status, body);
    char detail[STT_DETAIL_MAX];

    chat_error_text(status, body, detail, sizeof detail);
    broken(s, kind, kind == PROVIDER_SERVER || (kind == PROVIDER_RATE && s->retry_after_s <= RETRY_AFTER_MAX_S), detail);
}

static void on_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct stt_openai *s = arg;
    struct buf words;

    s->request = NULL;
    if (err) {
        broken(s, PROVIDER_NET, err != -EKEYREJECTED && err != -EINVAL && err != -ENOENT, detail);
        return;
    }
    if (status < 200 || status > 299) {
        refused(s, status, body);
        return;
    }
    buf_init(&words, STT_WORDS_MAX);
    err = transcription_read(&words, body);
    if (err)
        broken(s, PROVIDER_SERVER, true, err == -EBADMSG ? "the transcription has no text" : err_text(err));
    else
        done(s, buf_text(&words));
    buf_free(&words);
}

static int send_request(struct stt_openai *s)
{
    const struct service_call call = {
        .base = s->settings->url ? s->settings->url : STT_OPENAI_URL, .path = "/audio/transcriptions", .key = s->settings->key,
    };
    const struct http_options opt = {
        .method = "POST", .body = buf_text(&s->body), .timeout_ms = s->timeout_ms, .body_max = ANSWER_MAX, .retry_after_s = &s->retry_after_s,
    };

    s->retry_after_s = 0;
    return service_send(&s->request, s->dialer, &call, s->header, NULL, &opt, on_answer, s);
}

static void on_retry(void *arg)
{
    struct stt_openai *s = arg;
    const int err = send_request(s);

    if (err)
        stt_core_fail(&s->own.core, PROVIDER_CONFIG, s->settings->key, err_text(err));
}

static int understand(struct stt_own *o, const int16_t *pcm, size_t n)
{
    struct stt_openai *s = (struct stt_openai *)o;
    int err;

    buf_clear(&s->body);
    s->is_retried = false;
    s->timeout_ms = (s->settings->answer_ms ? s->settings->answer_ms : ANSWER_MS) + (int64_t)n * 1000 / STT_HZ / 10;
    err = transcription_write(&s->body, s->header, s->settings, pcm, n);
    if (!err)
        err = send_request(s);
    if (err == -EINVAL)            /* an address or a key that cannot be sent: it will not be better with the next words */
        stt_core_fail(&o->core, PROVIDER_CONFIG, s->settings->key, "the address or the key of the transcription service cannot be used");
    return err;
}

static void stop(struct stt_openai *s)
{
    http_cancel(s->request);
    s->request = NULL;
    timer_stop(s->retry);
}

static void discard(struct stt *base)
{
    struct stt_openai *s = (struct stt_openai *)base;
    const bool was_busy = s->own.is_busy;

    stt_own_discard(base);
    if (!was_busy || !stt_core_is_on(&s->own.core))
        return;
    stop(s);
    done(s, TEXT(""));
}

static void close_openai(struct stt *base)
{
    struct stt_openai *s = (struct stt_openai *)base;

    if (stt_own_close(&s->own))
        stop(s);
}

static void destroy(struct stt_core *c)
{
    struct stt_openai *s = (struct stt_openai *)c;

    http_cancel(s->request);
    timer_free(s->retry);
    buf_free(&s->body);
    stt_own_free(&s->own);
    free(s);
}

static const struct stt_ops ops = { .start = stt_own_start, .hear = stt_own_hear, .discard = discard, .close = close_openai };

int stt_openai_new(struct stt **out, struct loop *l, struct dialer *d, const struct stt_settings *settings, const struct log *log,
                   const struct stt_handlers *on, void *arg)
{
    const struct ear_options ear = { .silence_ms = settings->silence_ms, .speech_max_ms = SPEECH_MAX_MS };
    struct stt_openai *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    s->dialer = d;
    s->settings = settings;
    s->own.least_ms = LEAST_MS;
    buf_init(&s->body, BODY_MAX);
    err = stt_core_init(&s->own.core, l, log, &ops, on, arg, destroy);
    if (!err)
        err = stt_own_init(&s->own, &ear, understand);
    if (!err)
        err = timer_new(&s->retry, l, on_retry, s);
    if (err) {
        destroy(&s->own.core);
        return err;
    }
    *out = &s->own.core.base;
    return 0;
}
