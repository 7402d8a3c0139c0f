/* Logs in twice, makes facts of both streams, and compares them in order. */
#include "cli/advise_check.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/cli.h"
#include "net/dialer.h"
#include "pbx/ami_client.h"
#include "tap/facts.h"

enum { TOLD_MAX = 256 << 20 };

struct side {
    struct checking *check;
    const char *name;
    struct ami_client *client;
    struct facts *facts;
    struct buf told;                    /* a line a fact */
    uint64_t events, bytes, fact_count, seq;
    bool is_up;
};

struct checking {
    struct loop *loop;
    struct dialer *dialer;
    struct timer *time_up;
    struct loop_signal *interrupt;
    struct side sides[2];
    unsigned open;
    int64_t seconds;
    bool is_comparing, is_stopping, has_failed;
};

/* Facts of events that carry their own time are the same to the microsecond; without it each session stamps by its own arrival. */
static void on_fact(const struct call_fact *f, void *arg)
{
    struct side *s = arg;

    s->fact_count++;
    buf_addf(&s->told, "%s %s %s\n", f->kind, f->call, f->detail);
}

static void on_call(const struct call_record *c, void *arg)
{
    (void)c;
    (void)arg;
}

static void take(struct side *s, const struct ami_message *m)
{
    struct tap_event *e;

    if (tap_event_of(&e, m->kind == AMI_FORGED ? TAP_FORGED : TAP_EVENT, m))
        return;
    e->session = 1;
    e->seq = ++s->seq;
    e->recv_us = clock_wall_us();
    e->order_us = e->emit_us != TAP_NO_TIME ? e->emit_us : e->recv_us;
    s->bytes += e->bytes;
    if (facts_take(s->facts, e))
        s->check->has_failed = true;
    tap_event_free(e);
}

static void on_event(const struct ami_message *m, void *arg)
{
    struct side *s = arg;

    if (!s->check->is_comparing || text_eq(m->name, TEXT("FullyBooted")))
        return;
    s->events++;
    take(s, m);
}

/* ---- begin and end ---- */

static void stop(void *arg)
{
    struct checking *c = arg;

    if (c->is_stopping)
        return;
    c->is_stopping = true;
    for (int i = 0; i < 2; i++)
        if (c->sides[i].client)
            ami_close(c->sides[i].client);
}

static void on_closed(void *arg)
{
    struct side *s = arg;

    if (--s->check->open == 0)
        loop_stop(s->check->loop);
}

static void on_down(int err, const char *why, void *arg)
{
    struct side *s = arg;

    if (s->check->is_stopping)
        return;
    fprintf(stderr, "sidetone tap advise: %s: %s (%s)\n", s->name, why ? why : "", err_text(err));
    s->check->has_failed = true;
    stop(s->check);
}

/* Both are there: from now on both streams count. Calls that are under way are begun in the middle on both sides. */
static void on_up(void *arg)
{
    struct side *s = arg;
    struct checking *c = s->check;

    s->is_up = true;
    if (!c->sides[0].is_up || !c->sides[1].is_up)
        return;
    c->is_comparing = true;
    fprintf(stderr, "comparing for %" PRId64 " s; calls must run meanwhile. Ctrl-C ends it\n", c->seconds);
    timer_start(c->time_up, c->seconds * 1000);
}

static int open_side(struct checking *c, struct side *s, const struct config_node *n, const char *user, const char *secret, const struct log *log)
{
    const struct ami_options opt = { .node = n->head.name, .url = n->ami, .user = user, .secret = secret, .events = "on" };
    const struct ami_handlers on = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_closed };
    const struct facts_options fo = { .nodes = 1 };
    const struct facts_handlers fh = { .on_fact = on_fact, .on_call = on_call };
    int err;

    s->check = c;
    s->name = user;
    buf_init(&s->told, TOLD_MAX);
    err = facts_new(&s->facts, &fo, &fh, s);
    if (!err)
        err = ami_open(&s->client, c->loop, c->dialer, &opt, &on, s, log);
    c->open += err == 0;
    return err;
}

/* ---- the comparison ---- */

static size_t line_end(const struct buf *b, size_t at)
{
    const char *lf = at < b->n ? memchr(b->p + at, '\n', b->n - at) : NULL;

    return lf ? (size_t)(lf - b->p) + 1 : b->n;
}

/* The last moment of one side may not have reached the other: what one has more at the very end is no difference. */
static int compare(const struct checking *c)
{
    const struct buf *full = &c->sides[0].told, *less = &c->sides[1].told;
    size_t at = 0;

    while (at < full->n && at < less->n) {
        const size_t end = line_end(full, at), other = line_end(less, at);

        if (end != other || memcmp(full->p + at, less->p + at, end - at) != 0) {
            printf("different:\n  %s: %.*s  %s: %.*s", c->sides[0].name, (int)(end - at), full->p + at, c->sides[1].name, (int)(other - at), less->p + at);
            return CLI_FAILED;
        }
        at = end;
    }
    return CLI_FINE;
}

static int tell(const struct checking *c)
{
    const struct side *a = &c->sides[0], *b = &c->sides[1];
    const uint64_t facts = a->fact_count < b->fact_count ? a->fact_count : b->fact_count;

    printf("%s: %" PRIu64 " events, %" PRIu64 " facts; %s: %" PRIu64 " events, %" PRIu64 " facts; %.0f %% of the events\n", a->name, a->events,
           a->fact_count, b->name, b->events, b->fact_count, a->events ? 100.0 * (double)b->events / (double)a->events : 0.0);
    if (compare(c) != CLI_FINE)
        return CLI_FAILED;
    if (facts == 0) {
        printf("nothing is proven: no call ran meanwhile\n");
        return CLI_FAILED;
    }
    if (a->fact_count > b->fact_count + 2 || b->fact_count > a->fact_count + 2) {
        printf("different: one of them has more facts at the end\n");
        return CLI_FAILED;
    }
    printf("the same facts\n");
    return CLI_FINE;
}

int advise_check(const struct config_node *node, const char *user, const char *secret, int64_t seconds)
{
    const struct log_sink sink = { .fd = 2, .level = LOG_OFF };
    const struct log log = { .sink = &sink, .module = "advise" };
    const struct dialer_options dialing = { .tls = { .ca_file = node->ca, .insecure = node->insecure } };
    struct checking c = { .seconds = seconds };
    int code, err = loop_new(&c.loop, &log);

    if (!err)
        err = timer_new(&c.time_up, c.loop, stop, &c);
    if (!err)
        err = loop_signal_new(&c.interrupt, c.loop, SIGINT, stop, &c);
    if (!err)
        err = dialer_new(&c.dialer, c.loop, &dialing);
    if (!err)
        err = open_side(&c, &c.sides[0], node, node->ami_user, secret_reveal(&node->ami_secret), &log);
    if (!err)
        err = open_side(&c, &c.sides[1], node, user, secret, &log);
    if (err) {
        fprintf(stderr, "sidetone tap advise: %s\n", err_text(err));
        stop(&c);
    }
    if (c.open > 0)
        loop_run(c.loop);
    code = err || c.has_failed ? CLI_FAILED : tell(&c);
    for (int i = 0; i < 2; i++) {
        facts_free(c.sides[i].facts);
        buf_free(&c.sides[i].told);
    }
    timer_free(c.time_up);
    if (c.interrupt)
        loop_signal_free(c.interrupt);
    dialer_free(c.dialer);
    loop_free(c.loop);
    return code;
}
