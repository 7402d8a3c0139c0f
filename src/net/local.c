/* Makes streams of Unix sockets: a pair, or those that a path accepts. */
#include "net/local.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ref.h"
#include "net/loop_internal.h"

enum { BACKLOG = 16, BATCH_MAX = 16 };

struct local_listener {
    uv_poll_t poll;
    struct loop *loop;
    void (*on_accept)(struct stream *s, void *arg);
    void *arg;
    size_t streams, max_streams;
    uint64_t refused;
    int fd;
    struct sockaddr_un at;
};

int stream_pair(struct stream **a, struct stream **b, struct loop *l)
{
    static const struct stream_handlers none = { 0 };
    int fd[2], err;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd))
        return -errno;
    err = stream_adopt(a, l, fd[0], NULL, &none, NULL);
    if (err) {
        close(fd[0]);
        close(fd[1]);
        return err;
    }
    err = stream_adopt(b, l, fd[1], NULL, &none, NULL);
    if (err) {
        close(fd[1]);
        stream_abort(*a);
        *a = ref_drop(*a);
    }
    return err;
}

static bool is_welcome(int fd)
{
    struct ucred who = { .uid = (uid_t)-1 };
    socklen_t n = sizeof who;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n))
        return false;
    return who.uid == 0 || who.uid == geteuid();
}

static void take(struct local_listener *li, int fd)
{
    static const struct stream_handlers none = { 0 };
    struct stream *s;

    if (li->streams >= li->max_streams || !is_welcome(fd) || stream_adopt(&s, li->loop, fd, NULL, &none, NULL)) {
        li->refused++;
        close(fd);
        return;
    }
    li->streams++;
    li->on_accept(s, li->arg);
}

static void on_readable(uv_poll_t *h, int status, int events)
{
    struct local_listener *li = h->data;
    struct loop *l = li->loop;
    const int64_t entered_us = loop_enter();

    (void)events;
    for (int i = 0; status == 0 && i < BATCH_MAX; i++) {
        const int fd = accept4(li->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            break;
        take(li, fd);
    }
    loop_leave(l, "local_accept", entered_us);
}

/* 0 when nothing is there any more. */
static int remove_stale(const struct sockaddr_un *at)
{
    struct stat st;
    int fd, err = 0;

    if (lstat(at->sun_path, &st))
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)at, sizeof *at) == 0 || errno == EAGAIN)
        err = -EADDRINUSE;
    else if (errno != ECONNREFUSED)
        err = -errno;
    else if (unlink(at->sun_path) && errno != ENOENT)
        err = -errno;
    close(fd);
    return err;
}

/* Nobody can connect before listen(), so the mode is right before the first visitor. */
static int socket_open(struct local_listener *li)
{
    int err = remove_stale(&li->at);

    if (err)
        return err;
    li->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (li->fd < 0)
        return -errno;
    if (bind(li->fd, (const struct sockaddr *)&li->at, sizeof li->at)) {
        err = -errno;
    } else if (chmod(li->at.sun_path, 0600) || listen(li->fd, BACKLOG)) {
        err = -errno;
        unlink(li->at.sun_path);
    }
    if (err)
        close(li->fd);
    return err;
}

static void on_gone(uv_handle_t *h)
{
    free(h->data);
}

int local_listener_open(struct local_listener **out, struct loop *l, const char *path, size_t max_streams,
                        void (*on_accept)(struct stream *s, void *arg), void *arg)
{
    struct local_listener *li;
    int err;

    if (strlen(path) >= sizeof li->at.sun_path)
        return -ENAMETOOLONG;
    li = calloc(1, sizeof *li);
    if (!li)
        return -ENOMEM;
    li->loop = l;
    li->on_accept = on_accept;
    li->arg = arg;
    li->max_streams = max_streams;
    li->at.sun_family = AF_UNIX;
    text_copy(li->at.sun_path, sizeof li->at.sun_path, text_of(path));
    err = socket_open(li);
    if (!err) {
        err = uv_poll_init(&l->uv, &li->poll, li->fd);
        if (err) {
            close(li->fd);
            unlink(path);
        }
    }
    if (err) {
        free(li);
        return err;
    }
    li->poll.data = li;
    uv_poll_start(&li->poll, UV_READABLE, on_readable);
    *out = li;
    return 0;
}

void local_listener_left(struct local_listener *li)
{
    li->streams--;
}

uint64_t local_listener_refused(const struct local_listener *li)
{
    return li->refused;
}

void local_listener_close(struct local_listener *li)
{
    if (!li)
        return;
    uv_poll_stop(&li->poll);
    unlink(li->at.sun_path);
    close(li->fd);
    uv_close((uv_handle_t *)&li->poll, on_gone);
}
