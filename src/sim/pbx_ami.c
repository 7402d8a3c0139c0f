/* A small blocking manager client, for tools. */
#include "sim/pbx_ami.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

static int fd_wait(int fd, short events, int64_t deadline_us)
{
    for (;;) {
        struct pollfd p = { .fd = fd, .events = events };
        const int64_t left_us = deadline_us - clock_mono_us();
        int n;

        if (left_us <= 0)
            return -ETIMEDOUT;
        n = poll(&p, 1, (int)(left_us / 1000) + 1);
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
    }
}

static int socket_connect(int fd, uint16_t port, int64_t deadline_us)
{
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int err, soerr = 0;
    socklen_t size = sizeof soerr;

    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return -errno;
    err = fd_wait(fd, POLLOUT, deadline_us);
    if (err)
        return err;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &soerr, &size) < 0)
        return -errno;
    return -soerr;
}

/* More bytes into the store. */
static int fill(struct pbx_ami *a, int64_t deadline_us)
{
    ssize_t n;
    int err;

    if (a->have == PBX_AMI_MESSAGE_MAX)
        return -EMSGSIZE;
    err = fd_wait(a->fd, POLLIN, deadline_us);
    if (err)
        return err;
    n = read(a->fd, a->store + a->have, PBX_AMI_MESSAGE_MAX - a->have);
    if (n == 0)
        return -ECONNRESET;
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    a->have += (size_t)n;
    return 0;
}

/* Gives out all before `end`, and remembers to drop it with the mark. */
static int take(struct pbx_ami *a, const char *end, struct text *out, int64_t deadline_us)
{
    const struct text mark = text_of(end);
    ptrdiff_t at;

    memmove(a->store, a->store + a->taken, a->have - a->taken);
    a->have -= a->taken;
    a->taken = 0;
    while ((at = text_find_text(text_make(a->store, a->have), mark)) < 0) {
        const int err = fill(a, deadline_us);

        if (err)
            return err;
    }
    *out = text_make(a->store, (size_t)at);
    a->taken = (size_t)at + mark.n;
    return 0;
}

int pbx_ami_open(struct pbx_ami *a, uint16_t port, int64_t deadline_us)
{
    struct pbx_ami fresh = { .fd = -1 };
    struct text banner;
    int err = -ENOMEM;

    fresh.store = malloc(PBX_AMI_MESSAGE_MAX);
    if (!fresh.store)
        goto fail;
    fresh.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    err = fresh.fd < 0 ? -errno : socket_connect(fresh.fd, port, deadline_us);
    if (err)
        goto fail;
    err = take(&fresh, "\r\n", &banner, deadline_us);
    if (!err && !text_starts(banner, TEXT("Asterisk Call Manager/")))
        err = -EPROTO;
    if (err)
        goto fail;
    *a = fresh;
    return 0;
fail:
    pbx_ami_close(&fresh);
    return err;
}

void pbx_ami_close(struct pbx_ami *a)
{
    if (a->fd >= 0)
        close(a->fd);
    free(a->store);
    *a = (struct pbx_ami){ .fd = -1 };
}

int pbx_ami_send(struct pbx_ami *a, struct text bytes, int64_t deadline_us)
{
    while (bytes.n > 0) {
        const int err = fd_wait(a->fd, POLLOUT, deadline_us);
        ssize_t n;

        if (err)
            return err;
        n = send(a->fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        bytes = text_skip(bytes, n > 0 ? (size_t)n : 0);
    }
    return 0;
}

int pbx_ami_read(struct pbx_ami *a, struct text *message, int64_t deadline_us)
{
    return take(a, "\r\n\r\n", message, deadline_us);
}

struct text pbx_ami_header(struct text message, struct text name)
{
    struct text line;

    while (text_cut(&message, '\n', &line))
        if (line.n > name.n && line.p[name.n] == ':' && text_starts_nocase(line, name))
            return text_trim(text_skip(line, name.n + 1));
    return TEXT_NONE;
}
