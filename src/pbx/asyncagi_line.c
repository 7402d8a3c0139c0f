/* The call loop's end of a channel in AsyncAGI: the carrier of its session. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pbx/agi_session.h"
#include "pbx/asyncagi_parts.h"

enum {
    RETRY_MS = 20,                 /* the control loop's queue of posts was full */
    COMMAND_MAX = AMI_LINE_MAX - 9,/* "Command: " stands before it */
};

struct async_line {
    struct agi_carrier carrier;    /* first: the session knows us by it */
    struct asyncagi_places places;
    struct async_entry *entry;     /* a name for our posts; never looked into here */
    struct async_box box;
    struct timer *timer;           /* the own end, and posts that wait */
    struct async_post *close;      /* the last word, ready made; NULL once said */
    bool closed_heard, session_told, has_session, is_released;
    void *place;
    char peer[ASYNC_CHANNEL_MAX + 12];
};

/* ---- posts ---- */

struct async_post *async_post_new(void (*run)(struct async_post *p), struct text bytes)
{
    struct async_post *p = malloc(sizeof *p + bytes.n);
    char *at;

    if (!p)
        return NULL;
    at = (char *)(p + 1);
    if (bytes.n)
        memcpy(at, bytes.p, bytes.n);
    *p = (struct async_post){ .run = run, .bytes = text_make(at, bytes.n) };
    return p;
}

static void run_post(void *arg)
{
    struct async_post *p = arg;

    p->run(p);
    free(p);
}

bool async_box_flush(struct async_box *b)
{
    while (b->first) {
        struct async_post *p = b->first, *next = p->next; /* once posted, p is the other loop's */

        if (loop_post(b->to, run_post, p))
            return false;
        b->first = next;
    }
    b->last = NULL;
    return true;
}

bool async_box_send(struct async_box *b, struct async_post *p)
{
    p->next = NULL;
    if (b->last)
        b->last->next = p;
    else
        b->first = p;
    b->last = p;
    return async_box_flush(b);
}

void async_box_free(struct async_box *b)
{
    while (b->first) {
        struct async_post *p = b->first;

        b->first = p->next;
        free(p);
    }
    b->last = NULL;
}

/* ---- the line's life ---- */

static void line_check(struct async_line *n)
{
    if (n->close || !n->closed_heard || !n->is_released || n->box.first)
        return;
    timer_free(n->timer);
    free(n);
}

static void post(struct async_line *n, struct async_post *p)
{
    p->entry = n->entry;
    if (!async_box_send(&n->box, p) && !timer_is_running(n->timer))
        timer_start(n->timer, RETRY_MS);
}

static void say_close(struct async_line *n, int err, bool is_abort)
{
    struct async_post *p = n->close;

    if (!p)
        return;
    n->close = NULL;
    p->err = err;
    p->is_abort = is_abort;
    post(n, p);
}

static void tell_session(struct async_line *n, int err)
{
    if (n->session_told)
        return;
    n->session_told = true;
    if (n->has_session)
        agi_session_take_closed(n->carrier.session, err);
}

static void on_time(void *arg)
{
    struct async_line *n = arg;

    if (!async_box_flush(&n->box))
        timer_start(n->timer, RETRY_MS);
    if (!n->close)
        tell_session(n, 0);
    line_check(n);
}

/* ---- the carrier ---- */

static struct async_line *line_of(struct agi_carrier *c)
{
    return (struct async_line *)c;
}

static int line_send(struct agi_carrier *c, struct text line)
{
    struct async_line *n = line_of(c);
    struct async_post *p;

    if (!n->close || n->closed_heard)
        return -EPIPE;
    if (line.n > COMMAND_MAX + 1)
        return -EMSGSIZE;
    p = async_post_new(async_on_send, text_head(line, line.n - 1));
    if (!p)
        return -ENOMEM;
    post(n, p);
    return 0;
}

/* The other loop is told, and nobody waits for its answer: it may be the one that ends. */
static void close_line(struct async_line *n, bool is_abort)
{
    say_close(n, 0, is_abort);
    timer_start(n->timer, 0);
}

static void line_close(struct agi_carrier *c, int64_t linger_ms)
{
    (void)linger_ms;
    close_line(line_of(c), false);
}

static void line_abort(struct agi_carrier *c)
{
    close_line(line_of(c), true);
}

static const char *line_peer(const struct agi_carrier *c)
{
    return ((const struct async_line *)c)->peer;
}

static void line_release(struct agi_carrier *c)
{
    struct async_line *n = line_of(c);

    n->is_released = true;
    if (n->timer)
        timer_start(n->timer, 0);  /* not from inside the session */
}

static const struct agi_carrier_type over_ami = {
    .send = line_send, .close = line_close, .abort = line_abort, .peer = line_peer, .release = line_release,
    .line_max = COMMAND_MAX, .is_queue = true,
};

/* ---- by posts of the control loop ---- */

static void refuse(struct async_line *n, int err)
{
    n->is_released = true;
    if (n->timer) {
        say_close(n, err, true);
        return;
    }
    /* No memory for a timer, so nothing could try again: a full queue is emptied every turn, this ends. */
    n->close->err = err;
    n->close->is_abort = true;
    n->close->entry = n->entry;
    while (!async_box_send(&n->box, n->close) && !async_box_flush(&n->box))
        sched_yield();
    n->close = NULL;
}

static void on_start(struct async_post *p)
{
    struct async_line *n = p->line;
    int err = timer_new(&n->timer, n->carrier.loop, on_time, n);

    if (!err)
        err = n->places.accept(n->place, &n->carrier);
    if (err) {
        refuse(n, err);
        return;
    }
    n->has_session = true;
    agi_session_take_bytes(n->carrier.session, p->bytes);
}

void async_on_data(struct async_post *p)
{
    struct async_line *n = p->line;

    if (n->has_session && n->close && !n->session_told)
        agi_session_take_bytes(n->carrier.session, p->bytes);
}

void async_on_closed(struct async_post *p)
{
    struct async_line *n = p->line;

    n->closed_heard = true;
    if (n->has_session && !n->session_told && p->is_abort)
        agi_session_take_hangup(n->carrier.session);
    tell_session(n, p->err);
    if (n->timer)
        say_close(n, 0, false);
    line_check(n);
}

int async_line_start(struct async_line **out, struct async_entry *e, struct loop *l, void *place, struct text env)
{
    struct async_post *start = async_post_new(on_start, env);
    struct async_line *n = calloc(1, sizeof *n);

    e->closed = async_post_new(async_on_closed, TEXT(""));
    if (n)
        n->close = async_post_new(async_on_close, TEXT(""));
    if (!start || !n || !n->close || !e->closed) {
        free(start);
        free(e->closed);
        e->closed = NULL;
        if (n)
            free(n->close);
        free(n);
        return -ENOMEM;
    }
    n->carrier = (struct agi_carrier){ .type = &over_ami, .loop = l };
    n->places = e->home->places;
    n->entry = e;
    n->place = place;
    n->box.to = e->home->loop;
    snprintf(n->peer, sizeof n->peer, "asyncagi:%s", e->channel);
    start->line = n;
    e->box.to = l;
    *out = n;
    (void)async_box_send(&e->box, start); /* what waits is tried again by the tick */
    return 0;
}
