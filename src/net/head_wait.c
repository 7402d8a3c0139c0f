/* Looks at what has come without taking it, until a blank line is there; the kernel is asked to wake us only for more than was seen. */
#include "net/head_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/loop_internal.h"

struct head_wait {
    uv_poll_t poll;
    struct loop *loop;
    struct timer *deadline;
    int fd;
    size_t seen;
    head_wait_on_head *on_head;
    void *arg;
    char bytes[HEAD_WAIT_MAX];
};

static void on_gone(uv_handle_t *h)
{
    free(h->data);
}

static int wake_above(int fd, size_t n)
{
    const int least = (int)n + 1;

    return setsockopt(fd, SOL_SOCKET, SO_RCVLOWAT, &least, sizeof least) ? -errno : 0;
}

/* The descriptor leaves the epoll set at once; the memory stays for this turn. */
void head_wait_free(struct head_wait *w)
{
    if (!w)
        return;
    timer_free(w->deadline);
    w->deadline = NULL;
    (void)wake_above(w->fd, 0);
    uv_close((uv_handle_t *)&w->poll, on_gone);
}

/* The memory outlives the handler, see head_wait_free. */
static void finish(struct head_wait *w, int err, size_t n)
{
    head_wait_free(w);
    w->on_head(err, err ? TEXT_NONE : text_make(w->bytes, n), w->arg);
}

/* Takes the head away from the socket: those bytes are there, they were seen. */
static void take(struct head_wait *w, size_t n)
{
    const ssize_t got = recv(w->fd, w->bytes, n, 0);

    finish(w, got == (ssize_t)n ? 0 : -ECONNRESET, n);
}

static void look(struct head_wait *w)
{
    const ssize_t n = recv(w->fd, w->bytes, sizeof w->bytes, MSG_PEEK);
    ptrdiff_t end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0 || (size_t)n == w->seen) {
        finish(w, -ECONNRESET, 0); /* woken without a byte more: the peer ended in the middle */
        return;
    }
    w->seen = (size_t)n;
    end = text_find_text(text_make(w->bytes, (size_t)n), TEXT("\r\n\r\n"));
    if (end >= 0)
        take(w, (size_t)end + 4);
    else if ((size_t)n == sizeof w->bytes)
        finish(w, -EMSGSIZE, 0);
    else if (wake_above(w->fd, (size_t)n))
        finish(w, -EIO, 0);
}

static void on_ready(uv_poll_t *h, int status, int events)
{
    struct head_wait *w = h->data;
    struct loop *l = w->loop;
    const int64_t entered_us = loop_enter();

    (void)events;
    if (status < 0)
        finish(w, -ECONNRESET, 0);
    else
        look(w);
    loop_leave(l, "head_wait", entered_us);
}

static void on_deadline(void *arg)
{
    finish(arg, -ETIMEDOUT, 0);
}

int head_wait_new(struct head_wait **out, struct loop *l, int fd, int64_t deadline_ms, head_wait_on_head *on_head, void *arg)
{
    struct head_wait *w = deadline_ms > 0 ? calloc(1, sizeof *w) : NULL;
    int err;

    if (!w)
        return deadline_ms > 0 ? -ENOMEM : -EINVAL;
    *w = (struct head_wait){ .loop = l, .fd = fd, .on_head = on_head, .arg = arg };
    err = timer_new(&w->deadline, l, on_deadline, w);
    if (!err)
        err = uv_poll_init(&l->uv, &w->poll, fd);
    if (err) {
        timer_free(w->deadline);
        free(w);
        return err;
    }
    w->poll.data = w;
    timer_start(w->deadline, deadline_ms);
    uv_poll_start(&w->poll, UV_READABLE, on_ready);
    *out = w;
    return 0;
}
