/* Opens one raw connection, plain or TLS, and makes a stream of it. */
#include "net/dialer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "base/ref.h"
#include "net/dialer_internal.h"
#include "net/stream_internal.h"

enum { URL_MAX = 300 }; /* a host name has at most 255 */
/* curl's own buffer stays as long as the connection, but all that is read into it is a proxy's answer: its least, not 16 KiB. */
#define RECEIVE_BYTES 1024L

struct dial {
    struct transfer transfer; /* first */
    bool is_plain;            /* no TLS anywhere on the way */
    dial_on_open *on_open;
    void (*on_abandon)(void *arg); /* may be NULL */
    void *arg;
};

/* ---- "tcp://host:port" ---- */

static bool is_host_char(char c, bool is_bracketed)
{
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.')
        return true;
    return is_bracketed ? c == ':' : c == '-' || c == '_';
}

static bool is_host(struct text t)
{
    const bool is_bracketed = t.n > 2 && t.p[0] == '[' && t.p[t.n - 1] == ']';

    if (is_bracketed)
        t = text_make(t.p + 1, t.n - 2);
    if (t.n == 0 || t.p[0] == '-')
        return false;
    for (size_t i = 0; i < t.n; i++)
        if (!is_host_char(t.p[i], is_bracketed))
            return false;
    return true;
}

static bool is_host_and_port(struct text t)
{
    const ptrdiff_t colon = text_rfind(t, ':');
    struct text port;
    int64_t number;

    if (colon < 1)
        return false;
    port = text_skip(t, (size_t)colon + 1);
    if (port.n == 0 || port.p[0] < '0' || port.p[0] > '9' || text_to_i64(port, &number))
        return false;
    return number > 0 && number <= UINT16_MAX && is_host(text_head(t, (size_t)colon));
}

/* What curl calls it. 0 or -EINVAL. */
static int url_make(struct text url, bool *is_tls, char *out, size_t size)
{
    *is_tls = text_starts(url, TEXT("tls://"));
    if (!*is_tls && !text_starts(url, TEXT("tcp://")))
        return -EINVAL;
    url = text_skip(url, 6);
    if (url.n + 16 > size || !is_host_and_port(url))
        return -EINVAL;
    snprintf(out, size, "%s://%.*s/", *is_tls ? "https" : "http", TEXT_ARG(url));
    return 0;
}

/* ---- the end of a dial ---- */

/* A plain connection needs curl no more: a second descriptor keeps it when curl closes the first. It then costs no handle
 * (50 KB), is not looked up in curl's list for each send, and tells FIN from reset. */
static int plain_stream(struct stream **out, struct dial *x)
{
    struct dialer *d = x->transfer.dialer;
    curl_socket_t fd = -1;
    int own, err;

    curl_easy_getinfo(x->transfer.easy, CURLINFO_ACTIVESOCKET, &fd);
    own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (own < 0)
        return -errno;
    transfer_close(&x->transfer);
    err = stream_adopt(out, d->loop, own, NULL, NULL, NULL);
    if (err)
        close(own);
    return err;
}

static int tls_stream(struct stream **out, struct dial *x)
{
    const int err = stream_curl_open(out, x->transfer.dialer, x->transfer.easy);

    if (!err)
        transfer_take(&x->transfer);
    return err;
}

static void on_done(struct transfer *t, CURLcode code)
{
    struct dial *x = (struct dial *)(void *)t;
    const char *detail = "";
    struct stream *s = NULL;
    int err = transfer_err(t, code);

    if (code == CURLE_OK) {
        err = x->is_plain ? plain_stream(&s, x) : tls_stream(&s, x);
        if (err == -ENOTCONN)
            err = -ECONNRESET; /* it is gone already */
        if (err)
            detail = err_text(err);
    } else {
        detail = transfer_detail(t, code);
    }
    transfer_close(t);
    ref_hold(s);
    x->on_open(s, err, detail, x->arg);
    if (s && !s->is_handled)
        stream_abort(s);
    ref_drop(s);
    free(x);
}

static void abandon(struct transfer *t)
{
    struct dial *x = (struct dial *)(void *)t;

    transfer_close(t);
    if (x->on_abandon)
        x->on_abandon(x->arg);
    free(x);
}

void dial_on_abandon(struct dial *x, void (*on_abandon)(void *arg))
{
    x->on_abandon = on_abandon;
}

/* Without it OpenSSL reads a record in two calls, head and body: a voice is fifty small records a second. What it has read ahead is never left
 * lying: stream_curl.c reads until there is nothing more. Buffers that are empty go. */
static CURLcode on_tls_context(CURL *easy, void *context, void *arg)
{
    (void)easy;
    (void)arg;
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
    return CURLE_OK;
}

static int options_set(CURL *easy, const struct dialer *d)
{
    int bad = 0;

    bad |= (int)curl_easy_setopt(easy, CURLOPT_CONNECT_ONLY, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SSL_ENABLE_ALPN, 0L); /* what is spoken inside is not curl's to offer */
    bad |= (int)curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);   /* never one from an answered HTTP request */
    bad |= (int)curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, RECEIVE_BYTES);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls_context);
    if (d->proxy)
        bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTPPROXYTUNNEL, 1L);
    return bad ? -ENOMEM : 0;
}

int dial_open(struct dial **out, struct dialer *d, const char *url, int64_t timeout_ms, dial_on_open *on_open, void *arg)
{
    char curl_url[URL_MAX];
    bool is_tls;
    struct dial *x;
    int err;

    if (timeout_ms <= 0 || url_make(text_of(url), &is_tls, curl_url, sizeof curl_url))
        return -EINVAL;
    x = calloc(1, sizeof *x);
    if (!x)
        return -ENOMEM;
    x->is_plain = !is_tls && !(d->proxy && text_starts_nocase(text_of(d->proxy), TEXT("https:")));
    x->on_open = on_open;
    x->arg = arg;
    x->transfer.on_done = on_done;
    x->transfer.abandon = abandon;
    err = transfer_open(&x->transfer, d, curl_url, timeout_ms);
    if (err)
        goto fail;
    err = options_set(x->transfer.easy, d);
    if (err) {
        curl_easy_cleanup(x->transfer.easy);
        goto fail;
    }
    err = transfer_start(&x->transfer);
    if (err)
        goto fail;
    *out = x;
    return 0;
fail:
    free(x);
    return err;
}

void dial_cancel(struct dial *x)
{
    if (!x)
        return;
    transfer_close(&x->transfer);
    free(x);
}
