/* One node's session: events stamped, numbered and put into the node's queue; the clock asked; forgers noticed.
 *
 * An event is held back until the next message begins, at most HOLD_MS: a forged block (wire/ami.h) is the tail of the event that was
 * broken open, so what stands right before it is a forger's, however whole it looks (seen: a caller number with CR LF in it). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "tap/tap_parts.h"

enum {
    HOLD_MS = 5,
    TAINT_EVENTS = 8, TAINT_MS = 50,    /* behind an event that was cut in two, until its tail has come */
    CLOCK_FIRST_MS = 100,               /* pings for the clock: doubling pauses up to the standard one */
    CLOCK_MS = 15000,
    CHORE_MS = 250,
    QUIET_MS = 60000,                   /* no event at all for so long after a login: said once */
    CALM_DEPTH = 1024,                  /* the queue is this empty before a loss is followed by a list of channels */
    BREAK_IN_PAUSE_MS = 10000,          /* between two lists, or two lines in the log, that break-ins bring about */
    CONTROL_WAIT_MS = 10000,
    SETTLE_MS = 250,
    CONTROL_LIST_MAX = 50000,
};

static void count(atomic_uint_least64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

/* ---- putting ---- */

static void stamp(struct tap_node *n, struct tap_event *e, int64_t recv_us)
{
    e->node = n->index;
    e->session = n->session;
    e->seq = ++n->seq;
    e->recv_us = recv_us;
}

static void want_resync(struct tap_node *n, int64_t in_ms)
{
    const int64_t at = loop_now_ms(n->loop) + in_ms;

    if (!n->wants_resync || at < n->resync_at_ms)
        n->resync_at_ms = at;
    n->wants_resync = true;
}

static void put(struct tap_node *n, struct tap_event *e)
{
    uint64_t lost;

    tap_queue_put(n->queue, e);
    lost = tap_queue_lost(n->queue);
    if (lost != n->lost_seen)
        want_resync(n, CHORE_MS);
    n->lost_seen = lost;
}

void tap_node_release(struct tap_node *n)
{
    struct tap_event *e = n->held;

    n->held = NULL;
    if (!e)
        return;
    tap_resync_event(n->resync, e);
    put(n, e);
}

static void on_hold_time(void *arg)
{
    struct tap_node *n = arg;
    const int64_t age = loop_now_ms(n->loop) - n->held_ms;

    if (n->held && age < HOLD_MS)
        timer_start(n->hold, HOLD_MS - age);
    else
        tap_node_release(n);
}

static void hold(struct tap_node *n, struct tap_event *e)
{
    n->held = e;
    n->held_ms = loop_now_ms(n->loop);
    if (!timer_is_running(n->hold))
        timer_start(n->hold, HOLD_MS);
}

void tap_node_put_note(struct tap_node *n, struct tap_event *e)
{
    tap_node_release(n);
    stamp(n, e, clock_wall_us());
    put(n, e);
}

void tap_node_note(struct tap_node *n, enum tap_kind kind, const char *cause, const char *reason)
{
    const struct tap_pair pairs[] = { { TEXT("Reason"), text_of(reason) }, { TEXT("Cause"), text_of(cause) } };
    struct tap_event *e;

    if (tap_event_new(&e, kind, TEXT_NONE, pairs, cause ? 2 : reason ? 1 : 0) == 0)
        tap_node_put_note(n, e);
    else
        log_error(&n->log, "note_lost", kv_str("node", n->label), kv_err(-ENOMEM));
}

static void set_problem(struct tap_node *n, const char *what)
{
    pthread_mutex_lock(&n->lock);
    (void)text_copy(n->last_problem, sizeof n->last_problem, text_of(what));
    pthread_mutex_unlock(&n->lock);
}

/* ---- forgers ---- */

static bool ends_like_a_number(struct text last)
{
    return text_ends(last, TEXT("CallerIDNum")) || text_ends(last, TEXT("ConnectedLineNum")) || text_ends(last, TEXT("Language")) ||
           (text_ends(last, TEXT("AccountCode")) && !text_eq(last, TEXT("OldAccountCode")));
}

/* Snapshots go on behind the headers whose values a caller may choose, and name the channel at their end: one that stops there was cut. */
static bool is_broken(const struct ami_message *m)
{
    struct text name, value;

    if (text_eq(m->name, TEXT("UserEvent")) || m->count == 0 || !ami_at(m, m->count - 1, &name, &value))
        return false;
    return ends_like_a_number(name) || (ami_get(m, TEXT("ChannelStateDesc")).p && !ami_get(m, TEXT("Uniqueid")).p);
}

static bool is_tainted(struct tap_node *n)
{
    if (n->tainted == 0 || loop_now_ms(n->loop) - n->tainted_ms > TAINT_MS)
        return false;
    n->tainted--;
    return true;
}

/* Asterisk itself gives every event of a stream a Privilege line, and, with timestampevents, a Timestamp. */
static bool is_suspect(struct tap_node *n, const struct ami_message *m)
{
    const bool is_short = !ami_get(m, TEXT("Privilege")).p;
    const bool is_behind = is_tainted(n);

    if (is_broken(m)) {
        n->tainted = TAINT_EVENTS;
        n->tainted_ms = loop_now_ms(n->loop);
        return true;
    }
    if (m->duplicates || m->odd)
        n->tainted = 0;            /* the tail has come, in one with the forged event */
    return is_short || is_behind;
}

static void tell_forged(struct tap_node *n, const struct ami_message *m)
{
    const int64_t now = loop_now_ms(n->loop);
    struct text name, value;

    if (n->forged_told_ms && now - n->forged_told_ms < BREAK_IN_PAUSE_MS)
        return;
    n->forged_told_ms = now;
    if (!ami_at(m, 0, &name, &value))
        name = TEXT("");
    log_warn(&n->log, "break_in", kv_str("node", n->label),
             kv_str("why", "a caller's text with line ends has put whole messages of its own into the manager's stream; what it says is not believed"),
             kv_text("begins_with", text_head(name, 60)), kv_text("uniqueid", text_head(ami_get(m, TEXT("Uniqueid")), 160)),
             kv_int("forged", (int64_t)atomic_load_explicit(&n->counts.forged, memory_order_relaxed)));
    set_problem(n, "a caller put forged messages into the stream");
}

static void take_forged(struct tap_node *n, const struct ami_message *m, int64_t now_us)
{
    struct tap_event *e;

    count(&n->counts.forged, 1);
    if (n->held)
        n->held->flags |= TAP_SUSPECT;
    tap_node_release(n);
    n->tainted = 0;
    tell_forged(n, m);
    want_resync(n, n->resync_at_ms + BREAK_IN_PAUSE_MS > loop_now_ms(n->loop) ? BREAK_IN_PAUSE_MS : CHORE_MS);
    if (tap_event_of(&e, TAP_FORGED, m)) {
        n->seq++;                  /* a number that is missing tells of it */
        return;
    }
    stamp(n, e, now_us);
    e->flags |= TAP_SUSPECT;
    put(n, e);
}

/* ---- events ---- */

static void check_times(struct tap_node *n, const struct ami_message *m)
{
    const bool has = ami_get(m, TEXT("Timestamp")).p;

    /* FullyBooted is no broadcast: Asterisk writes it without a time (seen). */
    if (n->has_told_times || m->duplicates || text_eq(m->name, TEXT("FullyBooted")) || !ami_get(m, TEXT("Privilege")).p)
        return;
    n->has_told_times = true;
    atomic_store_explicit(&n->counts.has_times, has, memory_order_relaxed);
    if (!has)
        log_warn(&n->log, "no_timestamps", kv_str("node", n->label),
                 kv_str("why", "events carry no time: lag is unknown, and nodes are ordered by arrival; set timestampevents = yes in [general] of manager.conf"));
}

static void check_filters(struct tap_node *n, const struct ami_message *m)
{
    if (!n->filters || n->filters_due || m->duplicates || m->odd || text_eq(m->name, TEXT("FullyBooted")) || tap_filters_pass(n->filters, m))
        return;
    count(&n->counts.filter_misses, 1);
    atomic_store_explicit(&n->counts.filters_hold, false, memory_order_relaxed);
    if (n->has_told_filter)
        return;
    n->has_told_filter = true;
    log_warn(&n->log, "filters_do_not_hold", kv_str("node", n->label), kv_text("event", text_head(m->name, 60)),
             kv_str("why", "it should not have come: install ami_filter as eventfilter lines of the tap user in manager.conf, or give it write = system"));
    set_problem(n, "an event came that ami_filter should have kept away");
}

static void on_event(const struct ami_message *m, void *arg)
{
    struct tap_node *n = arg;
    const int64_t now_us = clock_wall_us();
    struct tap_event *e;

    n->events_up++;
    count(&n->counts.events, 1);
    count(&n->counts.bytes, ami_text(m).n);
    atomic_store_explicit(&n->counts.last_event_us, now_us, memory_order_relaxed);
    if (m->is_cut)
        count(&n->counts.cut, 1);
    if (m->kind == AMI_FORGED) {
        take_forged(n, m, now_us);
        return;
    }
    if (m->duplicates)
        count(&n->counts.duplicates, 1);
    check_times(n, m);
    check_filters(n, m);
    tap_node_release(n);
    if (tap_event_of(&e, TAP_EVENT, m)) {
        n->seq++;
        want_resync(n, CHORE_MS);
        return;
    }
    stamp(n, e, now_us);
    if (is_suspect(n, m))
        e->flags |= TAP_SUSPECT;
    hold(n, e);
}

/* ---- the clock ---- */

static void on_pong(int err, const struct ami_message *m, void *arg)
{
    struct tap_node *n = arg;
    const int64_t got_us = clock_wall_us();
    const int64_t node_us = err ? TAP_NO_TIME : tap_time_of(ami_get(m, TEXT("Timestamp")));

    n->is_pinging = false;
    if (node_us != TAP_NO_TIME && n->tap->on_clock)
        n->tap->on_clock(n->index, n->ping_sent_us, got_us, node_us, n->tap->arg);
}

static void ping(struct tap_node *n)
{
    int64_t pause = CLOCK_FIRST_MS;
    struct ami_writer w;

    if (!n->is_pinging) {
        ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Ping"));
        n->ping_sent_us = clock_wall_us();
        n->is_pinging = ami_send(NULL, n->ami, &w, NULL, on_pong, n) == 0;
        ami_writer_free(&w);
    }
    for (unsigned i = 0; i < n->clock_pings && pause < CLOCK_MS; i++)
        pause *= 2;
    n->clock_pings++;
    n->ping_at_ms = loop_now_ms(n->loop) + (pause < CLOCK_MS ? pause : CLOCK_MS);
}

static void check_quiet(struct tap_node *n)
{
    const int64_t up_us = clock_wall_us() - atomic_load_explicit(&n->counts.up_since_us, memory_order_relaxed);

    if (n->has_told_quiet || n->events_up || up_us < QUIET_MS * 1000)
        return;
    n->has_told_quiet = true;
    log_warn(&n->log, "no_events", kv_str("node", n->label),
             kv_str("why", "logged in for a minute, and not one event came: has the user a read= line, and no eventfilter that keeps all away?"));
}

static void on_chores(void *arg)
{
    struct tap_node *n = arg;
    const int64_t now = loop_now_ms(n->loop);

    if (!ami_is_up(n->ami))
        return;
    if (now >= n->ping_at_ms)
        ping(n);
    check_quiet(n);
    if (n->wants_resync && now >= n->resync_at_ms && tap_queue_depth(n->queue) <= CALM_DEPTH) {
        n->wants_resync = false;
        n->resync_at_ms = now;
        tap_resync_begin(n->resync);
    }
    timer_start(n->chores, CHORE_MS);
}

/* ---- filters and classes ---- */

static void on_filter_answer(int err, const struct ami_message *m, void *arg)
{
    struct tap_node *n = arg;

    n->filters_due--;
    if (err || ami_succeeded(m))
        return;
    log_warn(&n->log, "filter_refused", kv_str("node", n->label), kv_text("why", text_head(ami_get(m, TEXT("Message")), 120)),
             kv_str("hint", "Action: Filter needs write = system; without it write the same as eventfilter lines of the tap user in manager.conf"));
    set_problem(n, "Asterisk refused a filter");
}

static void install_filters(struct tap_node *n)
{
    n->filters_due = 0;
    for (size_t i = 0; i < tap_filters_count(n->filters); i++) {
        const char *criteria, *expression;
        struct ami_writer w;

        tap_filters_at(n->filters, i, &criteria, &expression);
        ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Filter"));
        ami_write(&w, TEXT("Operation"), TEXT("Add"));
        if (criteria)
            ami_write(&w, TEXT("MatchCriteria"), text_of(criteria));
        ami_write(&w, TEXT("Filter"), text_of(expression));
        if (ami_send(NULL, n->ami, &w, NULL, on_filter_answer, n) == 0)
            n->filters_due++;
        ami_writer_free(&w);
    }
}

static void send_mask(struct tap_node *n, const char *mask);

static void on_mask_answer(int err, const struct ami_message *m, void *arg)
{
    struct tap_node *n = arg;

    if (err || !text_eq_nocase(ami_get(m, TEXT("Events")), TEXT("Off")))
        return;
    log_error(&n->log, "events_off", kv_str("node", n->label), kv_str("classes", n->events),
              kv_str("why", "Asterisk knows one of these classes not, and sends nothing at all then: all that the user may read is asked for instead"));
    set_problem(n, "an unknown class in ami_events");
    send_mask(n, "on");
}

static void send_mask(struct tap_node *n, const char *mask)
{
    struct ami_writer w;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("Events"));
    ami_write(&w, TEXT("EventMask"), text_of(mask));
    if (ami_send(NULL, n->ami, &w, NULL, strcmp(mask, "on") ? on_mask_answer : NULL, n))
        log_warn(&n->log, "events_unchecked", kv_str("node", n->label));
    ami_writer_free(&w);
}

/* ---- up and down ---- */

static void on_up(void *arg)
{
    struct tap_node *n = arg;
    const int64_t now_us = clock_wall_us();

    tap_node_release(n);
    n->session = now_us > n->session ? now_us : n->session + 1;
    n->seq = 0;
    n->tainted = n->clock_pings = 0;
    n->events_up = 0;
    n->ping_at_ms = 0;
    n->is_pinging = n->has_told_times = n->has_told_quiet = n->has_told_filter = n->wants_resync = false;
    atomic_store_explicit(&n->counts.has_times, false, memory_order_relaxed);
    atomic_store_explicit(&n->counts.filters_hold, true, memory_order_relaxed);
    atomic_store_explicit(&n->counts.up_since_us, now_us, memory_order_relaxed);
    atomic_store_explicit(&n->counts.is_up, true, memory_order_relaxed);
    count(&n->counts.connects, 1);
    tap_node_note(n, TAP_UP, NULL, NULL);
    install_filters(n);
    if (n->events)
        send_mask(n, n->events);
    tap_resync_begin(n->resync);
    timer_start(n->chores, 0);
}

static const char *cause_of(int err)
{
    return err == -ESHUTDOWN ? TAP_CAUSE_SHUTDOWN : err == -EACCES ? TAP_CAUSE_REFUSED : TAP_CAUSE_CONNECTION;
}

static void on_down(int err, const char *why, void *arg)
{
    struct tap_node *n = arg;

    timer_stop(n->chores);
    tap_resync_stop(n->resync);
    atomic_store_explicit(&n->counts.is_up, false, memory_order_relaxed);
    set_problem(n, why);
    tap_node_note(n, TAP_DOWN, cause_of(err), why);
    log_warn(&n->log, "gap_begins", kv_str("node", n->label), kv_str("cause", cause_of(err)), kv_str("why", why));
}

/* ---- the control session ---- */

static void on_settings(int err, const struct ami_message *m, void *arg)
{
    struct tap_node *n = arg;

    if (err || !ami_succeeded(m))
        return;
    pthread_mutex_lock(&n->lock);
    (void)text_copy(n->asterisk, sizeof n->asterisk, ami_get(m, TEXT("AsteriskVersion")));
    pthread_mutex_unlock(&n->lock);
}

static void on_control_up(void *arg)
{
    struct tap_node *n = arg;
    struct ami_writer w;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("CoreSettings"));
    if (ami_send(NULL, n->control, &w, NULL, on_settings, n))
        log_debug(&n->log, "version_unasked", kv_str("node", n->label));
    ami_writer_free(&w);
    tap_resync_control(n->resync, true);
}

static void on_control_down(int err, const char *why, void *arg)
{
    struct tap_node *n = arg;

    (void)err;
    set_problem(n, why);
    tap_resync_control(n->resync, false);
}

static void on_control_event(const struct ami_message *m, void *arg)
{
    (void)m;                       /* Events: off; only a forger could write here */
    (void)arg;
}

/* ---- construction and the end ---- */

static void on_closed(void *arg)
{
    struct tap_node *n = arg;

    if (--n->open == 0)
        tap_on_node_closed(n->tap);
}

static void on_tap_closed(void *arg)
{
    ((struct tap_node *)arg)->ami = NULL;
    on_closed(arg);
}

static void on_control_closed(void *arg)
{
    ((struct tap_node *)arg)->control = NULL;
    on_closed(arg);
}

void tap_node_close(struct tap_node *n)
{
    tap_node_release(n);
    tap_resync_stop(n->resync);
    timer_stop(n->chores);
    timer_stop(n->hold);
    if (n->ami)
        ami_close(n->ami);
    if (n->control)
        ami_close(n->control);
}

void tap_node_free(struct tap_node *n)
{
    tap_event_free(n->held);
    tap_resync_free(n->resync);
    timer_free(n->hold);
    timer_free(n->chores);
    if (n->dialer)
        dialer_free(n->dialer);
    tap_filters_free(n->filters);
    free(n->label);
    free(n->events);
    pthread_mutex_destroy(&n->lock);
}

static int open_sessions(struct tap_node *n, const struct tap_node_options *opt, const struct tap_options *all)
{
    static const struct ami_handlers tapping = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_tap_closed };
    static const struct ami_handlers controlling = { .on_up = on_control_up, .on_down = on_control_down, .on_event = on_control_event,
                                                     .on_closed = on_control_closed };
    struct ami_options ao = { .node = n->label, .url = opt->url, .user = opt->user, .secret = opt->secret, .again = opt->again, .events = "on",
                              .is_plain = opt->is_plain, .ping_ms = all->ping_ms, .action_ms = all->action_ms, .retry_max_ms = all->retry_max_ms };
    int err = ami_open(&n->ami, n->loop, n->dialer, &ao, &tapping, n, &n->log);

    if (err)
        return err;
    n->tap->open++;
    n->open++;
    if (!opt->control_user)
        return 0;
    ao.user = opt->control_user;
    ao.secret = opt->control_secret;
    ao.again = opt->control_again;
    ao.events = "off";
    ao.list_max = CONTROL_LIST_MAX;
    err = ami_open(&n->control, n->loop, n->dialer, &ao, &controlling, n, &n->log);
    if (!err)
        n->open++;
    return err;
}

static int open_filters(struct tap_node *n, const struct tap_node_options *opt, char **problem)
{
    char why[200] = "", line[320];
    int err;

    if (opt->filter_count == 0)
        return 0;
    err = tap_filters_new(&n->filters, opt->filters, opt->filter_count, why, sizeof why);
    if (err == -EINVAL) {
        snprintf(line, sizeof line, "node %s: ami_filter: %s", opt->name, why);
        *problem = text_dup(text_of(line));
    }
    return err;
}

int tap_node_open(struct tap_node *n, const struct tap_node_options *opt, const struct tap_options *all, char **problem)
{
    const struct dialer_options dialing = { .tls = { .ca_file = opt->ca, .pin = opt->pin, .insecure = opt->is_insecure } };
    const struct tap_resync_options ro = { .control_ms = all->control_ms ? all->control_ms : CONTROL_WAIT_MS,
                                           .settle_ms = all->settle_ms ? all->settle_ms : SETTLE_MS };
    char label[120];
    int err;

    snprintf(label, sizeof label, "%.64s%s", opt->name, opt->is_insecure ? " (certificate not verified)" : "");
    pthread_mutex_init(&n->lock, NULL);
    n->log = n->tap->log;
    n->loop = n->tap->loop;
    n->queue = opt->queue;
    n->lost_seen = tap_queue_lost(opt->queue);
    n->session = clock_wall_us();
    atomic_store(&n->counts.filters_hold, true);
    n->label = text_dup(text_of(label));
    n->events = opt->events ? text_dup(text_of(opt->events)) : NULL;
    err = n->label && (n->events || !opt->events) ? open_filters(n, opt, problem) : -ENOMEM;
    if (!err)
        err = timer_new(&n->hold, n->loop, on_hold_time, n);
    if (!err)
        err = timer_new(&n->chores, n->loop, on_chores, n);
    if (!err)
        err = dialer_new(&n->dialer, n->loop, &dialing);
    if (!err)
        err = tap_resync_new(&n->resync, n, &ro);
    return err ? err : open_sessions(n, opt, all);
}

void tap_node_figures(struct tap_node *n, struct tap_node_figures *out)
{
    const struct tap_node_counts *c = &n->counts;

    *out = (struct tap_node_figures){
        .is_up = atomic_load_explicit(&c->is_up, memory_order_relaxed),
        .has_times = atomic_load_explicit(&c->has_times, memory_order_relaxed),
        .filters_hold = atomic_load_explicit(&c->filters_hold, memory_order_relaxed),
        .connects = atomic_load_explicit(&c->connects, memory_order_relaxed),
        .events = atomic_load_explicit(&c->events, memory_order_relaxed),
        .bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed),
        .forged = atomic_load_explicit(&c->forged, memory_order_relaxed),
        .duplicates = atomic_load_explicit(&c->duplicates, memory_order_relaxed),
        .cut = atomic_load_explicit(&c->cut, memory_order_relaxed),
        .resyncs = atomic_load_explicit(&c->resyncs, memory_order_relaxed),
        .filter_misses = atomic_load_explicit(&c->filter_misses, memory_order_relaxed),
        .up_since_us = atomic_load_explicit(&c->up_since_us, memory_order_relaxed),
        .last_event_us = atomic_load_explicit(&c->last_event_us, memory_order_relaxed),
    };
    pthread_mutex_lock(&n->lock);
    (void)text_copy(out->asterisk, sizeof out->asterisk, text_of(n->asterisk));
    (void)text_copy(out->last_problem, sizeof out->last_problem, text_of(n->last_problem));
    pthread_mutex_unlock(&n->lock);
}
