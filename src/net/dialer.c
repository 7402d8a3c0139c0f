/* Drives libcurl's multi handle from the loop. */
#include "net/dialer.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <utlist.h>

#include "base/ref.h"
#include "net/dialer_internal.h"

enum { CA_CACHE_S = 7 * 24 * 3600 };  /* parsing the system bundle takes 25 ms of the loop: once a week, not once a day */

static const char system_bundle[] = "/etc/ssl/certs/ca-certificates.crt";

static pthread_once_t once = PTHREAD_ONCE_INIT;
static CURLcode once_code;

static void library_start(void)
{
    once_code = curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* ---- curl's sockets and timer ---- */

struct watch {
    uv_poll_t poll;
    struct dialer *dialer;
    curl_socket_t fd;
};

static void drive(struct dialer *d, curl_socket_t fd, int events)
{
    const int64_t entered_us = loop_enter();
    struct loop *l = d->loop;
    CURLMsg *m;
    int running, left;

    ref_hold(d);
    curl_multi_socket_action(d->multi, fd, events, &running);
    while (!d->is_closed && (m = curl_multi_info_read(d->multi, &left))) {
        const CURLcode code = m->data.result;
        struct transfer *x = NULL;

        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&x);
        if (x)
            x->on_done(x, code);
    }
    ref_drop(d);
    loop_leave(l, "dialer", entered_us);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
    const struct watch *w = h->data;
    const int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) | (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

    drive(w->dialer, w->fd, status < 0 ? CURL_CSELECT_ERR : flags);
}

static void on_watch_gone(uv_handle_t *h)
{
    free(h->data);
}

static struct watch *watch_new(struct dialer *d, curl_socket_t fd)
{
    struct watch *w = calloc(1, sizeof *w);

    if (!w || uv_poll_init_socket(&d->loop->uv, &w->poll, fd)) {
        free(w);
        return NULL;
    }
    w->poll.data = w;
    w->dialer = d;
    w->fd = fd;
    curl_multi_assign(d->multi, fd, w);
    return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
    struct dialer *d = arg;
    struct watch *w = socket_arg;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (w)
            uv_close((uv_handle_t *)&w->poll, on_watch_gone);
        curl_multi_assign(d->multi, fd, NULL);
        return 0;
    }
    /* Without memory for a watch the transfer runs into its deadline. Saying -1 would end every transfer of the multi. */
    if (!w)
        w = watch_new(d, fd);
    if (w)
        uv_poll_start(&w->poll, (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0), on_ready);
    return 0;
}

static void on_time(void *arg)
{
    drive(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timeout_wanted(CURLM *multi, long ms, void *arg)
{
    struct dialer *d = arg;

    (void)multi;
    timer_stop(d->timer);
    loop_undefer(d->loop, &d->kick);
    if (ms == 0)
        loop_defer(d->loop, &d->kick);
    else if (ms > 0)
        timer_start(d->timer, ms);
    return 0;
}

/* ---- the dialer ---- */

static void destroy(void *obj)
{
    struct dialer *d = obj;

    if (d->multi)
        curl_multi_cleanup(d->multi);
    loop_undefer(d->loop, &d->kick);
    timer_free(d->timer);
    free(d->proxy);
    free(d->ca_file);
    free(d->pin);
}

static int text_keep(char **out, const char *s)
{
    *out = s ? text_dup(text_of(s)) : NULL;
    return s && !*out ? -ENOMEM : 0;
}

static int options_keep(struct dialer *d, const struct dialer_options *opt)
{
    int err;

    if (!opt)
        return 0;
    d->is_insecure = opt->tls.insecure;
    err = text_keep(&d->proxy, opt->proxy);
    if (!err)
        err = text_keep(&d->ca_file, opt->tls.ca_file);
    if (!err)
        err = text_keep(&d->pin, opt->tls.pin);
    return err;
}

int dialer_new(struct dialer **out, struct loop *l, const struct dialer_options *opt)
{
    struct dialer *d;
    int err;

    pthread_once(&once, library_start);
    if (once_code)
        return -ENOMEM;
    d = ref_new(sizeof *d, destroy);
    if (!d)
        return -ENOMEM;
    d->loop = l;
    d->kick = (struct loop_deferred){ .fn = on_time, .arg = d };
    err = options_keep(d, opt);
    if (!err)
        err = timer_new(&d->timer, l, on_time, d);
    if (err)
        goto fail;
    d->multi = curl_multi_init();
    if (!d->multi) {
        err = -ENOMEM;
        goto fail;
    }
    curl_multi_setopt(d->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(d->multi, CURLMOPT_SOCKETDATA, d);
    curl_multi_setopt(d->multi, CURLMOPT_TIMERFUNCTION, on_timeout_wanted);
    curl_multi_setopt(d->multi, CURLMOPT_TIMERDATA, d);
    *out = d;
    return 0;
fail:
    ref_drop(d);
    return err;
}

void dialer_free(struct dialer *d)
{
    if (!d)
        return;
    d->is_closed = true;
    while (d->transfers)
        d->transfers->abandon(d->transfers);
    ref_drop(d);
}

/* ---- transfers ---- */

static int tls_set(CURL *easy, const struct dialer *d)
{
    const char *ca = d->ca_file ? d->ca_file : system_bundle;
    const long strict = d->is_insecure ? 0 : 1;
    int bad = 0;

    bad |= (int)curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, strict);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, strict * 2);
    /* Debian's default CAPATH turns the cache of the parsed bundle off: 25 ms and 880 KB for each connection. */
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CAINFO, d->is_insecure ? NULL : ca);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, (long)CA_CACHE_S);
    if (d->pin)
        bad |= (int)curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, d->pin);
    return bad;
}

static int proxy_set(CURL *easy, const struct dialer *d)
{
    int bad = 0;

    /* Unset, curl would obey the environment. */
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROXY, d->proxy ? d->proxy : "");
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOPROXY, "");
    if (!d->proxy)
        return bad;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, system_bundle);
    return bad;
}

int transfer_open(struct transfer *x, struct dialer *d, const char *url, int64_t connect_ms)
{
    const int64_t most_ms = connect_ms > INT32_MAX ? INT32_MAX : connect_ms;
    CURL *easy = curl_easy_init();
    int bad = 0;

    if (!easy)
        return -ENOMEM;
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PRIVATE, x);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->detail);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_URL, url);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    /* h2 by ALPN would hang up on an upgrade. */
    bad |= (int)curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    /* Without it a look-up that is late is joined: the whole loop stood still for 5 s. */
    bad |= (int)curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    bad |= (int)curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)most_ms);
    bad |= proxy_set(easy, d);
    bad |= tls_set(easy, d);
    if (bad) {
        curl_easy_cleanup(easy);
        return -ENOMEM;
    }
    x->easy = easy;
    x->dialer = d;
    return 0;
}

int transfer_start(struct transfer *x)
{
    if (curl_multi_add_handle(x->dialer->multi, x->easy)) {
        curl_easy_cleanup(x->easy);
        x->easy = NULL;
        return -ENOMEM;
    }
    DL_APPEND(x->dialer->transfers, x);
    return 0;
}

CURL *transfer_take(struct transfer *x)
{
    CURL *easy = x->easy;

    DL_DELETE(x->dialer->transfers, x);
    x->easy = NULL;
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, NULL); /* it is inside x */
    curl_easy_setopt(easy, CURLOPT_PRIVATE, NULL);
    return easy;
}

void transfer_close(struct transfer *x)
{
    CURL *easy;

    if (!x->easy)
        return;
    easy = transfer_take(x);
    curl_multi_remove_handle(x->dialer->multi, easy);
    curl_easy_cleanup(easy);
}

static int connect_err(const struct transfer *x)
{
    long os_err = 0;

    curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &os_err);
    return os_err > 0 && os_err != EINPROGRESS ? (int)-os_err : -ECONNREFUSED;
}

int transfer_err(const struct transfer *x, CURLcode code)
{
    static const struct {
        CURLcode code;
        int err;
    } known[] = {
        { CURLE_OK, 0 },
        { CURLE_UNSUPPORTED_PROTOCOL, -EPROTO },
        { CURLE_URL_MALFORMAT, -EINVAL },
        { CURLE_COULDNT_RESOLVE_PROXY, -EHOSTUNREACH },
        { CURLE_COULDNT_RESOLVE_HOST, -EHOSTUNREACH },
        { CURLE_WEIRD_SERVER_REPLY, -EPROTO },
        { CURLE_OUT_OF_MEMORY, -ENOMEM },
        { CURLE_OPERATION_TIMEDOUT, -ETIMEDOUT },
        { CURLE_SSL_CONNECT_ERROR, -EPROTO },
        { CURLE_GOT_NOTHING, -ECONNRESET },
        { CURLE_SEND_ERROR, -ECONNRESET },
        { CURLE_RECV_ERROR, -ECONNRESET },
        { CURLE_PARTIAL_FILE, -ECONNRESET },
        { CURLE_PEER_FAILED_VERIFICATION, -EKEYREJECTED },
        { CURLE_SSL_PINNEDPUBKEYNOTMATCH, -EKEYREJECTED },
        { CURLE_SSL_CACERT_BADFILE, -ENOENT },
        { CURLE_PROXY, -EPROTO },
    };

    if (code == CURLE_COULDNT_CONNECT)
        return connect_err(x);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code)
            return known[i].err;
    return -EIO;
}

const char *transfer_detail(const struct transfer *x, CURLcode code)
{
    return x->detail[0] ? x->detail : curl_easy_strerror(code);
}
