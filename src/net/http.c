/* One HTTP request through libcurl: bounded in time, in the answer's head and in its body. */
#include "net/dialer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "net/dialer_internal.h"

enum {
    BODY_MAX = 1024 * 1024,
    HEAD_MAX = 64 * 1024,   /* curl keeps every header until the end, without a ceiling of its own */
};

struct http_request {
    struct transfer transfer; /* first */
    struct curl_slist *headers;
    struct buf body;          /* with on_piece: what came in this turn of the loop */
    struct loop *loop;
    struct loop_deferred turn; /* pieces are told outside of curl, which forbids its own functions inside */
    void (*on_piece)(struct text bytes, void *arg);
    size_t told;              /* bytes of pieces */
    bool is_telling, is_cancelled;
    size_t head_bytes;
    bool has_head;            /* its blank line came */
    int err;                  /* why we refused to go on */
    int64_t *retry_after_s;
    http_on_answer *on_answer;
    void *arg;
};

static size_t on_head(char *p, size_t size, size_t count, void *arg)
{
    struct http_request *r = arg;
    const size_t n = size * count;

    if (text_starts(text_make(p, n), TEXT("HTTP/")))
        r->has_head = false; /* one after a "100 Continue" */
    else if ((n == 2 && p[0] == '\r') || (n == 1 && p[0] == '\n'))
        r->has_head = true;
    r->head_bytes += n;
    if (r->head_bytes <= HEAD_MAX)
        return n;
    r->err = -EMSGSIZE;
    return 0;
}

static bool is_piecewise(const struct http_request *r)
{
    long status = 0;

    if (!r->on_piece)
        return false;
    curl_easy_getinfo(r->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
    return status >= 200 && status < 300;
}

static size_t on_body(char *p, size_t size, size_t count, void *arg)
{
    struct http_request *r = arg;
    const size_t n = size * count;

    r->err = r->told + r->body.n + n > r->body.max ? -EMSGSIZE : buf_add(&r->body, p, n);
    if (r->err)
        return 0;
    if (is_piecewise(r))
        loop_defer(r->transfer.dialer->loop, &r->turn);
    return n;
}

static void request_free(struct http_request *r)
{
    loop_undefer(r->loop, &r->turn);
    transfer_close(&r->transfer);
    curl_slist_free_all(r->headers);
    buf_free(&r->body);
    free(r);
}

/* False: the handler cancelled, and the request is gone. */
static bool piece_tell(struct http_request *r)
{
    if (r->body.n == 0)
        return true;
    r->told += r->body.n;
    r->is_telling = true;
    r->on_piece(buf_text(&r->body), r->arg);
    r->is_telling = false;
    buf_clear(&r->body);
    if (!r->is_cancelled)
        return true;
    request_free(r);
    return false;
}

static void on_turn(void *arg)
{
    piece_tell(arg);
}

static const char *refusal(const struct http_request *r, char *out, size_t size)
{
    if (r->err != -EMSGSIZE)
        return err_text(r->err);
    if (r->head_bytes > HEAD_MAX)
        snprintf(out, size, "the answer's head is longer than %d bytes", HEAD_MAX);
    else
        snprintf(out, size, "the answer is longer than %zu bytes", r->body.max);
    return out;
}

static void on_done(struct transfer *t, CURLcode code)
{
    struct http_request *r = (struct http_request *)(void *)t;
    int err = r->err ? r->err : transfer_err(t, code);
    char own[80];
    const char *detail = "";
    long status = 0;
    curl_off_t after = 0;

    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (r->retry_after_s && curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &after) == CURLE_OK)
        *r->retry_after_s = after > 0 ? (int64_t)after : 0;
    if (err)
        detail = r->err ? refusal(r, own, sizeof own) : transfer_detail(t, code);
    const bool is_in_pieces = is_piecewise(r);

    if (!err && !r->has_head) { /* curl is content with half a head */
        err = -ECONNRESET;
        detail = "the connection ended within the answer's head";
    }
    transfer_close(t); /* before the handler, so that its next request finds the connection in the cache */
    if (is_in_pieces && !piece_tell(r))
        return;
    if (err)
        r->on_answer(err, 0, TEXT_NONE, detail, r->arg);
    else
        r->on_answer(0, (int)status, text_make(r->body.p ? r->body.p : "", r->body.n), detail, r->arg);
    request_free(r);
}

/* dialer_free from inside a piece's handler: the request is let go when that returns. */
static void abandon(struct transfer *t)
{
    http_cancel((struct http_request *)(void *)t);
}

static int header_add(struct http_request *r, const char *line)
{
    struct curl_slist *longer = curl_slist_append(r->headers, line);

    if (!longer)
        return -ENOMEM;
    r->headers = longer;
    return 0;
}

static int headers_add(struct http_request *r, const char *const *headers)
{
    bool has_type = false;
    /* curl would wait a second for "100 Continue" before a long body. */
    int err = header_add(r, "Expect:");

    for (size_t i = 0; !err && headers && headers[i]; i++) {
        const struct text line = text_of(headers[i]);

        if (!text_is_one_line(line) || text_find(line, ':') < 1)
            return -EINVAL;
        has_type = has_type || text_starts_nocase(line, TEXT("Content-Type:"));
        err = header_add(r, headers[i]);
    }
    if (!err && !has_type)
        err = header_add(r, "Content-Type:"); /* or curl says that a body is a form */
    return err;
}

static bool is_method(const char *s)
{
    size_t n = 0;

    for (; s && s[n]; n++)
        if (s[n] < 'A' || s[n] > 'Z' || n == 16)
            return false;
    return n > 0;
}

static int body_set(CURL *easy, const struct http_options *opt)
{
    const bool has_body = opt->body.n > 0 || strcmp(opt->method, "POST") == 0 || strcmp(opt->method, "PUT") == 0;
    int bad = 0;

    if (strcmp(opt->method, "HEAD") == 0)
        return (int)curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    if (has_body) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)opt->body.n);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_COPYPOSTFIELDS, opt->body.n > 0 ? opt->body.p : "");
    }
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, opt->method);
    return bad;
}

static int options_set(struct http_request *r, const struct http_options *opt)
{
    CURL *easy = r->transfer.easy;
    const int64_t most_ms = opt->timeout_ms > INT32_MAX ? INT32_MAX : opt->timeout_ms;
    int bad = body_set(easy, opt);

    bad |= (int)curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)most_ms);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPHEADER, r->headers);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HEADERDATA, r);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_WRITEDATA, r);
    if (opt->user) {
        bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_USERNAME, opt->user);
        bad |= (int)curl_easy_setopt(easy, CURLOPT_PASSWORD, opt->password ? opt->password : "");
    }
    return bad ? -ENOMEM : 0;
}

static bool is_http_url(struct text url)
{
    return text_is_one_line(url) && (text_starts(url, TEXT("http://")) || text_starts(url, TEXT("https://")));
}

int http_send(struct http_request **out, struct dialer *d, const struct http_options *opt, http_on_answer *on_answer,
              void *arg)
{
    struct http_request *r;
    int err;

    if (opt->timeout_ms <= 0 || !is_method(opt->method) || !is_http_url(text_of(opt->url)))
        return -EINVAL;
    r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    buf_init(&r->body, opt->body_max ? opt->body_max : BODY_MAX);
    r->retry_after_s = opt->retry_after_s;
    r->on_piece = opt->on_piece;
    r->loop = d->loop;
    r->turn = (struct loop_deferred){ .fn = on_turn, .arg = r };
    r->on_answer = on_answer;
    r->arg = arg;
    r->transfer.on_done = on_done;
    r->transfer.abandon = abandon;
    err = headers_add(r, opt->headers);
    if (err)
        goto fail;
    err = transfer_open(&r->transfer, d, opt->url, opt->timeout_ms);
    if (err)
        goto fail;
    err = options_set(r, opt);
    if (err)
        goto fail_easy;
    err = transfer_start(&r->transfer);
    if (err)
        goto fail;
    *out = r;
    return 0;
fail_easy:
    curl_easy_cleanup(r->transfer.easy);
    r->transfer.easy = NULL;
fail:
    request_free(r);
    return err;
}

void http_cancel(struct http_request *r)
{
    if (!r)
        return;
    transfer_close(&r->transfer);
    if (r->is_telling)
        r->is_cancelled = true;
    else
        request_free(r);
}
