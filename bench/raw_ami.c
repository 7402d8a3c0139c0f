/* The limit: reads an AMI event stream with nothing but memchr: counts lines and messages, finds blank lines, keeps no text, knows no name, checks nothing.
 * usage: raw_ami PORT USER SECRET [lag]. Prints one line of JSON when the other side ends. */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 256 * 1024, LAGS = 1 << 20 };

static char room[ROOM + 1];
static int64_t lags[LAGS];
static size_t lag_count;
static uint64_t lines, messages, bytes;

static int64_t now_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int by_size(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* After the message was found; the search for the stamp is not part of what it measures. */
static void take_lag(const char *message, size_t n)
{
    const int64_t now = now_us(CLOCK_REALTIME);
    const char *at = memmem(message, n, "\nTimestamp: ", 12);
    int64_t seconds, micros;

    if (at && lag_count < LAGS && sscanf(at + 12, "%" SCNd64 ".%6" SCNd64, &seconds, &micros) == 2)
        lags[lag_count++] = now - (seconds * 1000000 + micros);
}

/* Returns what stays: the start of the message that is not whole. */
static size_t scan(size_t have, size_t seen, int with_lag)
{
    char *message = room, *line = room + seen, *const end = room + have, *lf;

    while ((lf = memchr(line, '\n', (size_t)(end - line)))) {
        lines++;
        if (lf > room && lf[-1] == '\r' && lf - 1 == line) {
            messages++;
            if (with_lag)
                take_lag(message, (size_t)(lf - message));
            message = lf + 1;
        }
        line = lf + 1;
    }
    memmove(room, message, (size_t)(end - message));
    return (size_t)(end - message);
}

/* The last line that is not whole begins here: what was scanned is not scanned again. */
static size_t line_start(size_t have)
{
    const char *lf = have ? memrchr(room, '\n', have) : NULL;

    return lf ? (size_t)(lf - room) + 1 : 0;
}

static int dial(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("raw_ami");
        exit(1);
    }
    return fd;
}

static void tell(double seconds, int64_t cpu_us)
{
    qsort(lags, lag_count, sizeof *lags, by_size);
    printf("{\"messages\":%" PRIu64 ",\"lines\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"seconds\":%.4f,\"events_per_second\":%.0f,\"cpu_ns_per_event\":%.1f,"
           "\"lag_p50_us\":%" PRId64 ",\"lag_p99_us\":%" PRId64 "}\n", messages, lines, bytes, seconds, (double)messages / seconds,
           (double)cpu_us * 1000 / (double)(messages ? messages : 1), lag_count ? lags[lag_count / 2] : -1,
           lag_count ? lags[lag_count * 99 / 100] : -1);
}

int main(int argc, char **argv)
{
    const int fd = argc > 3 ? dial(atoi(argv[1])) : -1, with_lag = argc > 4;
    char login[512];
    size_t have = 0;
    int64_t began = 0, cpu = 0;
    ssize_t n;

    if (fd < 0) {
        fprintf(stderr, "usage: raw_ami PORT USER SECRET [lag]\n");
        return 2;
    }
    snprintf(login, sizeof login, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\n\r\n", argv[2], argv[3]);
    if (send(fd, login, strlen(login), MSG_NOSIGNAL) < 0)
        return 1;
    while ((n = recv(fd, room + have, ROOM - have, 0)) > 0) {
        const size_t seen = line_start(have);

        if (!began) {
            began = now_us(CLOCK_MONOTONIC);
            cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
        }
        bytes += (uint64_t)n;
        have = scan(have + (size_t)n, seen, with_lag);
    }
    tell((double)(now_us(CLOCK_MONOTONIC) - began) / 1e6, now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    close(fd);
    return 0;
}
