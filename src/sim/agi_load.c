/* Opens sessions, sends the environment, answers each command at once, and stamps the ends. */
#include "sim/agi_load.h"

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

#include "base/clock.h"
#include "base/text.h"

enum { LOAD_EVENTS = 256, LOAD_LINE = 1024, LOAD_ENV = 2048, LOAD_DRAIN_MS = 10000 };

struct load_session {
    int fd; /* -1: free */
    bool is_held, saw_command;
    int64_t began_us; /* what its time counts from */
    int64_t connected_us;
    size_t have;
    char line[LOAD_LINE];
    struct load_session *next; /* free list */
};

struct load {
    const struct agi_load_options *opt;
    struct agi_load_result *out;
    struct sockaddr_storage to;
    socklen_t to_size;
    char env[LOAD_ENV];
    size_t env_n;
    int epoll;
    struct load_session *sessions, *unused;
    size_t active, held;
    uint64_t begun;
    int64_t first_us, last_us;
};

/* 22 agi_ lines and 3 arguments, as Asterisk 22 sends them for a PJSIP call. */
static int make_environment(struct load *l)
{
    const char *s = l->opt->script;
    const int n = snprintf(
        l->env, sizeof l->env,
        "agi_network: yes\nagi_network_script: %s\nagi_request: agi://127.0.0.1/%s\nagi_channel: PJSIP/trunk-0000002a\n"
        "agi_language: en\nagi_type: PJSIP\nagi_uniqueid: 1700000000.42\nagi_version: 22.10.1\nagi_callerid: 1001\n"
        "agi_calleridname: unknown\nagi_callingpres: 0\nagi_callingani2: 0\nagi_callington: 0\nagi_callingtns: 0\nagi_dnid: "
        "100\n"
        "agi_rdnis: unknown\nagi_context: default\nagi_extension: 100\nagi_priority: 3\nagi_enhanced: 0.0\nagi_accountcode: \n"
        "agi_threadid: 139872\nagi_arg_1: one\nagi_arg_2: two\nagi_arg_3: three\n\n",
        s, s);

    if (n < 0 || n >= (int)sizeof l->env)
        return -EMSGSIZE;
    l->env_n = (size_t)n;
    return 0;
}

static int make_address(struct load *l)
{
    struct sockaddr_in *four = (struct sockaddr_in *)&l->to;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)&l->to;
    const struct address *a = &l->opt->target;

    if (inet_pton(AF_INET, a->host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(a->port);
        l->to_size = sizeof *four;
        return 0;
    }
    if (inet_pton(AF_INET6, a->host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons(a->port);
        l->to_size = sizeof *six;
        return 0;
    }
    return -EINVAL;
}

/* On loopback a connect ends at once: blocking for it keeps the stamp honest and the code small. */
static int begin(struct load *l, int64_t scheduled_us, bool is_held)
{
    struct load_session *s = l->unused;
    struct epoll_event ev = { .events = EPOLLIN | EPOLLRDHUP };
    const int one = 1;
    int err = 0;

    s->connected_us = clock_mono_us();
    s->fd = socket(l->to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        return -errno;
    if (connect(s->fd, (struct sockaddr *)&l->to, l->to_size) < 0)
        err = -errno;
    setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ev.data.ptr = s;
    if (!err && send(s->fd, l->env, l->env_n, MSG_NOSIGNAL) != (ssize_t)l->env_n)
        err = -EIO;
    if (!err && epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &ev) < 0)
        err = -errno;
    if (err) {
        close(s->fd);
        s->fd = -1;
        return err;
    }
    l->unused = s->next;
    s->began_us = scheduled_us ? scheduled_us : s->connected_us;
    s->is_held = is_held;
    s->saw_command = false;
    s->have = 0;
    if (is_held) {
        l->held++;
    } else {
        l->active++;
        l->begun++;
        if (!l->first_us)
            l->first_us = s->began_us;
    }
    return 0;
}

static void finish(struct load *l, struct load_session *s, bool ok)
{
    const int64_t now = clock_mono_us();

    close(s->fd);
    s->fd = -1;
    s->next = l->unused;
    l->unused = s;
    if (s->is_held) {
        l->held--;
        return;
    }
    l->active--;
    l->last_us = now;
    if (!ok) {
        l->out->failed++;
        return;
    }
    l->out->sessions++;
    hist_add(&l->out->session_us, now - s->began_us);
}

/* What Asterisk would say to this command. */
static struct text reply_to(struct text command)
{
    if (text_starts(command, TEXT("GET VARIABLE")))
        return TEXT("200 result=1 (1001)\n");
    if (text_starts(command, TEXT("SET VARIABLE")))
        return TEXT("200 result=1\n");
    return TEXT("200 result=0\n");
}

static bool answer(struct load *l, struct load_session *s, struct text command)
{
    const struct text reply = reply_to(command);

    if (!s->saw_command && !s->is_held)
        hist_add(&l->out->first_us, clock_mono_us() - s->began_us);
    s->saw_command = true;
    if (s->is_held)
        return true; /* a caller who is busy with the first command until the end */
    l->out->commands++;
    return send(s->fd, reply.p, reply.n, MSG_NOSIGNAL) == (ssize_t)reply.n;
}

/* False: the session has ended (already finished here). */
static bool on_readable(struct load *l, struct load_session *s)
{
    const ssize_t n = recv(s->fd, s->line + s->have, sizeof s->line - s->have, MSG_DONTWAIT);
    char *end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0) {
        finish(l, s, n == 0 && s->saw_command && s->have == 0);
        return false;
    }
    s->have += (size_t)n;
    while ((end = memchr(s->line, '\n', s->have))) {
        const size_t used = (size_t)(end - s->line) + 1;

        if (!answer(l, s, text_make(s->line, used - 1))) {
            finish(l, s, false);
            return false;
        }
        s->have -= used;
        memmove(s->line, s->line + used, s->have);
    }
    if (s->have == sizeof s->line) {
        finish(l, s, false);
        return false;
    }
    return true;
}

static void drop_late(struct load *l, size_t count)
{
    const int64_t limit = clock_mono_us() - (l->opt->session_ms ? l->opt->session_ms : 10000) * 1000;

    for (size_t i = 0; i < count; i++)
        if (l->sessions[i].fd >= 0 && !l->sessions[i].is_held && l->sessions[i].connected_us < limit)
            finish(l, &l->sessions[i], false);
}

static void serve_events(struct load *l, int wait_ms)
{
    struct epoll_event ev[LOAD_EVENTS];
    const int n = epoll_wait(l->epoll, ev, LOAD_EVENTS, wait_ms);

    for (int i = 0; i < n; i++) {
        struct load_session *s = ev[i].data.ptr;

        if (s->fd >= 0)
            on_readable(l, s);
    }
}

/* Starts what the schedule (or the free place) asks for. Returns ms until the next arrival, or -1: ended. */
static int start_due(struct load *l, int64_t begin_us, int64_t end_us, int *err)
{
    const struct agi_load_options *o = l->opt;

    for (;;) {
        const int64_t now = clock_mono_us();
        int64_t due = 0;

        if (o->rate > 0) {
            due = begin_us + (int64_t)((double)l->begun * 1e6 / o->rate);
            if (due >= end_us)
                return -1;
            if (due > now)
                return (int)((due - now) / 1000);
        } else if (now >= end_us) {
            return -1;
        }
        if (l->active >= o->concurrent) {
            l->out->late_starts += o->rate > 0;
            return 1;
        }
        *err = begin(l, due, false);
        if (*err)
            return -1;
    }
}

static int hold(struct load *l)
{
    while (l->held < l->opt->held) {
        const int err = begin(l, 0, true);

        if (err)
            return err;
        serve_events(l, 0);
    }
    return 0;
}

static int run(struct load *l, size_t count)
{
    const int64_t begin_us = clock_mono_us(), end_us = begin_us + (int64_t)(l->opt->seconds * 1e6);
    int64_t swept_us = begin_us, drain_us = 0;
    int wait_ms, err = 0;

    for (;;) {
        wait_ms = drain_us ? -1 : start_due(l, begin_us, end_us, &err);
        if (err)
            return err;
        if (wait_ms < 0) {
            if (!drain_us)
                drain_us = clock_mono_us();
            if (l->active == 0 || clock_mono_us() - drain_us > LOAD_DRAIN_MS * 1000LL)
                break;
            wait_ms = 10;
        }
        serve_events(l, wait_ms);
        if (clock_mono_us() - swept_us > 500000) {
            drop_late(l, count);
            swept_us = clock_mono_us();
        }
    }
    for (size_t i = 0; i < count; i++)
        if (l->sessions[i].fd >= 0 && !l->sessions[i].is_held)
            finish(l, &l->sessions[i], false);
    return 0;
}

int agi_load_run(const struct agi_load_options *opt, struct agi_load_result *out)
{
    struct load l = { .opt = opt, .out = out, .epoll = -1 };
    const size_t count = (size_t)opt->concurrent + opt->held;
    int err;

    memset(out, 0, sizeof *out);
    err = make_environment(&l);
    if (!err)
        err = make_address(&l);
    if (err)
        return err;
    l.sessions = calloc(count, sizeof *l.sessions);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!l.sessions || l.epoll < 0)
        err = -ENOMEM;
    for (size_t i = 0; l.sessions && i < count; i++) {
        l.sessions[i].fd = -1;
        l.sessions[i].next = l.unused;
        l.unused = &l.sessions[i];
    }
    if (!err)
        err = hold(&l);
    if (!err)
        err = run(&l, count);
    out->held = l.held;
    out->seconds = (double)(l.last_us - l.first_us) / 1e6;
    for (size_t i = 0; l.sessions && i < count; i++)
        if (l.sessions[i].fd >= 0)
            close(l.sessions[i].fd);
    if (l.epoll >= 0)
        close(l.epoll);
    free(l.sessions);
    return err;
}
