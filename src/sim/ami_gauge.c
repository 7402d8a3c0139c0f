/* Logs in, reads until the end, makes a typed event of each message, drops it. */
#include "sim/ami_gauge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap/event.h"
#include "wire/md5.h"

enum { ROOM = 256 * 1024 };

enum state { AT_BANNER, AT_CHALLENGE, AT_LOGIN, AT_EVENTS };

struct gauge {
    const struct ami_gauge_options *opt;
    struct ami_gauge_result *out;
    int fd;
    enum state state;
    struct ami_reader reader;
    int64_t began_us, began_cpu_us;
};

static int64_t thread_cpu_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int dial(struct gauge *g)
{
    const int64_t patience = g->opt->patience_ms ? g->opt->patience_ms : 10000;
    const struct timeval limit = { .tv_sec = patience / 1000, .tv_usec = patience % 1000 * 1000 };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(g->opt->target.port) };

    if (inet_pton(AF_INET, g->opt->target.host, &to.sin_addr) != 1)
        return -EINVAL;
    g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (g->fd < 0 || setsockopt(g->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
        setsockopt(g->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 || connect(g->fd, (struct sockaddr *)&to, sizeof to) < 0)
        return -errno;
    return 0;
}

static int send_action(struct gauge *g, struct ami_writer *w)
{
    struct text out = TEXT_NONE;
    int err = ami_writer_finish(w, &out);

    if (!err && send(g->fd, out.p, out.n, MSG_NOSIGNAL) != (ssize_t)out.n)
        err = -EIO;
    ami_writer_free(w);
    return err;
}

static int send_challenge(struct gauge *g)
{
    struct ami_writer w;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Challenge"));
    ami_write(&w, TEXT("AuthType"), TEXT("MD5"));
    g->state = AT_CHALLENGE;
    return send_action(g, &w);
}

static int send_login(struct gauge *g, struct text challenge)
{
    struct ami_writer w;
    char key[MD5_HEX + 1];

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Login"));
    ami_write(&w, TEXT("Username"), text_of(g->opt->user));
    if (challenge.p) {
        md5_hex(challenge, text_of(g->opt->secret), key);
        ami_write(&w, TEXT("AuthType"), TEXT("MD5"));
        ami_write(&w, TEXT("Key"), text_of(key));
    } else {
        ami_write(&w, TEXT("Secret"), text_of(g->opt->secret));
    }
    g->state = AT_LOGIN;
    return send_action(g, &w);
}

static int take_event(struct gauge *g, const struct ami_message *m)
{
    struct ami_gauge_result *r = g->out;
    struct tap_event *e;
    int err = tap_event_of(&e, m->kind == AMI_FORGED ? TAP_FORGED : TAP_EVENT, m);

    if (err)
        return err;
    r->events++;
    r->fields += e->count;
    r->forged += m->kind == AMI_FORGED;
    r->cut += (e->flags & TAP_CUT) != 0;
    r->suspect += (e->flags & TAP_SUSPECT) != 0;
    if (e->name == TAP_E_SHUTDOWN)
        r->saw_shutdown = true;
    else if (g->opt->takes_lag && e->emit_us != TAP_NO_TIME)
        hist_add(&r->lag_us, clock_wall_us() - e->emit_us);
    tap_event_free(e);
    return 0;
}

static int take_message(struct gauge *g, const struct ami_message *m)
{
    switch (g->state) {
    case AT_BANNER:
        return g->opt->is_plain ? send_login(g, TEXT_NONE) : send_challenge(g);
    case AT_CHALLENGE:
        return ami_get(m, TEXT("Challenge")).p ? send_login(g, ami_get(m, TEXT("Challenge"))) : -EPROTO;
    case AT_LOGIN:
        if (m->kind != AMI_RESPONSE || !text_eq(m->name, TEXT("Success")))
            return -EACCES;
        g->state = AT_EVENTS;
        g->began_us = clock_mono_us();
        g->began_cpu_us = thread_cpu_us();
        return 0;
    case AT_EVENTS:
        break;
    }
    return m->kind == AMI_RESPONSE ? 0 : take_event(g, m);
}

static int read_all(struct gauge *g, char *room)
{
    for (;;) {
        const ssize_t n = recv(g->fd, room, ROOM, 0);
        struct text in = text_make(room, n > 0 ? (size_t)n : 0);
        struct ami_message m;
        int got;

        if (n == 0)
            return g->state == AT_EVENTS ? 0 : -EACCES;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        g->out->bytes += (uint64_t)n;
        while ((got = ami_read(&g->reader, &in, &m)) == 1) {
            const int err = take_message(g, &m);

            if (err)
                return err;
        }
        if (got < 0)
            return got;
    }
}

int ami_gauge_run(const struct ami_gauge_options *opt, struct ami_gauge_result *out)
{
    struct gauge g = { .opt = opt, .out = out, .fd = -1 };
    char *room = malloc(ROOM);
    int err = room ? 0 : -ENOMEM;

    memset(out, 0, sizeof *out);
    hist_reset(&out->lag_us);
    ami_reader_init(&g.reader, AMI_FROM_ASTERISK, 0);
    if (!err)
        err = dial(&g);
    if (!err)
        err = read_all(&g, room);
    out->seconds = (double)(clock_mono_us() - g.began_us) / 1e6;
    out->cpu_us = thread_cpu_us() - g.began_cpu_us;
    ami_reader_free(&g.reader);
    if (g.fd >= 0)
        close(g.fd);
    free(room);
    return err;
}
