/* The limit: an AudioSocket echo on bare epoll. Audio frames go back as they come, as far as one read brought them; no clock, no queue, no
 * conversion. usage: raw_audiosocket [PORT]. Prints its port, ends on SIGTERM. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LEGS = 65536, EVENTS = 256, HEAD = 3, HELLO = 19, ROOM = 4096 };

static struct {
    unsigned char hello_left;      /* bytes of the first frame, its UUID, that are still to come */
    unsigned char is_open;
} legs[LEGS];

static void end(int fd)
{
    legs[fd].is_open = 0;
    close(fd);
}

/* Frames arrive whole on loopback; what would be cut is echoed cut, and the other side puts it together. */
static void on_readable(int fd)
{
    char in[ROOM];
    ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);
    size_t skip;

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            end(fd);
        return;
    }
    skip = (size_t)n < legs[fd].hello_left ? (size_t)n : legs[fd].hello_left;
    legs[fd].hello_left = (unsigned char)(legs[fd].hello_left - skip);
    if ((size_t)n > skip && send(fd, in + skip, (size_t)n - skip, MSG_NOSIGNAL | MSG_DONTWAIT) != n - (ssize_t)skip)
        end(fd);
}

static void on_caller(int epoll, int listener)
{
    struct epoll_event ev = { .events = EPOLLIN };
    const int one = 1;
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0)
        return;
    if (fd >= LEGS) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    legs[fd].hello_left = HELLO;
    legs[fd].is_open = 1;
    ev.data.fd = fd;
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        end(fd);
}

static int listen_at(int port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof a;
    const int one = 1;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 4096) < 0 || getsockname(fd, (struct sockaddr *)&a, &size) < 0) {
        perror("raw_audiosocket");
        exit(1);
    }
    printf("%d\n", ntohs(a.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    const int listener = listen_at(argc > 1 ? atoi(argv[1]) : 0);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev = { .events = EPOLLIN, .data.fd = listener };

    if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &ev) < 0) {
        perror("raw_audiosocket");
        return 1;
    }
    for (;;) {
        struct epoll_event happened[EVENTS];
        const int n = epoll_wait(epoll, happened, EVENTS, -1);

        for (int i = 0; i < n; i++)
            if (happened[i].data.fd == listener)
                on_caller(epoll, listener);
            else if (legs[happened[i].data.fd].is_open)
                on_readable(happened[i].data.fd);
    }
}
