/* Makes a stream of each connection to a port. */
#include "net/listener.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ref.h"
#include "net/acceptor.h"
#include "net/address_internal.h"
#include "net/stream_internal.h"

enum { STREAMS_MAX = 10000, STRANGER_LINE_MS = 60000 };

struct listener {
    struct acceptor *acceptor;
    struct loop *loop;
    struct listener_options opt;
    struct stream_tally *tally;
    listener_on_accept *on_accept;
    void *arg;
    uint64_t refused, strangers;
    struct allow_list allow;
    int64_t stranger_told_ms;   /* 0: never */
};

/* The kernel has taken the connection already: closing it is all that one can do. */
static bool is_stranger(struct listener *li, int fd)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof from;
    struct address peer;
    const int64_t now = loop_now_ms(li->loop);

    if (li->allow.count == 0)
        return false;
    if (getpeername(fd, (struct sockaddr *)&from, &size) < 0)
        return true;
    address_from_kernel(&peer, &from);
    if (allow_has(&li->allow, peer.host))
        return false;
    li->strangers++;
    if (!li->stranger_told_ms || now - li->stranger_told_ms >= STRANGER_LINE_MS) {
        li->stranger_told_ms = now ? now : 1;
        log_warn(loop_log(li->loop), "peer_not_allowed", kv_str("peer", peer.host), kv_int("so_far", (int64_t)li->strangers));
    }
    return true;
}

static void on_fd(int fd, void *arg)
{
    struct listener *li = arg;
    struct stream *s;

    if (is_stranger(li, fd)) {
        close(fd);
        return;
    }
    if (li->tally->live >= li->opt.max_streams || stream_adopt(&s, li->loop, fd, &li->opt.stream, NULL, NULL)) {
        li->refused++;
        close(fd);
        return;
    }
    s->tally = ref_hold(li->tally);
    s->tally->live++;
    ref_hold(s);
    li->on_accept(s, li->arg); /* may close the listener: not touched after this */
    if (!s->is_handled)
        stream_abort(s);
    ref_drop(s);
}

int listener_open(struct listener **out, struct loop *l, const struct address *at, const struct listener_options *opt,
                  listener_on_accept *on_accept, void *arg)
{
    struct listener *li = calloc(1, sizeof *li);
    int err = -ENOMEM;

    if (!li)
        return -ENOMEM;
    li->loop = l;
    if (opt)
        li->opt = *opt;
    if (opt && opt->allow)
        li->allow = *opt->allow;
    if (li->opt.max_streams == 0)
        li->opt.max_streams = STREAMS_MAX;
    li->on_accept = on_accept;
    li->arg = arg;
    li->tally = ref_new(sizeof *li->tally, NULL);
    if (!li->tally)
        goto fail;
    err = acceptor_open(&li->acceptor, l, at, li->opt.reuse_port, on_fd, li);
    if (err)
        goto fail;
    *out = li;
    return 0;
fail:
    ref_drop(li->tally);
    free(li);
    return err;
}

void listener_address(const struct listener *li, struct address *out)
{
    acceptor_address(li->acceptor, out);
}

uint64_t listener_refused(const struct listener *li)
{
    return li->refused;
}

uint64_t listener_strangers(const struct listener *li)
{
    return li->strangers;
}

void listener_close(struct listener *li)
{
    if (!li)
        return;
    acceptor_close(li->acceptor);
    ref_drop(li->tally);
    free(li);
}
