/* What the tests of net share: a quiet log, a loop with a guard, and blocking sockets on 127.0.0.1 for scripted peers.
 * Include after cmocka.h. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/loop.h"

enum { HELP_GUARD_MS = 60000 };

static const struct log_sink help_sink = { .fd = 2, .level = LOG_OFF };
static const struct log help_log = { .sink = &help_sink, .module = "test" };

static inline struct loop *help_loop(void)
{
    struct loop *l;

    assert_int_equal(loop_new(&l, &help_log), 0);
    return l;
}

static inline void help_fail(void *arg)
{
    fail_msg("%s", (const char *)arg);
}

/* Runs until loop_stop; a test that hangs fails instead. */
static inline void help_run(struct loop *l)
{
    struct timer *guard;

    assert_int_equal(timer_new(&guard, l, help_fail, "the loop was not stopped in time"), 0);
    timer_start(guard, HELP_GUARD_MS);
    loop_run(l);
    timer_free(guard);
}

static inline void help_stop(void *arg)
{
    loop_stop(arg);
}

/* Runs the loop for a while: for "nothing more comes". */
static inline void help_run_ms(struct loop *l, int64_t ms)
{
    struct timer *t;

    assert_int_equal(timer_new(&t, l, help_stop, l), 0);
    timer_start(t, ms);
    loop_run(l);
    timer_free(t);
}

static inline struct sockaddr_in help_addr(uint16_t port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

/* A blocking listening socket on a free port. */
static inline int help_listen(uint16_t *port)
{
    struct sockaddr_in a = help_addr(0);
    socklen_t n = sizeof a;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 16), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
    *port = ntohs(a.sin_port);
    return fd;
}

/* A blocking connection; -errno when refused. */
static inline int help_connect(uint16_t port)
{
    const struct sockaddr_in a = help_addr(port);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (const struct sockaddr *)&a, sizeof a) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -errno;
}

/* A connected pair of TCP sockets: [0] non-blocking, for a stream; [1] blocking, for the peer. */
static inline void help_tcp_pair(int fd[2])
{
    uint16_t port;
    const int listener = help_listen(&port);

    fd[1] = help_connect(port);
    assert_true(fd[1] >= 0);
    fd[0] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fd[0] >= 0);
    close(listener);
}

static inline bool help_write(int fd, const void *p, size_t n)
{
    const char *at = p;

    while (n > 0) {
        const ssize_t k = send(fd, at, n, MSG_NOSIGNAL);

        if (k < 0)
            return false;
        at += k;
        n -= (size_t)k;
    }
    return true;
}

/* Exactly n bytes, or false at the end of the stream or after 20 s. */
static inline bool help_read(int fd, void *p, size_t n)
{
    char *at = p;

    while (n > 0) {
        struct pollfd w = { .fd = fd, .events = POLLIN };
        const ssize_t k = poll(&w, 1, 20000) == 1 ? read(fd, at, n) : -1;

        if (k <= 0)
            return false;
        at += k;
        n -= (size_t)k;
    }
    return true;
}

/* What a peer sees of the end: 0 for FIN, -ECONNRESET, or -ETIMEDOUT after 20 s. Bytes before it are thrown away. */
static inline int help_read_end(int fd)
{
    char junk[65536];

    for (;;) {
        struct pollfd w = { .fd = fd, .events = POLLIN };
        ssize_t k;

        if (poll(&w, 1, 20000) != 1)
            return -ETIMEDOUT;
        k = read(fd, junk, sizeof junk);
        if (k <= 0)
            return k == 0 ? 0 : -errno;
    }
}
