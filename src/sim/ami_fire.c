/* One thread with an epoll of its own: accepts, answers actions, and pours events into every session that wants them. */
#include "sim/ami_fire.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/ami_story.h"
#include "wire/ami.h"
#include "wire/md5.h"

enum { SESSIONS = 8, WAITS = 64, CHUNK = 64 * 1024, OUT_MAX = 4 * 1024 * 1024, IN = 4096, BACKLOG = 16 };

struct session {
    struct node *node;
    int fd;                     /* -1: free */
    struct ami_reader reader;
    struct buf out;
    size_t out_at;              /* of out, how far it is with the kernel */
    uint64_t in_out;            /* events that stand in out and are not counted yet */
    bool is_in, is_pouring, is_closing;
    char challenge[16];
    struct ami_story *story;
    int64_t began_us;
    uint64_t made;
};

struct node {
    struct ami_fire *fire;
    int door;
    uint16_t port;
    char system[16];
    struct session sessions[SESSIONS];
    atomic_uint_least64_t sent, calls, logins, refused;
    atomic_uint pouring;
};

struct ami_fire {
    struct ami_fire_options opt;
    char user[64], secret[64];
    int epoll, bell;
    pthread_t thread;
    bool has_thread;
    atomic_bool is_ending, is_held, is_dry;
    unsigned chance;
    struct node nodes[];
};

/* ---- answers ---- */

static int64_t node_time(const struct ami_fire *f)
{
    return clock_wall_us() + f->opt.clock_ahead_us;
}

static void add_message(struct session *s, struct ami_writer *w)
{
    struct text out;

    if (ami_writer_finish(w, &out) == 0)
        (void)buf_add_text(&s->out, out);
    ami_writer_free(w);
}

static void begin_answer(struct ami_writer *w, const struct ami_message *m, bool is_good)
{
    const struct text id = ami_get(m, TEXT("ActionID"));

    ami_writer_init(w, AMI_FROM_ASTERISK, TEXT("Response"), is_good ? TEXT("Success") : TEXT("Error"));
    if (id.p)
        ami_write(w, TEXT("ActionID"), id);
}

static void answer(struct session *s, const struct ami_message *m, bool is_good, struct text name, struct text value)
{
    struct ami_writer w;

    begin_answer(&w, m, is_good);
    ami_write(&w, name, value);
    add_message(s, &w);
}

static void on_challenge(struct session *s, const struct ami_message *m)
{
    snprintf(s->challenge, sizeof s->challenge, "%u", 100000000u + s->node->fire->chance++ * 7919u % 900000000u);
    answer(s, m, true, TEXT("Challenge"), text_of(s->challenge));
}

static bool may_log_in(const struct session *s, const struct ami_message *m)
{
    const struct ami_fire *f = s->node->fire;
    char key[MD5_HEX + 1];

    if (!text_eq(ami_get(m, TEXT("Username")), text_of(f->user)))
        return false;
    if (!text_eq_nocase(ami_get(m, TEXT("AuthType")), TEXT("MD5")))
        return text_eq(ami_get(m, TEXT("Secret")), text_of(f->secret));
    md5_hex(text_of(s->challenge), text_of(f->secret), key);
    return s->challenge[0] && text_eq(ami_get(m, TEXT("Key")), text_of(key));
}

static void begin_pouring(struct session *s)
{
    const struct ami_fire *f = s->node->fire;

    if (ami_story_new(&s->story, s->node->system, f->opt.calls ? f->opt.calls : 64, clock_wall_us() / 1000000))
        return;
    s->is_pouring = true;
    s->began_us = clock_mono_us();
    atomic_fetch_add(&s->node->pouring, 1);
}

static void on_login(struct session *s, const struct ami_message *m)
{
    struct ami_writer w;

    if (!may_log_in(s, m)) {
        atomic_fetch_add(&s->node->refused, 1);
        answer(s, m, false, TEXT("Message"), TEXT("Authentication failed"));
        s->is_closing = true;
        return;
    }
    s->is_in = true;
    atomic_fetch_add(&s->node->logins, 1);
    answer(s, m, true, TEXT("Message"), TEXT("Authentication accepted"));
    if (text_eq_nocase(ami_get(m, TEXT("Events")), TEXT("off")))
        return;
    ami_writer_init(&w, AMI_FROM_ASTERISK, TEXT("Event"), TEXT("FullyBooted"));
    ami_write(&w, TEXT("Privilege"), TEXT("system,all"));
    ami_write(&w, TEXT("Status"), TEXT("Fully Booted"));
    add_message(s, &w);
    begin_pouring(s);
}

static void on_ping(struct session *s, const struct ami_message *m)
{
    const int64_t now = node_time(s->node->fire);
    struct ami_writer w;
    char stamp[40];

    begin_answer(&w, m, true);
    snprintf(stamp, sizeof stamp, "%" PRId64 ".%06" PRId64, now / 1000000, now % 1000000);
    ami_write(&w, TEXT("Ping"), TEXT("Pong"));
    ami_write(&w, TEXT("Timestamp"), text_of(stamp));
    add_message(s, &w);
}

struct list {
    struct session *s;
    struct text id;
    int64_t count;
};

static void add_channel(struct text channel, struct text uniqueid, struct text linkedid, void *arg)
{
    struct list *l = arg;
    struct ami_writer w;

    ami_writer_init(&w, AMI_FROM_ASTERISK, TEXT("Event"), TEXT("CoreShowChannel"));
    if (l->id.p)
        ami_write(&w, TEXT("ActionID"), l->id);
    ami_write(&w, TEXT("Channel"), channel);
    ami_write(&w, TEXT("ChannelState"), TEXT("6"));
    ami_write(&w, TEXT("Uniqueid"), uniqueid);
    ami_write(&w, TEXT("Linkedid"), linkedid);
    add_message(l->s, &w);
    l->count++;
}

static void on_show_channels(struct session *s, const struct ami_message *m)
{
    struct list l = { .s = s, .id = ami_get(m, TEXT("ActionID")) };
    struct ami_writer w;

    begin_answer(&w, m, true);
    ami_write(&w, TEXT("EventList"), TEXT("start"));
    ami_write(&w, TEXT("Message"), TEXT("Channels will follow"));
    add_message(s, &w);
    for (int i = 0; i < SESSIONS; i++)
        if (s->node->sessions[i].is_pouring) {
            ami_story_channels(s->node->sessions[i].story, add_channel, &l);
            break;
        }
    ami_writer_init(&w, AMI_FROM_ASTERISK, TEXT("Event"), TEXT("CoreShowChannelsComplete"));
    if (l.id.p)
        ami_write(&w, TEXT("ActionID"), l.id);
    ami_write(&w, TEXT("EventList"), TEXT("Complete"));
    ami_write_int(&w, TEXT("ListItems"), l.count);
    add_message(s, &w);
}

static void on_logoff(struct session *s, const struct ami_message *m)
{
    struct ami_writer w;
    const struct text id = ami_get(m, TEXT("ActionID"));

    ami_writer_init(&w, AMI_FROM_ASTERISK, TEXT("Response"), TEXT("Goodbye"));
    if (id.p)
        ami_write(&w, TEXT("ActionID"), id);
    ami_write(&w, TEXT("Message"), TEXT("Thanks for all the fish."));
    add_message(s, &w);
    s->is_closing = true;
}

static const struct action {
    struct text name;
    bool before_login;
    void (*on)(struct session *s, const struct ami_message *m);
} actions[] = {
    { { "Login", 5 }, true, on_login },     { { "Challenge", 9 }, true, on_challenge },
    { { "Logoff", 6 }, true, on_logoff },   { { "Ping", 4 }, false, on_ping },
    { { "CoreShowChannels", 16 }, false, on_show_channels },
};

static void on_action(struct session *s, const struct ami_message *m)
{
    if (m->kind != AMI_ACTION) {
        answer(s, m, false, TEXT("Message"), TEXT("Missing action in request"));
        return;
    }
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (text_eq_nocase(m->name, actions[i].name) && (s->is_in || actions[i].before_login)) {
            actions[i].on(s, m);
            return;
        }
    answer(s, m, false, TEXT("Message"), s->is_in ? TEXT("Invalid/unknown command") : TEXT("Permission denied"));
}

/* ---- sessions ---- */

static void end_session(struct session *s)
{
    if (s->is_pouring)
        atomic_fetch_sub(&s->node->pouring, 1);
    close(s->fd);
    s->fd = -1;
    ami_reader_free(&s->reader);
    buf_free(&s->out);
    ami_story_free(s->story);
    s->story = NULL;
    s->is_in = s->is_pouring = s->is_closing = false;
}

static void begin_session(struct node *n, int fd)
{
    struct epoll_event ev = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };
    const int one = 1;
    struct session *s = NULL;

    for (int i = 0; i < SESSIONS && !s; i++)
        if (n->sessions[i].fd < 0)
            s = &n->sessions[i];
    if (!s) {
        close(fd);
        return;
    }
    *s = (struct session){ .node = n, .fd = fd };
    ami_reader_init(&s->reader, AMI_FROM_CLIENT, 0);
    buf_init(&s->out, OUT_MAX);
    (void)buf_add_text(&s->out, TEXT("Asterisk Call Manager/11.0.0\r\n"));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ev.data.ptr = s;
    if (epoll_ctl(n->fire->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
        end_session(s);
}

static void accept_all(struct node *n)
{
    int fd;

    while ((fd = accept4(n->door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
        begin_session(n, fd);
}

/* False: the session is over. */
static bool read_all(struct session *s)
{
    char in[IN];
    ssize_t got;

    while ((got = recv(s->fd, in, sizeof in, MSG_DONTWAIT)) > 0) {
        struct text t = text_make(in, (size_t)got);
        struct ami_message m;

        while (!s->is_closing && ami_read(&s->reader, &t, &m) == 1)
            on_action(s, &m);
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR) && s->reader.err == 0 && s->out.err == 0;
}

/* ---- pouring ---- */

static uint64_t events_due(const struct session *s)
{
    const struct ami_fire *f = s->node->fire;
    uint64_t due = UINT64_MAX;

    if (f->opt.may_send && !f->opt.may_send((unsigned)(s->node - f->nodes), f->opt.arg))
        return 0;
    if (f->opt.rate)
        due = (uint64_t)(clock_mono_us() - s->began_us) * f->opt.rate / 1000000 - s->made;
    if (f->opt.events_max && f->opt.events_max - s->made < due)
        due = f->opt.events_max - s->made;
    return due;
}

static void add_shutdown(struct session *s)
{
    struct ami_writer w;

    ami_writer_init(&w, AMI_FROM_ASTERISK, TEXT("Event"), TEXT("Shutdown"));
    ami_write(&w, TEXT("Privilege"), TEXT("system,all"));
    ami_write(&w, TEXT("Shutdown"), TEXT("Cleanly"));
    ami_write(&w, TEXT("Restart"), TEXT("False"));
    add_message(s, &w);
    s->is_closing = true;
}

/* Stamps are taken as late as can be: at a rate for each event, flat out for each piece of work. */
static void make_events(struct session *s)
{
    const struct ami_fire *f = s->node->fire;
    const uint64_t due = atomic_load(&f->is_held) ? 0 : events_due(s);
    int64_t now = node_time(f);

    for (uint64_t i = 0; i < due && s->out.n < CHUNK; i++) {
        char *room = buf_room(&s->out, AMI_STORY_EVENT_MAX);

        if (!room)
            return;
        s->out.n += ami_story_next(s->story, f->opt.rate ? node_time(f) : now++, room);
        s->made++;
        s->in_out++;
    }
    if (f->opt.events_max && s->made == f->opt.events_max && f->opt.ends && !s->is_closing)
        add_shutdown(s);
}

/* True: all is with the kernel. */
static bool flush(struct session *s)
{
    while (s->out_at < s->out.n) {
        const ssize_t n = send(s->fd, s->out.p + s->out_at, s->out.n - s->out_at, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        s->out_at += (size_t)n;
    }
    atomic_fetch_add(&s->node->sent, s->in_out);
    s->in_out = 0;
    buf_clear(&s->out);
    s->out_at = 0;
    if (s->is_pouring)
        atomic_store(&s->node->calls, ami_story_calls(s->story));
    return true;
}

/* True: there is more to do at once. */
static bool pour(struct session *s)
{
    if (!flush(s))
        return false;
    if (s->is_pouring && !s->is_closing) {
        make_events(s);
        if (s->out.n == 0 || !flush(s))
            return false;
    }
    if (s->is_closing) {
        shutdown(s->fd, SHUT_WR);
        return false;
    }
    return s->is_pouring && s->node->fire->opt.rate == 0;
}

static bool pour_all(struct ami_fire *f)
{
    bool is_busy = false, is_dry = true;

    for (unsigned n = 0; n < f->opt.nodes; n++)
        for (int i = 0; i < SESSIONS; i++) {
            struct session *s = &f->nodes[n].sessions[i];

            if (s->fd < 0)
                continue;
            is_busy |= pour(s);
            is_dry &= s->out_at == s->out.n;
        }
    atomic_store(&f->is_dry, is_dry && atomic_load(&f->is_held));
    return is_busy;
}

/* ---- the thread ---- */

static bool is_door(const struct ami_fire *f, const void *p)
{
    for (unsigned n = 0; n < f->opt.nodes; n++)
        if (p == &f->nodes[n])
            return true;
    return false;
}

static void *run(void *arg)
{
    struct ami_fire *f = arg;
    struct epoll_event ev[WAITS];
    bool is_busy = false;

    while (!atomic_load(&f->is_ending)) {
        const int n = epoll_wait(f->epoll, ev, WAITS, is_busy ? 0 : f->opt.rate || f->opt.may_send ? 1 : 20);

        for (int i = 0; i < n; i++) {
            struct session *s = ev[i].data.ptr;

            if (!s)
                continue;
            if (is_door(f, s))
                accept_all(ev[i].data.ptr);
            else if (s->fd >= 0 && (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR | EPOLLRDHUP)) && !read_all(s))
                end_session(s);
        }
        is_busy = pour_all(f);
    }
    return NULL;
}

/* ---- making ---- */

static int open_door(struct node *n, uint16_t port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = n };
    socklen_t size = sizeof at;
    const int one = 1;

    n->door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (n->door < 0)
        return -errno;
    setsockopt(n->door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(n->door, (struct sockaddr *)&at, sizeof at) < 0 || listen(n->door, BACKLOG) < 0 ||
        getsockname(n->door, (struct sockaddr *)&at, &size) < 0 || epoll_ctl(n->fire->epoll, EPOLL_CTL_ADD, n->door, &ev) < 0)
        return -errno;
    n->port = ntohs(at.sin_port);
    return 0;
}

static int open_nodes(struct ami_fire *f)
{
    int err = 0;

    for (unsigned i = 0; i < f->opt.nodes && !err; i++) {
        struct node *n = &f->nodes[i];

        snprintf(n->system, sizeof n->system, "fire%02u", i + 1);
        err = open_door(n, f->opt.port ? (uint16_t)(f->opt.port + i) : 0);
    }
    return err;
}

static int start(struct ami_fire *f)
{
    struct epoll_event ev = { .events = EPOLLIN };
    int err;

    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    f->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (f->epoll < 0 || f->bell < 0 || epoll_ctl(f->epoll, EPOLL_CTL_ADD, f->bell, &ev) < 0)
        return -errno;
    err = open_nodes(f);
    if (!err)
        err = -pthread_create(&f->thread, NULL, run, f);
    f->has_thread = !err;
    return err;
}

int ami_fire_open(struct ami_fire **out, const struct ami_fire_options *opt)
{
    const unsigned nodes = opt->nodes ? opt->nodes : 1;
    struct ami_fire *f = calloc(1, sizeof *f + nodes * sizeof *f->nodes);
    int err;

    if (!f)
        return -ENOMEM;
    f->opt = *opt;
    f->opt.nodes = nodes;
    f->epoll = f->bell = -1;
    snprintf(f->user, sizeof f->user, "%s", opt->user ? opt->user : "tap");
    snprintf(f->secret, sizeof f->secret, "%s", opt->secret ? opt->secret : "tap");
    for (unsigned i = 0; i < nodes; i++) {
        f->nodes[i].fire = f;
        f->nodes[i].door = -1;
        for (int s = 0; s < SESSIONS; s++)
            f->nodes[i].sessions[s].fd = -1;
    }
    err = start(f);
    if (err) {
        ami_fire_close(f);
        return err;
    }
    *out = f;
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void ami_fire_close(struct ami_fire *f)
{
    const uint64_t one = 1;

    if (!f)
        return;
    atomic_store(&f->is_ending, true);
    if (f->has_thread && (write(f->bell, &one, sizeof one) == sizeof one || errno == EAGAIN))
        pthread_join(f->thread, NULL);
    for (unsigned i = 0; i < f->opt.nodes; i++) {
        close_fd(f->nodes[i].door);
        for (int s = 0; s < SESSIONS; s++)
            if (f->nodes[i].sessions[s].fd >= 0)
                end_session(&f->nodes[i].sessions[s]);
    }
    close_fd(f->epoll);
    close_fd(f->bell);
    free(f);
}

/* ---- asking ---- */

uint16_t ami_fire_port(const struct ami_fire *f, unsigned node)
{
    return node < f->opt.nodes ? f->nodes[node].port : 0;
}

void ami_fire_hold(struct ami_fire *f)
{
    atomic_store(&f->is_dry, false);
    atomic_store(&f->is_held, true);
}

bool ami_fire_is_held(const struct ami_fire *f)
{
    return atomic_load(&((struct ami_fire *)(uintptr_t)f)->is_dry);
}

void ami_fire_figures_of(const struct ami_fire *f, unsigned node, struct ami_fire_figures *out)
{
    struct node *n = &((struct ami_fire *)(uintptr_t)f)->nodes[node < f->opt.nodes ? node : 0];

    *out = (struct ami_fire_figures){ .sent = atomic_load(&n->sent), .calls = atomic_load(&n->calls), .sessions = atomic_load(&n->pouring),
                                      .logins = atomic_load(&n->logins), .refused = atomic_load(&n->refused) };
}
