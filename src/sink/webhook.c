/* The webhook sink: one POST a row, signed, to one address, again until it is taken or refused for good. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/hmac.h>

#include "base/clock.h"
#include "net/dialer.h"
#include "sink/webhook_template.h"

enum { ANSWER_MAX = 64 * 1024 };

struct webhook {
    const struct sink_settings *set;
    struct log log;
    struct loop *loop;          /* runs within deliver only */
    struct dialer *dialer;
    struct timer *look;         /* whether the wait is over */
    struct http_request *request;
    int64_t deadline_us, retry_after_s;
    int err, status;            /* of the answer; err -ECANCELED: none came in time */
    char *why;
    size_t why_size;
    struct buf body;
};

/* ---- the request ---- */

/* Signed are time and body, so that nobody can send an old body again later: HMAC-SHA256(secret, time "." body), in hexadecimal. */
static int sign(const struct webhook *w, const char *time, char *out, size_t size)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    struct buf b;
    bool done;
    size_t at;

    buf_init(&b, SINK_ROW_BYTES * 4 + 64);
    buf_addf(&b, "%s.", time);
    if (buf_add_text(&b, buf_text(&w->body))) {
        buf_free(&b);
        return -ENOMEM;
    }
    done = HMAC(EVP_sha256(), w->set->hmac_secret, (int)strlen(w->set->hmac_secret), (const unsigned char *)b.p, b.n, mac, &n) != NULL;
    buf_free(&b);
    at = (size_t)snprintf(out, size, "X-Sidetone-Signature: t=%s,v1=", time);
    for (unsigned i = 0; i < n && at + 2 < size; i++, at += 2)
        snprintf(out + at, size - at, "%02x", mac[i]);
    return done ? 0 : -ENOMEM;
}

static void on_answer(int err, int status, struct text body, const char *detail, void *arg)
{
    struct webhook *w = arg;

    (void)body;                 /* its status says all; what a hostile server writes is nobody's to read */
    w->request = NULL;
    w->err = err;
    w->status = status;
    if (err)
        snprintf(w->why, w->why_size, "webhook: %s", detail && detail[0] ? detail : err_text(err));
    loop_stop(w->loop);
}

static void on_look(void *arg)
{
    struct webhook *w = arg;
    const int ms = sink_slice_ms(w->set->patience, w->deadline_us);

    if (ms > 0) {
        timer_start(w->look, ms);
        return;
    }
    http_cancel(w->request);
    w->request = NULL;
    loop_stop(w->loop);
}

/* Posts the body. 0: there is an answer, in status. */
static int post(struct webhook *w, const char *const *headers)
{
    const struct http_options o = {
        .method = "POST", .url = w->set->url, .user = w->set->user, .password = w->set->user ? w->set->secret : NULL, .headers = headers,
        .body = buf_text(&w->body), .timeout_ms = w->set->deadline_ms > 0 ? w->set->deadline_ms : SINK_DEADLINE_MS, .body_max = ANSWER_MAX,
        .retry_after_s = &w->retry_after_s,
    };
    int err;

    w->err = -ECANCELED;
    w->status = 0;
    w->retry_after_s = 0;
    err = http_send(&w->request, w->dialer, &o, on_answer, w);
    if (err) {
        snprintf(w->why, w->why_size, "webhook: %s", err_text(err));
        return err;
    }
    timer_start(w->look, SINK_SLICE_MS);
    loop_run(w->loop);
    timer_stop(w->look);
    if (w->err == -ECANCELED)
        snprintf(w->why, w->why_size, "webhook: no answer in time");
    return w->err;
}

/* ---- the answer ---- */

static int judge(const struct webhook *w)
{
    const int s = w->status;

    if (s >= 200 && s < 300)
        return 0;
    snprintf(w->why, w->why_size, "webhook: the server answered %d%s", s,
             s >= 300 && s < 400 ? ": redirects are not followed, put the new address into url" : "");
    return s >= 400 && s < 500 && s != 408 && s != 429 ? -EBADMSG : -EAGAIN;
}

static int make_body(struct webhook *w, const struct sink_row *row)
{
    buf_clear(&w->body);
    if (w->set->template_text)
        return webhook_render(&w->body, w->set->template_text, row);
    return sink_row_json(&w->body, row);
}

static int deliver_one(struct webhook *w, const struct sink_row *row)
{
    char time[32], signature[160];
    struct buf key, bearer;
    const char *headers[6] = { "Content-Type: application/json", "User-Agent: sidetone" };
    size_t n = 2;
    int err = make_body(w, row);

    if (err) {
        snprintf(w->why, w->why_size, "webhook: the body cannot be made: %s", err_text(err));
        return err == -ENOBUFS ? -EBADMSG : -EAGAIN;
    }
    buf_init(&key, 4096);
    buf_add_text(&key, TEXT("Idempotency-Key: "));
    sink_row_key(&key, row);
    headers[n++] = buf_cstr(&key);
    buf_init(&bearer, 8192);
    if (w->set->secret && !w->set->user) {
        buf_addf(&bearer, "Authorization: Bearer %s", w->set->secret);
        headers[n++] = buf_cstr(&bearer);
    }
    if (key.err || bearer.err)
        err = -EAGAIN;
    if (!err && w->set->hmac_secret) {
        snprintf(time, sizeof time, "%lld", (long long)(clock_wall_us() / 1000000));
        err = sign(w, time, signature, sizeof signature);
        headers[n++] = signature;
    }
    headers[n] = NULL;
    if (!err)
        err = post(w, headers);
    buf_free(&key);
    buf_free(&bearer);
    return err ? -EAGAIN : judge(w);
}

static int deliver(void *self, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size)
{
    struct webhook *w = self;
    int err;

    INVARIANT(count == 1);      /* batch_max: what was taken moves the cursor at once */
    w->why = why;
    w->why_size = why_size;
    w->deadline_us = sink_deadline_us(w->set);
    if (w->set->is_insecure)
        log_warn(&w->log, "sink_insecure", kv_str("sink", w->set->name));
    err = deliver_one(w, &rows[0]);
    *bad = 0;
    return err;
}

static int64_t pause_ms(void *self)
{
    const struct webhook *w = self;

    return w->retry_after_s > 24 * 3600 ? INT64_C(24) * 3600 * 1000 : w->retry_after_s * 1000;
}

static void webhook_close(void *self)
{
    struct webhook *w = self;

    if (!w)
        return;
    timer_free(w->look);
    dialer_free(w->dialer);
    loop_free(w->loop);
    buf_free(&w->body);
    free(w);
}

static int check(const struct sink_settings *set, char **problem)
{
    const struct text url = text_of(set->url);
    const char *fault = set->template_text ? webhook_template_fault(set->template_text) : NULL;

    if (!text_starts(url, TEXT("http://")) && !text_starts(url, TEXT("https://")))
        fault = "url = https://host/path is needed";
    if (!fault)
        return 0;
    *problem = sink_problem("sink %s: %s", set->name, fault);
    return -EINVAL;
}

static int webhook_open(void **out, const struct sink_settings *set, const struct log *log, char **problem)
{
    const struct dialer_options net = { .tls = { .ca_file = set->ca, .insecure = set->is_insecure } };
    struct webhook *w;
    int err = check(set, problem);

    if (err)
        return err;
    w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->set = set;
    w->log = log_for(log, "sink");
    buf_init(&w->body, SINK_ROW_BYTES * 2);
    err = loop_new(&w->loop, &w->log);
    if (!err)
        err = dialer_new(&w->dialer, w->loop, &net);
    if (!err)
        err = timer_new(&w->look, w->loop, on_look, w);
    if (err) {
        webhook_close(w);
        return err;
    }
    *out = w;
    return 0;
}

const struct sink_driver sink_webhook = { .name = "webhook", .open = webhook_open, .deliver = deliver, .close = webhook_close, .batch_max = 1,
                                          .pause_ms = pause_ms };
