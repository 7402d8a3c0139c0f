/* A small HTTP server (libmicrohttpd) inside one of our loops by its epoll descriptor: plain HTTP, for /metrics, /live, /ready and the console. Loopback by default:
 * TLS and passwords end in a proxy in front of it. */
#pragma once

#include "base/text.h"
#include "net/listener.h"
#include "net/loop.h"

struct httpd;
struct httpd_request;

struct httpd_options {
    struct address listen;      /* port 0: any free one */
    size_t connections_max;     /* 0 = 64 */
    int64_t idle_ms;            /* 0 = 10,000 */
    size_t body_max;            /* 0 = 64 KiB; a longer one gets 413 */
    const struct log *log;
};

/* Once per request, on the loop; answer now, or later with the same handle. method "GET", path without the query. All borrowed. */
typedef void httpd_on_request(struct httpd_request *r, struct text method, struct text path, struct text query, struct text body, void *arg);

int httpd_open(struct httpd **out, struct loop *l, const struct httpd_options *opt, httpd_on_request *on_request, void *arg) MUST_USE;
/* Open requests are dropped: their handles are of no more use, so whoever owes an answer is stopped before. NULL passes. */
void httpd_close(struct httpd *h);
unsigned httpd_port(const struct httpd *h);
/* Copies body. Exactly one answer per request, on the loop; a peer that has gone is not an error. */
void httpd_answer(struct httpd_request *r, unsigned status, const char *content_type, struct text body);
