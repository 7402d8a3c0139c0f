/* Dials, asks for the WebSocket, and waits for the answer's head; the descriptor is given away before a frame is read. */
#include "pbx/media_connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ref.h"
#include "net/head_wait.h"
#include "net/ws_handshake.h"

enum { URL_MAX = 600, DETAIL_MAX = 200 };

struct media_connect {
    struct loop *loop;
    struct dial *dial;
    struct head_wait *wait;
    int fd;                        /* -1: not yet */
    int64_t until_ms;
    struct buf request;
    char key[WS_KEY_TEXT + 1];
    media_connect_on_done *on_done;
    void *arg;
};

static void connect_free(struct media_connect *m)
{
    dial_cancel(m->dial);
    head_wait_free(m->wait);
    if (m->fd >= 0)
        close(m->fd);
    buf_free(&m->request);
    free(m);
}

void media_connect_cancel(struct media_connect *m)
{
    if (m)
        connect_free(m);
}

/* It is gone before its handler runs. */
static void finish(struct media_connect *m, int fd_or_err, const char *detail)
{
    media_connect_on_done *const on_done = m->on_done;
    void *const arg = m->arg;

    if (fd_or_err >= 0)
        m->fd = -1;
    connect_free(m);
    on_done(fd_or_err, detail, arg);
}

static void on_head(int err, struct text head, void *arg)
{
    struct media_connect *m = arg;
    char detail[DETAIL_MAX] = "Asterisk did not answer the WebSocket request";

    m->wait = NULL;
    if (!err)
        err = ws_answer_check(head, m->key, "media", detail, sizeof detail);
    finish(m, err ? err : m->fd, detail);
}

static int request_send(struct media_connect *m)
{
    const ssize_t n = send(m->fd, m->request.p, m->request.n, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (n != (ssize_t)m->request.n) /* some hundred bytes into an empty buffer */
        return -EIO;
    return head_wait_new(&m->wait, m->loop, m->fd, m->until_ms - loop_now_ms(m->loop), on_head, m);
}

static void on_dialed(struct stream *s, int err, const char *detail, void *arg)
{
    struct media_connect *m = arg;

    m->dial = NULL;
    if (!err) {
        err = stream_take_fd(s, &m->fd);
        if (err)
            stream_abort(s);
        ref_drop(s);
        detail = "the connection could not be taken over";
    }
    if (!err)
        err = request_send(m);
    if (err)
        finish(m, err == -EINVAL ? -ETIMEDOUT : err, detail); /* -EINVAL: no time is left */
}

static bool is_id(const char *id)
{
    const size_t n = strlen(id);

    return n > 0 && n < 100 && strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_.") == n;
}

static int dial(struct media_connect *m, struct dialer *d, const struct ws_url *url, int64_t wait_ms)
{
    const struct ws_request r = { .url = *url, .key = m->key, .subprotocol = "media" };
    char where[300];
    int err;

    ws_key_make(m->key);
    err = ws_request_write(&m->request, &r);
    if (err)
        return err;
    snprintf(where, sizeof where, "tcp://%.*s:%u", TEXT_ARG(url->host), url->port);
    return dial_open(&m->dial, d, where, wait_ms, on_dialed, m);
}

int media_connect_open(struct media_connect **out, struct loop *l, struct dialer *d, const char *base_url, const char *id,
                       int64_t wait_ms, media_connect_on_done *on_done, void *arg)
{
    const struct text base = text_of(base_url);
    struct media_connect *m;
    struct ws_url url;
    char text[URL_MAX];
    int err;

    if (text_starts_nocase(base, TEXT("https://")))
        return -EOPNOTSUPP;
    if (!text_starts_nocase(base, TEXT("http://")) || !is_id(id) || wait_ms < 1 ||
        snprintf(text, sizeof text, "ws://%s%smedia/%s", base_url + 7, text_ends(base, TEXT("/")) ? "" : "/", id) >= (int)sizeof text ||
        ws_url_parse(text_of(text), &url))
        return -EINVAL;
    m = calloc(1, sizeof *m);
    if (!m)
        return -ENOMEM;
    *m = (struct media_connect){ .loop = l, .fd = -1, .until_ms = loop_now_ms(l) + wait_ms, .on_done = on_done, .arg = arg };
    buf_init(&m->request, WS_HEAD_MAX);
    err = dial(m, d, &url, wait_ms);
    if (err) {
        connect_free(m);
        return err;
    }
    *out = m;
    return 0;
}
