/* One job: a thread that takes events from the nodes' queues and writes them, with the facts made of them, in batches. */
#include "store/tap_writer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "store/tap_writer_parts.h"

enum {
    QUEUE_EVENTS = 65536,
    QUEUE_BYTES = 64 << 20,
    TAKE_AT_ONCE = 256,         /* of one node, in the merge; the rest waits in its queue */
    IDLE_MS = 1000,
    TICK_MS = 25,               /* a batch is collected for so long; with the wait for other nodes and the commit within BATCH_MS and a little */
    HELD_MS = 5,
    FLUSH_US = 250 * 1000,      /* rows of running calls are at most this much behind their facts */
    TRIM_US = 1000 * 1000,
    TRIM_ROWS = 2000,
    BUSY_PAUSE_MS = 20,
    FAILED_PAUSE_MS = 500,
    FAILURE_LINE_US = 60 * 1000000,
    CLOSE_US = 5 * 1000000,     /* how long closing tries on against a lock or a full disk */
};

/* ---- from other threads ---- */

static void on_ready(void *arg)
{
    struct writer_node *n = arg;

    store_bell_ring(&n->writer->bell, tap_queue_depth(n->queue));
}

static size_t work_waiting(void *arg)
{
    const struct tap_writer *w = arg;
    size_t depth = atomic_load(&((struct tap_writer *)arg)->mail);

    for (size_t i = 0; i < w->node_count; i++)
        depth += tap_queue_depth(w->nodes[i].queue);
    return depth;
}

static size_t nothing_wakes(void *arg)
{
    (void)arg;
    return 0;
}

struct tap_queue *tap_writer_queue(struct tap_writer *w, uint32_t node)
{
    return node < w->node_count ? w->nodes[node].queue : NULL;
}

void tap_writer_clock(struct tap_writer *w, uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us)
{
    if (node >= w->node_count)
        return;
    pthread_mutex_lock(&w->lock);
    if (w->sample_count < TAP_WRITER_SAMPLES)
        w->samples[w->sample_count++] = (struct writer_sample){ .node = node, .sent_us = sent_us, .got_us = got_us, .node_us = node_us };
    pthread_mutex_unlock(&w->lock);
    atomic_fetch_add(&w->mail, 1);
    store_bell_ring(&w->bell, 1);
}

static struct writer_cursor *cursor_of(struct tap_writer *w, const char *sink)
{
    struct writer_cursor *c;

    for (size_t i = 0; i < w->cursor_count; i++)
        if (strcmp(w->cursors[i].sink, sink) == 0)
            return &w->cursors[i];
    if (w->cursor_count == TAP_WRITER_CURSORS)
        return NULL;
    c = &w->cursors[w->cursor_count++];
    text_copy(c->sink, sizeof c->sink, text_of(sink));
    return c;
}

void tap_writer_cursor(struct tap_writer *w, const char *sink, int64_t fact_id, int64_t event_id)
{
    struct writer_cursor *c;

    pthread_mutex_lock(&w->lock);
    c = cursor_of(w, sink);
    if (c) {
        c->fact_id = fact_id;
        c->event_id = event_id;
        c->is_new = true;
    }
    pthread_mutex_unlock(&w->lock);
    atomic_fetch_add(&w->mail, 1);
    store_bell_ring(&w->bell, 1);
}

static void take_mail(struct tap_writer *w)
{
    atomic_store(&w->mail, 0);  /* before it is looked at: what comes now is seen at the latest in the next round */
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < w->sample_count; i++) {
        const struct writer_sample *const s = &w->samples[i];

        merge_clock_sample(w->merge, s->node, s->sent_us, s->got_us, s->node_us);
        w->nodes[s->node].ping_us = s->sent_us;
    }
    w->sample_count = 0;
    for (size_t i = 0; i < w->cursor_count; i++) {
        struct writer_cursor *const c = &w->cursors[i];

        if (c->is_new)
            tap_batch_cursor(&w->batch, c->sink, c->fact_id, c->event_id);
        c->is_new = false;
    }
    pthread_mutex_unlock(&w->lock);
}

/* ---- collecting ---- */

static void on_fact(const struct call_fact *f, void *arg)
{
    tap_batch_fact(&((struct tap_writer *)arg)->batch, f);
}

static void on_call(const struct call_record *c, void *arg)
{
    tap_batch_call(&((struct tap_writer *)arg)->batch, c);
}

static void take_one(struct tap_writer *w, struct tap_event *e)
{
    const bool is_note = e->kind != TAP_EVENT && e->kind != TAP_FORGED;

    w->is_unflushed = true;
    if (is_note)
        writer_gap_note(w, e);
    if (facts_take(w->facts, e))
        w->batch.refused++;
    if (is_note) {
        tap_event_free(e);
        return;
    }
    w->nodes[e->node].last_us = e->order_us;
    w->nodes[e->node].has_moved = true;
    tap_batch_event(&w->batch, e);
}

/* What the others wait for is known here first: a node that goes down does not hold them up. */
static void take_from(struct tap_writer *w, struct writer_node *n, int64_t now_us)
{
    struct tap_event *e;

    while (n->held < TAKE_AT_ONCE && (e = tap_queue_take(n->queue))) {
        if (e->kind == TAP_UP || e->kind == TAP_DOWN)
            merge_node_up(w->merge, e->node, e->kind == TAP_UP);
        merge_put(w->merge, e, now_us);
        n->held++;
    }
}

/* The merge is never asked while a node has nothing in it and something in its queue: else, when we are late (a stall, a busy machine), the wait
 * for that node is over before its older events were looked at. */
static void collect(struct tap_writer *w)
{
    const int64_t now_us = clock_wall_us();     /* before the queues: what had arrived by then is in the merge when it decides */
    struct tap_event *e;

    for (size_t i = 0; i < w->node_count; i++)
        take_from(w, &w->nodes[i], now_us);
    while (w->batch.events < TAP_WRITER_BATCH && (e = merge_take(w->merge, now_us))) {
        struct writer_node *const n = &w->nodes[e->node];

        take_one(w, e);
        if (--n->held == 0)
            take_from(w, n, now_us);
    }
}

static size_t held(const struct tap_writer *w)
{
    struct merge_figures f;

    merge_figures_of(w->merge, &f);
    return f.held;
}

/* Up to where each node is stored with this batch. A Ping's answer stands behind all that was emitted before the Ping, so once nothing waits
 * all of that is in the batch or before. */
static void mark_seen(struct tap_writer *w)
{
    const bool all_taken = held(w) == 0;

    for (size_t i = 0; i < w->node_count; i++) {
        struct writer_node *const n = &w->nodes[i];
        int64_t at = n->has_moved ? n->last_us : 0;

        if (n->ping_us && n->is_up && all_taken && tap_queue_depth(n->queue) == 0) {
            at = n->ping_us > at ? n->ping_us : at;
            n->ping_us = 0;
        }
        n->has_moved = false;
        if (at)
            tap_batch_seen(&w->batch, (uint32_t)i, at);
    }
}

/* ---- writing ---- */

/* Once, until it is over, and no more than a line a minute. */
static void tell_failure(struct tap_writer *w, int err)
{
    const int64_t now = clock_mono_us();

    pthread_mutex_lock(&w->lock);
    w->figures.failures++;
    pthread_mutex_unlock(&w->lock);
    if (w->is_failing || (w->failing_told_us && now - w->failing_told_us < FAILURE_LINE_US))
        return;
    w->is_failing = true;
    w->failing_told_us = now;
    log_error(&w->log, "events_not_stored", kv_str("file", w->path), kv_str("why", journal_error(w->journal)), kv_err(err),
              kv_str("next", "the batch is kept and tried again; events wait in the queues"));
}

static void tell_success(struct tap_writer *w)
{
    if (w->is_failing)
        log_info(&w->log, "events_stored_again", kv_str("file", w->path));
    w->is_failing = false;
    if (w->batch.refused == 0)
        return;
    log_error(&w->log, "facts_not_stored", kv_int("facts", (int64_t)w->batch.refused), kv_str("why", "no memory for them"));
}

/* Once we close, a lock or a full disk is not waited for without end. */
static bool may_try_again(struct tap_writer *w)
{
    if (!atomic_load(&w->stop))
        return true;
    if (!w->stopping_since_us)
        w->stopping_since_us = clock_mono_us();
    return clock_mono_us() - w->stopping_since_us < CLOSE_US;
}

/* An event that the journal does not take for its own sake would stand in the way of all others. */
static bool drop_bad(struct tap_writer *w, int err, struct tap_event *bad)
{
    if (!bad || err == -EBUSY || err == -ENOSPC || err == -EIO || err == -ENOMEM || err == -EACCES)
        return false;
    log_error(&w->log, "event_refused", kv_str("node", w->nodes[bad->node].name), kv_text("event", tap_event_name(bad)), kv_err(err),
              kv_str("why", journal_error(w->journal)));
    tap_batch_drop(&w->batch, bad);
    return true;
}

static int pause_ms(int err)
{
    return err == -EBUSY ? BUSY_PAUSE_MS : FAILED_PAUSE_MS;
}

/* 0, or what went wrong until the end. */
static int write_until_done(struct tap_writer *w)
{
    struct tap_event *bad;
    int err;

    while ((err = tap_batch_write(&w->batch, w->journal, &bad))) {
        if (drop_bad(w, err, bad))
            continue;
        tell_failure(w, err);
        if (!may_try_again(w))
            return err;
        if (atomic_load(&w->stop))
            nanosleep(&(struct timespec){ .tv_nsec = BUSY_PAUSE_MS * 1000000L }, NULL);
        else
            store_bell_wait(&w->bell, SIZE_MAX, pause_ms(err), nothing_wakes, w, &w->stop);
    }
    return 0;
}

/* False: it was given up. */
static bool write_batch(struct tap_writer *w, bool is_last)
{
    const int64_t now = clock_mono_us();
    int err;

    /* Full batches follow each other fast: then the rows of running calls, each a dozen columns, are not written with every one. */
    if (is_last || w->batch.events < TAP_WRITER_BATCH || now - w->flushed_us >= FLUSH_US) {
        facts_flush(w->facts);
        w->flushed_us = now;
        w->is_unflushed = false;
    }
    mark_seen(w);
    if (tap_batch_is_empty(&w->batch))
        return true;
    err = write_until_done(w);
    if (err) {
        log_error(&w->log, "batch_given_up", kv_int("events", (int64_t)w->batch.events), kv_int("facts", (int64_t)w->batch.facts), kv_err(err),
                  kv_str("next", "the gap after the next start begins before them"));
    } else {
        tell_success(w);
        writer_count_batch(w);
        writer_gaps_tell(w);
    }
    tap_batch_clear(&w->batch);
    if (!err && w->opt.on_commit)
        w->opt.on_commit(w->opt.arg);
    return !err;
}

static void trim(struct tap_writer *w)
{
    const int64_t now = clock_mono_us();
    int more;

    if (!w->has_more_to_trim && now - w->trimmed_us < TRIM_US)
        return;
    w->trimmed_us = now;
    more = journal_trim(w->journal, clock_wall_us(), TRIM_ROWS);
    w->has_more_to_trim = more > 0;
    if (more < 0 && more != -EBUSY)
        tell_failure(w, more);
}

/* ---- the thread ---- */

/* When the batch is to be written, by the monotonic clock; INT64_MAX: there is nothing to write. */
static int64_t due_us(const struct tap_writer *w)
{
    if (w->batch.events >= TAP_WRITER_BATCH)
        return 0;
    if (w->batch_since_us)
        return w->batch_since_us + TICK_MS * 1000LL;
    return w->is_unflushed ? w->flushed_us + FLUSH_US : INT64_MAX;
}

/* Notices that something waits to be written. */
static void look_at_batch(struct tap_writer *w)
{
    bool has_work = !tap_batch_is_empty(&w->batch);

    for (size_t i = 0; i < w->node_count; i++)
        has_work |= w->nodes[i].ping_us && w->nodes[i].is_up;
    if (has_work && !w->batch_since_us)
        w->batch_since_us = clock_mono_us();
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* While a batch is collected, single events do not wake us: their queue keeps them. */
static void rest(struct tap_writer *w)
{
    const int64_t due = due_us(w), next = merge_next_us(w->merge);
    int64_t us = IDLE_MS * 1000LL;

    if (w->has_more_to_trim)
        return;
    if (due != INT64_MAX)
        us = smaller(us, due - clock_mono_us());
    if (next != INT64_MAX)
        us = smaller(us, next - clock_wall_us());
    if (us <= 0)
        return;
    /* What is held goes when its time is over or the others have shown younger events. Depth is no sign then: the rest of a deep queue waits, too. */
    if (held(w) > 0)
        store_bell_wait(&w->bell, SIZE_MAX, smaller(HELD_MS, (us + 999) / 1000), nothing_wakes, w, &w->stop);
    else
        store_bell_wait(&w->bell, w->batch_since_us ? TAP_WRITER_BATCH : 1, (us + 999) / 1000, work_waiting, w, &w->stop);
}

/* The tap has stopped: nobody is waited for any more. */
static void release_nodes(struct tap_writer *w)
{
    for (size_t i = 0; i < w->node_count; i++)
        merge_node_up(w->merge, (uint32_t)i, false);
}

static bool is_drained(struct tap_writer *w)
{
    return w->batch.events == 0 && held(w) == 0 && work_waiting(w) == 0;
}

static void *writer(void *arg)
{
    struct tap_writer *w = arg;

    for (;;) {
        const bool is_last = atomic_load(&w->stop); /* read before the queues: what came before the stop is written */

        if (is_last)
            release_nodes(w);
        take_mail(w);
        collect(w);
        look_at_batch(w);
        if (is_last || clock_mono_us() >= due_us(w)) {
            const bool is_written = write_batch(w, is_last);

            w->batch_since_us = 0;
            if (is_last && (is_drained(w) || !is_written))
                return NULL;
        }
        trim(w);
        if (!is_last)
            rest(w);
    }
}

/* ---- open, close ---- */

static int make_nodes(struct tap_writer *w)
{
    const struct tap_writer_options *const o = &w->opt;
    int err = 0;

    w->nodes = calloc(w->node_count, sizeof *w->nodes);
    if (!w->nodes)
        return -ENOMEM;
    for (size_t i = 0; i < w->node_count && !err; i++) {
        struct writer_node *const n = &w->nodes[i];

        n->writer = w;
        n->name = o->journal.nodes[i];
        err = tap_queue_new(&n->queue, (uint32_t)i, o->queue_events ? o->queue_events : QUEUE_EVENTS,
                            o->queue_bytes ? o->queue_bytes : QUEUE_BYTES, on_ready, n);
    }
    return err;
}

static int make_cores(struct tap_writer *w)
{
    struct merge_options merge = w->opt.merge;
    struct facts_options facts = w->opt.facts;
    int err;

    merge.nodes = facts.nodes = w->node_count;
    err = merge_new(&w->merge, &merge);
    return err ? err : facts_new(&w->facts, &facts, &(struct facts_handlers){ .on_fact = on_fact, .on_call = on_call }, w);
}

static int build(struct tap_writer *w, char **problem)
{
    int err;

    tap_batch_init(&w->batch);
    w->path = text_dup(text_of(w->opt.path));
    if (!w->path)
        return -ENOMEM;
    err = pthread_mutex_init(&w->lock, NULL);
    w->has_lock = !err;
    if (!err)
        err = store_bell_init(&w->bell);
    w->has_bell = w->has_lock && !err;
    if (!err)
        err = make_nodes(w);
    if (!err)
        err = make_cores(w);
    if (!err)
        err = journal_open(&w->journal, w->path, &w->opt.journal, problem);
    if (!err)
        err = writer_gaps_load(w);
    if (!err)
        err = -pthread_create(&w->thread, NULL, writer, w);
    w->has_thread = !err;
    return err;
}

static void release(struct tap_writer *w)
{
    journal_close(w->journal);
    facts_free(w->facts);
    merge_free(w->merge);
    for (size_t i = 0; w->nodes && i < w->node_count; i++)
        tap_queue_free(w->nodes[i].queue);
    tap_batch_free(&w->batch);
    if (w->has_bell)
        store_bell_free(&w->bell);
    if (w->has_lock)
        pthread_mutex_destroy(&w->lock);
    free(w->nodes);
    free(w->path);
    free(w);
}

int tap_writer_open(struct tap_writer **out, const struct tap_writer_options *opt, char **problem)
{
    struct tap_writer *w;
    int err;

    *problem = NULL;
    if (opt->journal.node_count == 0) {
        *problem = store_problem("%s: no nodes to write for", opt->path);
        return -EINVAL;
    }
    w = calloc(1, sizeof *w);
    if (!w)
        return -ENOMEM;
    w->opt = *opt;
    w->log = log_for(opt->log, "tap");
    w->node_count = opt->journal.node_count;
    err = build(w, problem);
    if (!err) {
        *out = w;
        return 0;
    }
    release(w);
    if (!*problem)
        *problem = store_problem("%s: %s", opt->path, err_text(err));
    return err;
}

void tap_writer_close(struct tap_writer *w)
{
    if (!w)
        return;
    if (w->has_thread) {
        atomic_store(&w->stop, true);
        store_bell_stop(&w->bell);
        pthread_join(w->thread, NULL);
    }
    release(w);
}
