/* The client's side of the admin socket, for tools: blocking, with a deadline. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/admin.h"
#include "base/buf.h"

static int connect_to(const char *path, int64_t timeout_ms)
{
    const struct timeval wait = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    int fd, err;

    if (strlen(path) >= sizeof at.sun_path)
        return -ENAMETOOLONG;
    text_copy(at.sun_path, sizeof at.sun_path, text_of(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    err = -errno;
    close(fd);
    return err;
}

static int read_line(int fd, struct buf *in)
{
    for (;;) {
        char *p = buf_room(in, 16384);
        ssize_t n;

        if (!p)
            return in->err;
        n = recv(fd, p, 16384, 0);
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        if (n == 0)
            return -EPROTO;
        in->n += (size_t)n;
        if (in->p[in->n - 1] == '\n')
            return 0;
    }
}

int admin_ask(const char *path, struct text line, int64_t timeout_ms, char **answer)
{
    const int fd = connect_to(path, timeout_ms);
    struct buf b;
    int err = 0;

    if (fd < 0)
        return fd;
    buf_init(&b, ADMIN_ANSWER_MAX);
    buf_add_text(&b, line);
    buf_add_char(&b, '\n');
    if (b.err || send(fd, b.p, b.n, MSG_NOSIGNAL) != (ssize_t)b.n)
        err = b.err ? b.err : -EPIPE;
    buf_clear(&b);
    if (!err)
        err = read_line(fd, &b);
    if (!err) {
        *answer = text_dup(text_head(buf_text(&b), b.n - 1));
        err = *answer ? 0 : -ENOMEM;
    }
    buf_free(&b);
    close(fd);
    return err;
}
