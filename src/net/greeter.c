/* Reads a connection's first bytes, and hands both to whoever they are meant for. */
#include "net/listener.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <utlist.h>

#include "net/acceptor.h"
#include "net/address_internal.h"
#include "net/loop_internal.h"

enum { GREETING_MAX = 64 };

/* One connection whose first bytes are not complete. */
struct guest {
    uv_poll_t poll;
    struct guest *next, *prev;
    struct greeter *greeter;
    int64_t deadline_ms;
    int fd;
    size_t got;
    uint8_t bytes[GREETING_MAX];
};

struct greeter {
    struct acceptor *acceptor;
    struct loop *loop;
    struct greeter_options opt;
    struct guest *guests;      /* oldest first, so the first has the earliest deadline */
    size_t count;
    struct timer *deadline;
    greeter_on_greeting *on_greeting;
    void *arg;
    uint64_t refused;
};

static void on_guest_gone(uv_handle_t *h)
{
    free(h->data);
}

/* The descriptor leaves the epoll set at once; the guest's memory stays for this turn. */
static int guest_release(struct guest *x)
{
    struct greeter *g = x->greeter;

    DL_DELETE(g->guests, x);
    g->count--;
    uv_close((uv_handle_t *)&x->poll, on_guest_gone);
    return x->fd;
}

static void guest_refuse(struct guest *x)
{
    x->greeter->refused++;
    close(guest_release(x));
}

static void guest_hand_over(struct guest *x)
{
    struct greeter *g = x->greeter;
    char peer[ADDRESS_TEXT];

    if (address_of_peer(x->fd, peer, sizeof peer)) {
        guest_refuse(x);
        return;
    }
    g->on_greeting(guest_release(x), x->bytes, peer, g->arg); /* may close the greeter: not touched after this */
}

static void guest_read(struct guest *x)
{
    /* Never one byte more: the rest is the adopter's. */
    const ssize_t n = recv(x->fd, x->bytes + x->got, x->greeter->opt.bytes - x->got, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        guest_refuse(x);
        return;
    }
    x->got += (size_t)n;
    if (x->got == x->greeter->opt.bytes)
        guest_hand_over(x);
}

static void on_guest_readable(uv_poll_t *h, int status, int events)
{
    struct guest *x = h->data;
    struct loop *l = x->greeter->loop;
    const int64_t entered_us = loop_enter();

    (void)events;
    if (status < 0)
        guest_refuse(x);
    else
        guest_read(x);
    loop_leave(l, "greeting", entered_us);
}

static void deadline_start(struct greeter *g)
{
    if (g->guests)
        timer_start(g->deadline, g->guests->deadline_ms - loop_now_ms(g->loop));
}

static void on_deadline(void *arg)
{
    struct greeter *g = arg;

    while (g->guests && g->guests->deadline_ms <= loop_now_ms(g->loop))
        guest_refuse(g->guests);
    deadline_start(g);
}

static int guest_new(struct greeter *g, int fd)
{
    struct guest *x = calloc(1, sizeof *x);
    int err;

    if (!x)
        return -ENOMEM;
    err = uv_poll_init(&g->loop->uv, &x->poll, fd);
    if (err) {
        free(x);
        return err;
    }
    x->poll.data = x;
    x->greeter = g;
    x->fd = fd;
    x->deadline_ms = loop_now_ms(g->loop) + g->opt.deadline_ms;
    DL_APPEND(g->guests, x);
    g->count++;
    uv_poll_start(&x->poll, UV_READABLE, on_guest_readable);
    return 0;
}

static void on_fd(int fd, void *arg)
{
    struct greeter *g = arg;

    if (g->count >= g->opt.max_pending || guest_new(g, fd)) {
        g->refused++;
        close(fd);
        return;
    }
    if (!timer_is_running(g->deadline))
        deadline_start(g);
}

int greeter_open(struct greeter **out, struct loop *l, const struct address *at, const struct greeter_options *opt,
                 greeter_on_greeting *on_greeting, void *arg)
{
    struct greeter *g;
    int err;

    if (opt->bytes == 0 || opt->bytes > GREETING_MAX || opt->deadline_ms <= 0 || opt->max_pending == 0)
        return -EINVAL;
    g = calloc(1, sizeof *g);
    if (!g)
        return -ENOMEM;
    g->loop = l;
    g->opt = *opt;
    g->on_greeting = on_greeting;
    g->arg = arg;
    err = timer_new(&g->deadline, l, on_deadline, g);
    if (err)
        goto fail;
    err = acceptor_open(&g->acceptor, l, at, false, on_fd, g);
    if (err)
        goto fail;
    *out = g;
    return 0;
fail:
    timer_free(g->deadline);
    free(g);
    return err;
}

void greeter_address(const struct greeter *g, struct address *out)
{
    acceptor_address(g->acceptor, out);
}

uint64_t greeter_refused(const struct greeter *g)
{
    return g->refused;
}

void greeter_close(struct greeter *g)
{
    if (!g)
        return;
    acceptor_close(g->acceptor);
    timer_free(g->deadline);
    while (g->guests)
        close(guest_release(g->guests));
    free(g);
}
