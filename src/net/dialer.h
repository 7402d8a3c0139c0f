/* Outbound connections of one loop through libcurl: names, proxies, TLS and verification are curl's.
 * One multi per loop; raw streams use CONNECT_ONLY with blocks that never move. Loop thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "net/stream.h"

struct dialer;
struct dial;
struct http_request;

struct tls_options {
    const char *ca_file;      /* NULL: the system bundle */
    const char *pin;          /* "sha256//..." or NULL */
    bool insecure;            /* no verification; the caller logs that, every time */
};

struct dialer_options {
    const char *proxy;        /* NULL: none; the environment's proxies are never used */
    struct tls_options tls;
};

int dialer_new(struct dialer **out, struct loop *l, const struct dialer_options *opt) MUST_USE;
/* Aborts dials and requests under way, handlers do not run; streams that are open live on. NULL passes. */
void dialer_free(struct dialer *d);

/* Errors of dials and requests: -ECONNREFUSED, -EHOSTUNREACH (also: no such name), -ETIMEDOUT, -ECONNRESET, -EKEYREJECTED
 * (certificate or pin refused), -EPROTO (no TLS, no HTTP there), -ENOENT (no CA file), -EINVAL, -ENOMEM, -EIO. */

/* Opens host:port. on_open runs once: err 0 and a stream (one reference is the handler's, who calls stream_handle), or the
 * error and a text that says more (borrowed). url: "tcp://host:port" or "tls://host:port". */
typedef void dial_on_open(struct stream *s, int err, const char *detail, void *arg);
/* 0, -EINVAL (not such a url, timeout_ms below 1), -ENOMEM. */
int dial_open(struct dial **out, struct dialer *d, const char *url, int64_t timeout_ms,
              dial_on_open *on_open, void *arg) MUST_USE;
void dial_cancel(struct dial *x); /* before on_open only; NULL passes */

/* One HTTP/1.1 request; kept-alive connections are reused by curl. */
struct http_options {
    const char *method;       /* "GET" "POST" "PUT" "DELETE" */
    const char *url;
    const char *user, *password;    /* Basic; NULL: none */
    const char *const *headers;     /* "Name: value", NULL-terminated; may be NULL */
    struct text body;               /* copied; with a Content-Type header of the caller's */
    int64_t timeout_ms;             /* whole request; required */
    size_t body_max;                /* ceiling of the answer; more ends it with -EMSGSIZE; 0 = 1 MiB */
    /* The body of a 2xx answer as it comes, instead of at the end (on_answer then gets an empty one): each turn's bytes, borrowed for the call;
     * http_cancel and http_send may be called from inside. NULL: whole. Other answers come whole all the same. body_max counts both. */
    void (*on_piece)(struct text bytes, void *arg);
    int64_t *retry_after_s;         /* set before on_answer: the answer's Retry-After in seconds, 0 without one; NULL: of no interest */
};
/* err 0: status and body are set (borrowed for the call); else 0 and what curl says in detail. Runs once. */
typedef void http_on_answer(int err, int status, struct text body, const char *detail, void *arg);
/* 0, -EINVAL (method, url, timeout or a header that is not one line), -ENOMEM. Redirects are not followed. */
int http_send(struct http_request **out, struct dialer *d, const struct http_options *opt,
              http_on_answer *on_answer, void *arg) MUST_USE;
void http_cancel(struct http_request *r); /* before on_answer only; on_answer does not run. NULL passes */
