/* After a gap: which channels exist, told in an order that makes sense against the events.
 *
 *   IDLE -> WAITING -> ASKING -> SETTLING -> BARRIER -> IDLE
 *           (control    (list     (settle)   (Ping on the tap's own session)
 *            session)   taken at T)
 *
 * The list is taken by another session, at a moment T that the event stream does not show. So from the question on every channel that an event
 * names is marked: ended by a Hangup, or seen alive. SETTLING covers what Asterisk has done and not yet written (its messages to itself take
 * a moment); the Ping's answer stands behind all events written before it. Only then the notes go into the queue: what is
 * listed and was not hung up meanwhile, what an event showed alive, and the end. Who is not named had gone before T, and its Hangup, if
 * we were there to get it, stands in the queue already. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "tap/tap_parts.h"

enum state { IDLE, WAITING, ASKING, SETTLING, BARRIER };

enum { CHANNELS_MAX = 60000, ID_MAX = 160 };

struct channel {
    UT_hash_handle hh;
    struct tap_event *note;     /* TAP_PRESENT; NULL: ended */
    bool is_ended;
    size_t id_n;
    char id[ID_MAX];
};

struct tap_resync {
    enum state state;
    struct tap_node *node;
    struct timer *timer;
    struct ami_request *request;
    struct channel *channels;   /* since the question, in order */
    size_t count;
    bool is_again, was_none, is_short;
    struct tap_resync_options opt;
};

bool tap_resync_is_active(const struct tap_resync *r)
{
    return r->state != IDLE;
}

/* ---- channels ---- */

static void forget_channels(struct tap_resync *r)
{
    struct channel *c, *next;

    HASH_ITER(hh, r->channels, c, next) {
        HASH_DEL(r->channels, c);
        tap_event_free(c->note);
        free(c);
    }
    r->count = 0;
}

/* NULL: no id, or no memory (then the list is short). */
static struct channel *channel_of(struct tap_resync *r, struct text id)
{
    struct channel *c;

    if (id.n == 0 || id.n > ID_MAX)
        return NULL;
    HASH_FIND(hh, r->channels, id.p, id.n, c);
    if (c)
        return c;
    c = r->count < CHANNELS_MAX ? calloc(1, sizeof *c) : NULL;
    if (!c) {
        r->is_short = true;
        return NULL;
    }
    memcpy(c->id, id.p, id.n);
    c->id_n = id.n;
    HASH_ADD(hh, r->channels, id, id.n, c);
    r->count++;
    return c;
}

static void copy_pairs(const struct tap_event *e, struct tap_pair *pairs, size_t max, size_t *count)
{
    struct text name, value;

    *count = 0;
    for (size_t i = 0; *count < max && tap_at(e, i, &name, &value); i++)
        if (!text_eq_nocase(name, TEXT("Event")) && !text_eq_nocase(name, TEXT("Timestamp")) && !text_eq_nocase(name, TEXT("Privilege")))
            pairs[(*count)++] = (struct tap_pair){ name, value };
}

static void see_alive(struct tap_resync *r, struct channel *c, const struct tap_event *e)
{
    struct tap_pair pairs[40];
    size_t count;

    if (c->note || c->is_ended)
        return;
    copy_pairs(e, pairs, sizeof pairs / sizeof *pairs, &count);
    if (tap_event_new(&c->note, TAP_PRESENT, TEXT("CoreShowChannel"), pairs, count))
        r->is_short = true;
}

void tap_resync_event(struct tap_resync *r, const struct tap_event *e)
{
    struct channel *c;

    if (r->state < ASKING || e->kind != TAP_EVENT || (e->flags & TAP_SUSPECT))
        return;
    if (!tap_get(e, TAP_H_CHANNEL).p || !tap_get(e, TAP_H_LINKEDID).p)
        return;
    c = channel_of(r, tap_get(e, TAP_H_UNIQUEID));
    if (!c)
        return;
    if (e->name == TAP_E_HANGUP) {
        c->is_ended = true;
        tap_event_free(c->note);
        c->note = NULL;
    } else {
        see_alive(r, c, e);
    }
}

/* ---- the end ---- */

static void finish(struct tap_resync *r)
{
    timer_stop(r->timer);
    r->state = IDLE;
    forget_channels(r);
    if (r->is_again)
        tap_resync_begin(r);
}

static void fail(struct tap_resync *r, const char *why)
{
    struct tap_node *n = r->node;

    r->was_none = true;
    tap_node_note(n, TAP_PRESENT_NONE, NULL, why);
    log_warn(&n->log, "not_resynchronised", kv_str("node", n->label), kv_str("why", why),
             kv_str("next", "calls that were open before the gap are closed as unobserved"));
    finish(r);
}

static void tell_all(struct tap_resync *r)
{
    struct tap_node *n = r->node;
    struct channel *c, *next;
    int64_t told = 0;

    tap_node_release(n);                /* a hangup among what is held would free the note that is being put */
    HASH_ITER(hh, r->channels, c, next)
        if (c->note) {
            tap_node_put_note(n, c->note);
            c->note = NULL;
            told++;
        }
    tap_node_note(n, TAP_PRESENT_END, NULL, NULL);
    atomic_fetch_add_explicit(&n->counts.resyncs, 1, memory_order_relaxed);
    r->was_none = false;
    log_info(&n->log, "resynchronised", kv_str("node", n->label), kv_int("channels", told));
    finish(r);
}

/* ---- the steps ---- */

static void on_barrier(int err, const struct ami_message *m, void *arg)
{
    struct tap_resync *r = arg;

    (void)m;
    r->request = NULL;
    if (r->state != BARRIER)
        return;
    if (err)
        fail(r, "Asterisk did not answer in time");
    else if (r->is_short)
        fail(r, "there are more channels than can be kept, or too little memory");
    else
        tell_all(r);
}

static void set_barrier(struct tap_resync *r)
{
    struct ami_writer w;
    int err;

    r->state = BARRIER;
    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Ping"));
    err = ami_send(&r->request, r->node->ami, &w, NULL, on_barrier, r);
    ami_writer_free(&w);
    if (err)
        fail(r, err_text(err));
}

static void on_item(const struct ami_message *m, void *arg)
{
    struct tap_resync *r = arg;
    struct channel *c;

    if (r->state != ASKING)
        return;
    c = channel_of(r, ami_get(m, TEXT("Uniqueid")));
    if (!c || c->is_ended)
        return;
    tap_event_free(c->note);
    c->note = NULL;
    if (tap_event_of(&c->note, TAP_PRESENT, m))
        r->is_short = true;
}

static void on_list(int err, const struct ami_message *m, void *arg)
{
    struct tap_resync *r = arg;
    char why[160];

    r->request = NULL;
    if (r->state != ASKING)
        return;
    if (err) {
        fail(r, err == -ETIMEDOUT ? "the list of channels did not come in time" : err_text(err));
    } else if (!ami_succeeded(m)) {
        (void)text_copy(why, sizeof why, ami_get(m, TEXT("Message")));
        fail(r, why[0] ? why : "CoreShowChannels was refused");
    } else {
        r->state = SETTLING;
        timer_start(r->timer, r->opt.settle_ms);
    }
}

static void ask(struct tap_resync *r)
{
    struct ami_writer w;
    int err;

    timer_stop(r->timer);
    r->state = ASKING;
    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("CoreShowChannels"));
    err = ami_send(&r->request, r->node->control, &w, on_item, on_list, r);
    ami_writer_free(&w);
    if (err)
        fail(r, err_text(err));
}

static void on_time(void *arg)
{
    struct tap_resync *r = arg;

    if (r->state == WAITING)
        fail(r, "the control user's session did not come up in time");
    else if (r->state == SETTLING)
        set_barrier(r);
}

void tap_resync_begin(struct tap_resync *r)
{
    r->is_again = r->state != IDLE;
    if (r->is_again)
        return;
    r->is_short = false;
    r->state = WAITING;
    if (!r->node->control)
        fail(r, "no control_user is configured");
    else if (ami_is_up(r->node->control))
        ask(r);
    else
        timer_start(r->timer, r->opt.control_ms);
}

void tap_resync_stop(struct tap_resync *r)
{
    if (!r)
        return;
    ami_forget(r->request);
    r->request = NULL;
    r->is_again = false;
    if (r->state != IDLE)
        finish(r);
}

void tap_resync_control(struct tap_resync *r, bool is_up)
{
    if (!is_up)
        return;                    /* its requests have ended with -EPIPE */
    if (r->state == WAITING)
        ask(r);
    else if (r->state == IDLE && r->was_none && ami_is_up(r->node->ami))
        tap_resync_begin(r);
}

/* ---- construction ---- */

int tap_resync_new(struct tap_resync **out, struct tap_node *n, const struct tap_resync_options *opt)
{
    struct tap_resync *r = calloc(1, sizeof *r);
    int err;

    if (!r)
        return -ENOMEM;
    r->node = n;
    r->opt = *opt;
    err = timer_new(&r->timer, n->loop, on_time, r);
    if (err) {
        free(r);
        return err;
    }
    *out = r;
    return 0;
}

void tap_resync_free(struct tap_resync *r)
{
    if (!r)
        return;
    timer_free(r->timer);
    forget_channels(r);
    free(r);
}
