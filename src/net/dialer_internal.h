/* One libcurl multi handle on a loop, and what the transfers in it have in common. */
#pragma once

#include <curl/curl.h>

#include "net/dialer.h"
#include "net/loop_internal.h"

/* Counted: streams made by a dialer hold it, because their handles have to stay in its multi. */
struct dialer {
    struct loop *loop;
    CURLM *multi;
    struct timer *timer;
    struct loop_deferred kick;    /* curl asked for a timeout of zero */
    struct transfer *transfers;   /* under way */
    bool is_closed;
    char *proxy, *ca_file, *pin;
    bool is_insecure;
};

/* One easy handle under way. Embedded first in a dial or a request. */
struct transfer {
    struct transfer *next, *prev;
    struct dialer *dialer;
    CURL *easy;
    /* The end; the handle is still in the multi. Exactly one of the two runs, unless the owner closes it. */
    void (*on_done)(struct transfer *x, CURLcode code);
    void (*abandon)(struct transfer *x);  /* dialer_free: give everything back, no handlers */
    char detail[CURL_ERROR_SIZE];
};

/* Makes x->easy with the settings that every connection needs. transfer_start puts it to work; no handler runs inside. */
int transfer_open(struct transfer *x, struct dialer *d, const char *url, int64_t connect_ms) MUST_USE;
int transfer_start(struct transfer *x) MUST_USE;
/* Closes its connection (or gives it back to curl's cache) and forgets it. Safe on one that is not open. */
void transfer_close(struct transfer *x);
/* Forgets it, but leaves the handle in the multi, to be the caller's. */
CURL *transfer_take(struct transfer *x);

/* Our error number, and the sentence that goes with it. */
int transfer_err(const struct transfer *x, CURLcode code);
const char *transfer_detail(const struct transfer *x, CURLcode code);

/* Tells when dialer_free takes x away before on_open could run. */
void dial_on_abandon(struct dial *x, void (*on_abandon)(void *arg));

/* A TLS stream over a handle that has connected (stream_curl.c). On success it owns easy. Call in the DONE handler: curl
 * takes a connection that was never read from for idle, and closes it when the next one starts late. */
int stream_curl_open(struct stream **out, struct dialer *d, CURL *easy) MUST_USE;
