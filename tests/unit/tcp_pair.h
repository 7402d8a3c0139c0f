/* Two connected TCP sockets over loopback, and what a test does with its end of them. Include after cmocka.h. */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ours: non-blocking, as a greeter hands it over. buffer_bytes: 0, or small kernel buffers at both ends. */
static inline void tcp_pair(int *ours, int *theirs, int buffer_bytes)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    const int listening = socket(AF_INET, SOCK_STREAM, 0);
    const int one = 1;

    assert_true(listening >= 0);
    if (buffer_bytes)
        setsockopt(listening, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    assert_int_equal(bind(listening, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listening, 1), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *)&at, &n), 0);
    *ours = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (buffer_bytes)
        setsockopt(*ours, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    assert_int_equal(connect(*ours, (struct sockaddr *)&at, sizeof at), 0);
    *theirs = accept(listening, NULL, NULL);
    assert_true(*theirs >= 0);
    close(listening);
    setsockopt(*ours, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(*theirs, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(*ours, F_SETFL, O_NONBLOCK);
    fcntl(*theirs, F_SETFL, O_NONBLOCK);
}

static inline int tcp_connect(uint16_t port)
{
    const struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const int one = 1;

    assert_true(fd >= 0);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(fd, (const struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        return -1;
    }
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static inline void tcp_write(int fd, const void *p, size_t n)
{
    assert_int_equal(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* What has arrived by now. */
struct tcp_heard {
    int fd;
    uint8_t bytes[65536];
    size_t n, want;
    bool is_ended;
    int err;
};

static inline void tcp_hear(struct tcp_heard *h)
{
    while (!h->is_ended && h->n < sizeof h->bytes) {
        const ssize_t n = recv(h->fd, h->bytes + h->n, sizeof h->bytes - h->n, MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0) {
            h->is_ended = true;
            h->err = n < 0 ? errno : 0;
            return;
        }
        h->n += (size_t)n;
    }
}

/* For turn_until: `want` bytes are here. */
static inline bool tcp_has_heard(void *arg)
{
    struct tcp_heard *h = arg;

    tcp_hear(h);
    return h->n >= h->want || h->is_ended;
}

static inline bool tcp_has_ended(void *arg)
{
    struct tcp_heard *h = arg;

    tcp_hear(h);
    return h->is_ended;
}

/* The peer dies: a reset instead of an end. */
static inline void tcp_reset(int fd)
{
    const struct linger now = { .l_onoff = 1, .l_linger = 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}
