/* The limit: a FastAGI server on bare epoll with a fixed script, no parsing beyond line ends, no language, no limits, no deadlines.
 * Four commands (ANSWER, GET VARIABLE, SET VARIABLE, EXEC), then close. Prints its port, ends on SIGTERM. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CLIENTS = 65536, EVENTS = 256 };

static const char *const commands[] = {
    "ANSWER\n", "GET VARIABLE \"CALLERID(num)\"\n", "SET VARIABLE \"BENCH\" \"1001\"\n", "EXEC \"NoOp\" \"done\"\n",
};

struct client {
    unsigned char step; /* 0: reading the environment; n: command n-1 is out */
    char last;          /* the byte before, for the blank line */
};

static struct client clients[CLIENTS];

static void end(int fd)
{
    close(fd);
}

static void step(int fd, struct client *c)
{
    const char *s;

    if (c->step == sizeof commands / sizeof *commands) {
        end(fd);
        return;
    }
    s = commands[c->step++];
    if (send(fd, s, strlen(s), MSG_NOSIGNAL) < 0)
        end(fd);
}

static void on_readable(int fd)
{
    struct client *c = &clients[fd];
    char in[4096];
    const ssize_t n = recv(fd, in, sizeof in, MSG_DONTWAIT);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN)
            end(fd);
        return;
    }
    if (c->step == 0) {
        const int blank = n > 1 ? in[n - 1] == '\n' && in[n - 2] == '\n' : in[0] == '\n' && c->last == '\n';

        c->last = in[n - 1];
        if (blank)
            step(fd, c);
    } else if (in[n - 1] == '\n') {
        step(fd, c);
    }
}

static int listen_on(int port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof at;
    const int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || listen(fd, 4096) < 0) {
        perror("raw_fastagi");
        exit(1);
    }
    getsockname(fd, (struct sockaddr *)&at, &size);
    printf("%d\n", ntohs(at.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv)
{
    const int door = listen_on(argc > 1 ? atoi(argv[1]) : 0), ep = epoll_create1(0), one = 1;
    struct epoll_event ev[EVENTS] = { { .events = EPOLLIN, .data.fd = door } };

    epoll_ctl(ep, EPOLL_CTL_ADD, door, &ev[0]);
    for (;;) {
        const int n = epoll_wait(ep, ev, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            int fd;

            if (ev[i].data.fd != door) {
                on_readable(ev[i].data.fd);
                continue;
            }
            while ((fd = accept4(door, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                struct epoll_event one_ev = { .events = EPOLLIN, .data.fd = fd };

                if (fd >= CLIENTS) {
                    close(fd);
                    continue;
                }
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                memset(&clients[fd], 0, sizeof clients[fd]);
                epoll_ctl(ep, EPOLL_CTL_ADD, fd, &one_ev);
            }
        }
    }
}
