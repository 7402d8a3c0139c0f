/* Lets the announced legs in and holds a conversation with an echo for each. */
#include "app/echo_plane.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "ai/line_check.h"
#include "base/ref.h"
#include "call/conversation.h"
#include "net/ticker.h"
#include "pbx/audiosocket_door.h"
#include "pbx/leg_audiosocket.h"
#include "sim/media_load.h"

enum { RATE_HZ = 8000, WAIT_MS = 3600 * 1000 };

struct plane_talk {
    struct echo_plane *plane;
    struct door_ticket *ticket;
    struct conversation *conversation;
};

struct echo_plane {
    struct loop *loop;
    struct log log;
    struct ticker *ticker;
    struct audiosocket_door *door;
    struct loop_signal *signals[2];
    struct plane_talk *talks;
    unsigned legs, live;
    bool is_ending;
    struct echo_plane_result *out;
};

static void check_done(struct echo_plane *p)
{
    if (p->is_ending && p->live == 0)
        loop_stop(p->loop);
}

static void on_ended(enum talk_end how, struct text reason, const struct conversation_figures *f, void *arg)
{
    struct plane_talk *t = arg;

    (void)how;
    (void)reason;
    t->plane->out->underruns += f->underruns;
    t->conversation = NULL;
    t->plane->live--;
    check_done(t->plane);
}

static void hold(struct plane_talk *t, int fd)
{
    static const struct conversation_options options;
    struct echo_plane *p = t->plane;
    struct provider *provider;
    struct leg *leg;
    int err = leg_audiosocket_new(&leg, p->loop, p->ticker, fd, RATE_HZ, &p->log);

    if (err) {
        close(fd);
        return;
    }
    err = echo_new(&provider, p->loop, &(struct line_check_options){ .rate_hz = RATE_HZ }, &p->log);
    if (!err) {
        err = conversation_start(&t->conversation, p->loop, leg, provider, &options, &p->log, on_ended, t);
        if (err)
            provider_close(provider);
    }
    if (err) {
        log_error(&p->log, "talk_failed", kv_err(err));
        leg_close(leg);
        ref_drop(leg);
        return;
    }
    p->out->talks++;
    p->live++;
}

static void on_arrival(int fd_or_err, const char *peer, void *arg)
{
    struct plane_talk *t = arg;

    (void)peer;
    t->ticket = NULL;
    if (fd_or_err >= 0)
        hold(t, fd_or_err);
}

static void on_signal(void *arg)
{
    struct echo_plane *p = arg;

    p->is_ending = true;
    for (unsigned i = 0; i < p->legs; i++) {
        door_forget(p->talks[i].ticket);
        p->talks[i].ticket = NULL;
        if (p->talks[i].conversation)
            conversation_stop(p->talks[i].conversation);
    }
    check_done(p);
}

static int expect_all(struct echo_plane *p)
{
    int err = 0;

    for (unsigned i = 0; i < p->legs && !err; i++) {
        struct uuid id;

        media_load_id(i, id.bytes);
        p->talks[i].plane = p;
        err = door_expect(&p->talks[i].ticket, p->door, &id, WAIT_MS, on_arrival, &p->talks[i]);
    }
    return err;
}

static int open_plane(struct echo_plane *p, const struct echo_plane_options *opt)
{
    int err = loop_new(&p->loop, &p->log);

    if (!err)
        err = ticker_new(&p->ticker, p->loop);
    if (!err)
        err = door_open(&p->door, p->loop, &opt->at);
    if (!err)
        err = expect_all(p);
    if (!err)
        err = loop_signal_new(&p->signals[0], p->loop, SIGINT, on_signal, p);
    if (!err)
        err = loop_signal_new(&p->signals[1], p->loop, SIGTERM, on_signal, p);
    return err;
}

static void close_plane(struct echo_plane *p)
{
    for (size_t i = 0; i < 2; i++)
        if (p->signals[i])
            loop_signal_free(p->signals[i]);
    for (unsigned i = 0; i < p->legs; i++)
        door_forget(p->talks[i].ticket);
    if (p->door)
        door_close(p->door);
    if (p->ticker)
        ticker_free(p->ticker);
    loop_free(p->loop);
    free(p->talks);
}

int echo_plane_run(const struct echo_plane_options *opt, struct echo_plane_result *out, const struct log *log)
{
    struct echo_plane p = { .log = log_for(log, "plane"), .legs = opt->legs, .out = out };
    struct ticker_figures ticks;
    struct address at;
    int err = -ENOMEM;

    *out = (struct echo_plane_result){ 0 };
    p.talks = calloc(opt->legs + 1, sizeof *p.talks);
    if (p.talks)
        err = open_plane(&p, opt);
    if (!err) {
        door_address(p.door, &at);
        opt->on_listening(&at, opt->arg);
        loop_run(p.loop);
        ticker_figures(p.ticker, &ticks);
        out->ticks = ticks.ticks;
        out->ticks_missed = ticks.missed;
        out->tick_late_max_us = ticks.late_max_us;
        out->slow_turns = loop_slow_turns(p.loop);
    }
    close_plane(&p);
    return err;
}
