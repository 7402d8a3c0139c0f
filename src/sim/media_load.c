/* Many AudioSocket callers on one schedule: connections, frames out and in, and how late they came. */
#include "sim/media_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "audio/g711.h"
#include "base/clock.h"
#include "sim/media_load_parts.h"

enum {
    SLOTS = 20,                    /* legs are spread over the 20 ms */
    EVENTS = 256,
    OWN_LATE_US = 5000,
    TAIL_US = 1500000,             /* of frames without marks, while the last marks come back */
    BASE_FRAMES = 25,              /* the leg's grid is that of its promptest frame among the first */
};

void media_load_id(unsigned leg, uint8_t out[16])
{
    static const uint8_t prefix[12] = { 0x51, 0xde, 0x70, 0xe5, 0, 0, 0x40, 0, 0x80, 0, 0, 0 };

    memcpy(out, prefix, sizeof prefix);
    out[12] = (uint8_t)(leg >> 24);
    out[13] = (uint8_t)(leg >> 16);
    out[14] = (uint8_t)(leg >> 8);
    out[15] = (uint8_t)leg;
}

/* ---- sending ---- */

static void lose(struct load *l, struct load_leg *g)
{
    close(g->fd);
    g->fd = -1;
    l->out->broken_legs++;
}

static void frame_send(struct load *l, struct load_leg *g, int64_t due_us)
{
    uint8_t bytes[AUDIOSOCKET_HEAD + 2 * LOAD_FRAME];
    int16_t pcm[LOAD_FRAME];
    const int64_t now = clock_mono_us();
    const bool has_mark = due_us < l->ends_us;
    size_t n;

    if (l->opt->voice)
        load_talk_make(l, g, pcm, now);
    else
        load_marks_make(l, g, has_mark, pcm);
    n = audiosocket_put_audio(bytes, AUDIOSOCKET_AUDIO, pcm, LOAD_FRAME);
    if (send(g->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)n) {
        lose(l, g);                /* the other side does not read: it is full */
        return;
    }
    l->out->sent++;
    if (!has_mark)
        return;
    l->out->own_late += now - due_us > OWN_LATE_US;
    if (l->opt->voice)
        return;
    g->sent_us[g->next % LOAD_MARKS] = now;
    l->out->counted += now - l->began_us > l->warm_us;
    g->next++;
}

static void serve_timer(struct load *l)
{
    uint64_t times;
    int64_t due_us;

    if (read(l->timer, &times, sizeof times) != sizeof times)   /* waits: a millisecond at most */
        return;
    while ((due_us = l->began_us + (int64_t)l->slot * (LOAD_FRAME_US / SLOTS)) <= clock_mono_us()) {
        for (unsigned i = (unsigned)(l->slot % SLOTS); i < l->opt->legs; i += SLOTS)
            if (l->legs[i].fd >= 0)
                frame_send(l, &l->legs[i], due_us);
        l->slot++;
    }
}

/* ---- receiving ---- */

/* How late against the grid; the promptest of the first frames makes the grid, a prompter one later moves it. */
static void late_count(struct load *l, struct load_leg *g, int64_t at_us)
{
    const int64_t zero = at_us - (int64_t)g->frames * LOAD_FRAME_US;

    if (g->frames == 0 || zero < g->base_us)
        g->base_us = zero;
    if (g->frames++ >= BASE_FRAMES && at_us - l->began_us > l->warm_us && at_us < l->ends_us)
        hist_add(&l->out->late_us, zero - g->base_us);
}

static void serve_leg(struct load *l, struct load_leg *g)
{
    char bytes[8192];
    const ssize_t got = recv(g->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    const int64_t at_us = clock_mono_us();
    struct text in = text_make(bytes, got > 0 ? (size_t)got : 0);
    struct audiosocket_frame f;
    int n = 0;

    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    while (got > 0 && (n = audiosocket_read(&g->reader, &in, &f)) > 0) {
        int16_t pcm[LOAD_FRAME];
        bool odd;

        if (audiosocket_rate(f.kind) != 8000 || f.n > 2 * LOAD_FRAME)
            continue;
        l->out->received++;
        late_count(l, g, at_us);
        const size_t got_n = audiosocket_get_audio(&f, pcm, LOAD_FRAME, &odd);

        if (l->opt->voice)
            load_talk_hear(l, g, pcm, got_n, at_us);
        else
            load_marks_find(l, g, pcm, got_n, at_us);
    }
    if (got <= 0 || n < 0)
        lose(l, g);
}

/* ---- the whole ---- */

static int leg_open(struct load *l, unsigned i, const struct sockaddr_in *to)
{
    struct load_leg *g = &l->legs[i];
    struct epoll_event ev = { .events = EPOLLIN, .data.ptr = g };
    uint8_t hello[AUDIOSOCKET_HEAD + 16];
    const int one = 1;

    audiosocket_reader_init(&g->reader, AUDIOSOCKET_MAX_PAYLOAD);
    g->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (g->fd < 0)
        return -errno;
    audiosocket_put_head(hello, AUDIOSOCKET_UUID, 16);
    media_load_id(i, hello + AUDIOSOCKET_HEAD);
    setsockopt(g->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(g->fd, (const struct sockaddr *)to, sizeof *to) < 0 || send(g->fd, hello, sizeof hello, MSG_NOSIGNAL) != sizeof hello ||
        epoll_ctl(l->epoll, EPOLL_CTL_ADD, g->fd, &ev) < 0)
        return -errno;
    return 0;
}

static int open_all(struct load *l)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(l->opt->target.port) };
    int err = 0;

    if (inet_pton(AF_INET, l->opt->target.host, &to.sin_addr) != 1)
        return -EINVAL;
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    l->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
    if (l->epoll < 0 || l->timer < 0)
        return -errno;
    for (unsigned i = 0; i < l->opt->legs && !err; i++) {
        if (i > 0 && l->opt->apart_ms)
            nanosleep(&(struct timespec){ .tv_sec = l->opt->apart_ms / 1000, .tv_nsec = l->opt->apart_ms % 1000 * 1000000L }, NULL);
        err = leg_open(l, i, &to);
    }
    return err;
}

/* What came meanwhile. Only the timer wakes us: else the other side's cost would be that of waking us, frame by frame or in a bunch, as it
 * happens. What arrives is stamped up to a millisecond late by this. */
static void serve_legs(struct load *l)
{
    struct epoll_event ev[EVENTS];
    int n;

    do {
        n = epoll_wait(l->epoll, ev, EVENTS, 0);
        for (int i = 0; i < n; i++) {
            struct load_leg *g = ev[i].data.ptr;

            if (g->fd >= 0)
                serve_leg(l, g);
        }
    } while (n == EVENTS);
}

static int speak(struct load *l)
{
    const struct itimerspec every = { .it_interval.tv_nsec = LOAD_FRAME_US / SLOTS * 1000, .it_value.tv_nsec = 1 };

    l->began_us = clock_mono_us();
    l->ends_us = l->began_us + (int64_t)(l->opt->seconds * 1e6);
    if (timerfd_settime(l->timer, 0, &every, NULL) < 0)
        return -errno;
    while (clock_mono_us() < l->ends_us + TAIL_US) {
        serve_timer(l);
        serve_legs(l);
    }
    return 0;
}

static void count_missing(struct load *l)
{
    for (unsigned i = 0; i < l->opt->legs; i++)
        for (unsigned k = 0; k < LOAD_MARKS; k++)
            l->out->missing += l->legs[i].sent_us[k] - l->began_us > l->warm_us;
}

int media_load_run(const struct media_load_options *opt, struct media_load_result *out)
{
    struct load l = { .opt = opt, .out = out, .epoll = -1, .timer = -1, .warm_us = (opt->warm_s ? opt->warm_s : 1) * 1000000LL };
    int err;

    memset(out, 0, sizeof *out);
    if (opt->legs < 1 || opt->legs > MEDIA_LOAD_LEGS_MAX || (!opt->voice && opt->seconds * 1e6 > (LOAD_MARKS - 100) * (double)LOAD_FRAME_US))
        return -EINVAL;
    l.legs = calloc(opt->legs, sizeof *l.legs);
    if (!l.legs)
        return -ENOMEM;
    for (unsigned i = 0; i < opt->legs; i++)
        l.legs[i].fd = -1;
    for (unsigned c = 0; c < 256; c++)
        ulaw_read(&l.of_code[c], &(unsigned char){ (unsigned char)c }, 1);
    err = open_all(&l);
    if (!err)
        err = speak(&l);
    if (!err)
        count_missing(&l);
    for (unsigned i = 0; i < opt->legs; i++)
        if (l.legs[i].fd >= 0)
            close(l.legs[i].fd);
    if (l.epoll >= 0)
        close(l.epoll);
    if (l.timer >= 0)
        close(l.timer);
    free(l.legs);
    return err;
}
