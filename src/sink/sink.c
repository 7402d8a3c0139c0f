/* One job: a thread that reads the journal behind its own cursor and delivers, again and again until it succeeds. */
#include "sink/sink.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "sink/sink_parts.h"

enum {
    RETRY_MIN_MS = 500,
    RETRY_MAX_MS = 60000,
    IDLE_MS = 1000,             /* looks at the journal without being woken, too */
    PAUSE_MAX_MS = 3600 * 1000, /* however long the other side wishes to be left alone */
    FOLLOW_MS = 1000,           /* how often the cursor of a table that is not carried follows its end */
};

struct sink {
    struct sink_options opt;
    struct sink_settings set;
    struct log log;
    char *dead_path;
    struct sink_patience patience;
    pthread_t thread;
    pthread_mutex_t lock;       /* of all below up to the line; held for moments only */
    pthread_cond_t bell;
    bool is_woken, is_stopping, is_ready;
    int ready_err;
    char *ready_problem;
    struct sink_figures figures;
    int64_t oldest_us;          /* wall clock of the oldest row in hand; 0: none */
    int64_t cursor[2], last[2]; /* facts, events */
    /* ---- the sink's thread alone ---- */
    void *driver;
    struct journal_reader *reader;
    struct sink_batch batch;
    bool has_batch;
    int64_t told[2], followed_us;
    unsigned failures;          /* in a row */
};

static const char *const words[] = { "facts", "events" };

static bool carries(const struct sink *s, bool is_events)
{
    return (s->opt.carries & (is_events ? SINK_EVENTS : SINK_FACTS)) != 0;
}

/* ---- waiting ---- */

int64_t sink_deadline_us(const struct sink_settings *set)
{
    return clock_mono_us() + (set->deadline_ms > 0 ? set->deadline_ms : SINK_DEADLINE_MS) * 1000;
}

int sink_slice_ms(const struct sink_patience *p, int64_t deadline_us)
{
    const int64_t end = p ? atomic_load(&p->end_us) : INT64_MAX, us = (end < deadline_us ? end : deadline_us) - clock_mono_us();

    return us <= 0 ? 0 : us > SINK_SLICE_MS * 1000 ? SINK_SLICE_MS : (int)((us + 999) / 1000);
}

/* True when the sink is to end now. */
static bool is_over(struct sink *s)
{
    return clock_mono_us() >= atomic_load(&s->patience.end_us);
}

/* Until woken (when it listens), the end, or ms have passed. */
static void rest(struct sink *s, int64_t ms, bool listens)
{
    int64_t until = clock_mono_us() + ms * 1000, end;
    struct timespec at;

    pthread_mutex_lock(&s->lock);
    while (!(listens && (s->is_woken || s->is_stopping))) {
        end = atomic_load(&s->patience.end_us);
        if (end < until)
            until = end;
        if (clock_mono_us() >= until)
            break;
        at = (struct timespec){ .tv_sec = until / 1000000, .tv_nsec = until % 1000000 * 1000 };
        pthread_cond_timedwait(&s->bell, &s->lock, &at);
    }
    if (listens)
        s->is_woken = false;
    pthread_mutex_unlock(&s->lock);
}

/* Doubles from the least to the most, between half of it and all of it: sinks that failed together do not come back together. */
static int64_t backoff_ms(const struct sink *s)
{
    const int64_t least = s->opt.retry_min_ms, most = s->opt.retry_max_ms;
    int64_t ms = least, asked = s->opt.driver->pause_ms && s->driver ? s->opt.driver->pause_ms(s->driver) : 0;
    uint32_t dice = 0;

    for (unsigned i = 1; i < s->failures && ms < most; i++)
        ms *= 2;
    if (ms > most)
        ms = most;
    if (getrandom(&dice, sizeof dice, GRND_NONBLOCK) != (ssize_t)sizeof dice)
        dice = (uint32_t)clock_mono_us();
    ms = ms / 2 + (int64_t)(dice % (uint32_t)(ms / 2 + 1));
    if (asked > PAUSE_MAX_MS)
        asked = PAUSE_MAX_MS;
    return asked > ms ? asked : ms;
}

/* ---- what is told ---- */

static void note_failure(struct sink *s, const char *why, int64_t wait_ms)
{
    bool is_new;

    pthread_mutex_lock(&s->lock);
    is_new = !s->figures.is_failing || strcmp(s->figures.last_problem, why) != 0;
    s->figures.is_failing = true;
    s->figures.retries++;
    text_copy(s->figures.last_problem, sizeof s->figures.last_problem, text_of(why));
    pthread_mutex_unlock(&s->lock);
    if (is_new)
        log_warn(&s->log, "sink_failing", kv_str("sink", s->set.name), kv_str("driver", s->opt.driver->name), kv_str("why", why),
                 kv_int("again_in_ms", wait_ms));
}

static void note_success(struct sink *s, size_t rows)
{
    bool was_failing;

    pthread_mutex_lock(&s->lock);
    was_failing = s->figures.is_failing;
    s->figures.is_failing = false;
    s->figures.delivered += rows;
    s->oldest_us = 0;
    pthread_mutex_unlock(&s->lock);
    s->failures = 0;
    if (was_failing)
        log_info(&s->log, "sink_works_again", kv_str("sink", s->set.name));
}

/* A failure that is not the driver's: waits, too. */
static void fail_and_rest(struct sink *s, const char *why)
{
    int64_t ms;

    s->failures++;
    ms = backoff_ms(s);
    note_failure(s, why, ms);
    rest(s, ms, false);
}

static void move_cursor(struct sink *s, bool is_events, int64_t to)
{
    pthread_mutex_lock(&s->lock);
    s->cursor[is_events] = to;
    if (s->last[is_events] < to)
        s->last[is_events] = to;
    pthread_mutex_unlock(&s->lock);
}

/* Only this thread writes cursor, so it may read it without the lock. */
static void tell_cursor(struct sink *s)
{
    if (s->cursor[0] == s->told[0] && s->cursor[1] == s->told[1])
        return;
    s->told[0] = s->cursor[0];
    s->told[1] = s->cursor[1];
    if (s->opt.on_cursor)
        s->opt.on_cursor(s->set.name, s->cursor[0], s->cursor[1], s->opt.arg);
}

/* ---- reading ---- */

static int open_reader(struct sink *s)
{
    int64_t at[2] = { 0, 0 };
    int err = journal_reader_open(&s->reader, s->opt.journal_path), known;

    if (err)
        return err;
    known = journal_read_cursor(s->reader, s->set.name, &at[0], &at[1]);
    if (known < 0) {
        journal_reader_close(s->reader);
        s->reader = NULL;
        return known;
    }
    move_cursor(s, false, known ? at[0] : 0);
    move_cursor(s, true, known ? at[1] : 0);
    s->told[0] = known ? at[0] : -1;    /* a sink that nobody knows yet is told at once: from then on nothing is deleted before it */
    s->told[1] = known ? at[1] : -1;
    tell_cursor(s);
    return 0;
}

/* Ends of both tables. A table that is not carried is passed at its end, so that it holds no retention back, once a second. */
static void look_at_ends(struct sink *s)
{
    const int64_t last[2] = { journal_last_fact(s->reader), journal_last_event(s->reader) }, now = clock_mono_us();

    pthread_mutex_lock(&s->lock);
    for (int i = 0; i < 2; i++)
        if (last[i] >= 0)
            s->last[i] = last[i];
    pthread_mutex_unlock(&s->lock);
    if (now < s->followed_us + FOLLOW_MS * 1000)
        return;
    s->followed_us = now;
    for (int i = 0; i < 2; i++)
        if (!carries(s, i) && last[i] > s->cursor[i])
            move_cursor(s, i, last[i]);
    tell_cursor(s);
}

/* The next wanted rows of one table. True: there is a batch. *passed: something was read, wanted or not. */
static bool read_batch(struct sink *s, bool is_events, bool *passed)
{
    char why[SINK_WHY];
    const int n = sink_batch_read(&s->batch, s->reader, is_events, s->cursor[is_events]);

    if (n < 0) {
        snprintf(why, sizeof why, "the journal's %s cannot be read: %s", words[is_events], err_text(n));
        fail_and_rest(s, why);
        return false;
    }
    *passed = *passed || n > 0;
    if (n > 0 && s->batch.count == 0) {
        move_cursor(s, is_events, s->batch.after);
        tell_cursor(s);
    }
    return s->batch.count > 0;
}

static void take_in_hand(struct sink *s)
{
    s->has_batch = true;
    pthread_mutex_lock(&s->lock);
    s->oldest_us = s->batch.rows[0].at_us;
    pthread_mutex_unlock(&s->lock);
}

/* ---- delivering ---- */

static void finish_batch(struct sink *s, size_t delivered)
{
    s->has_batch = false;
    note_success(s, delivered);
    move_cursor(s, s->batch.is_events, s->batch.after);
    tell_cursor(s);
}

/* The row leaves the batch only once it stands in the list. */
static void bury(struct sink *s, size_t bad, const char *why)
{
    char problem[SINK_WHY];
    const struct sink_row *row = &s->batch.rows[bad];
    const int err = sink_dead_add(s->dead_path, s->set.name, row, why, clock_wall_us());

    if (err) {
        snprintf(problem, sizeof problem, "the dead-letter list %.90s cannot take a row: %s", s->dead_path,
                 err == -EFBIG ? "it is full" : err_text(err));
        fail_and_rest(s, problem);
        return;
    }
    log_warn(&s->log, "sink_dead_letter", kv_str("sink", s->set.name), kv_str("kind", row->kind), kv_int("id", row->id), kv_str("why", why));
    sink_batch_drop(&s->batch, bad);
    pthread_mutex_lock(&s->lock);
    s->figures.dead++;
    pthread_mutex_unlock(&s->lock);
    if (s->batch.count == 0)
        finish_batch(s, 0);
}

static void deliver(struct sink *s)
{
    char why[SINK_WHY] = "";
    size_t bad = SIZE_MAX;
    const size_t count = s->batch.count;
    const int err = s->opt.driver->deliver(s->driver, s->batch.rows, count, &bad, why, sizeof why);

    if (err == 0) {
        finish_batch(s, count);
        return;
    }
    sink_why_clean(why, &s->set);
    if (!why[0])
        snprintf(why, sizeof why, "%s", err_text(err));
    if (err == -EBADMSG) {
        INVARIANT(bad < count);
        bury(s, bad, why);
    } else if (!is_over(s)) {
        fail_and_rest(s, why);
    }
}

/* One round. True: there may be more to do at once. Facts and events take turns, so neither starves. */
static bool work(struct sink *s, bool *events_next)
{
    bool passed = false;

    if (!s->reader) {
        char why[SINK_WHY];
        const int err = open_reader(s);

        if (err) {
            snprintf(why, sizeof why, "the journal cannot be opened: %s", err_text(err));
            fail_and_rest(s, why);
            return true;
        }
    }
    if (!s->has_batch)
        look_at_ends(s);
    for (int turn = 0; turn < 2 && !s->has_batch; turn++) {
        const bool is_events = *events_next;

        *events_next = !is_events;
        if (carries(s, is_events) && read_batch(s, is_events, &passed))
            take_in_hand(s);
    }
    if (s->has_batch)
        deliver(s);
    return s->has_batch || passed;
}

static void *run(void *arg)
{
    struct sink *s = arg;
    char *problem = NULL;
    bool events_next = false, stopping = false;
    const int err = s->opt.driver->open(&s->driver, &s->set, &s->log, &problem);

    pthread_mutex_lock(&s->lock);
    s->ready_err = err;
    s->ready_problem = problem;
    s->is_ready = true;
    pthread_cond_broadcast(&s->bell);
    pthread_mutex_unlock(&s->lock);
    if (err)
        return NULL;
    while (!is_over(s)) {
        const bool more = work(s, &events_next);

        pthread_mutex_lock(&s->lock);
        stopping = s->is_stopping;
        pthread_mutex_unlock(&s->lock);
        if (!more && stopping)
            break;              /* all is delivered */
        if (!more)
            rest(s, IDLE_MS, true);
    }
    s->opt.driver->close(s->driver);
    return NULL;
}

/* ---- opening, closing ---- */

static void sink_free(struct sink *s)
{
    sink_batch_free(&s->batch);
    journal_reader_close(s->reader);
    pthread_cond_destroy(&s->bell);
    pthread_mutex_destroy(&s->lock);
    free(s->dead_path);
    free(s->ready_problem);
    free(s);
}

static size_t batch_max(const struct sink_options *opt)
{
    const size_t own = opt->driver->batch_max, want = opt->batch_max ? opt->batch_max : SINK_BATCH;

    return own && own < want ? own : want;
}

static int start(struct sink *s, char **problem)
{
    int err = -pthread_create(&s->thread, NULL, run, s);

    if (err)
        return err;
    pthread_mutex_lock(&s->lock);
    while (!s->is_ready)
        pthread_cond_wait(&s->bell, &s->lock);
    err = s->ready_err;
    pthread_mutex_unlock(&s->lock);
    if (!err)
        return 0;
    pthread_join(s->thread, NULL);
    *problem = s->ready_problem;
    s->ready_problem = NULL;
    return err;
}

int sink_open(struct sink **out, const struct sink_options *opt, char **problem)
{
    struct sink *s = calloc(1, sizeof *s);
    pthread_condattr_t monotonic;
    int err;

    *problem = NULL;
    if (!s)
        return -ENOMEM;
    s->opt = *opt;
    s->set = opt->settings;
    s->set.patience = &s->patience;
    s->log = log_for(opt->log, "sink");
    s->opt.retry_min_ms = opt->retry_min_ms > 0 ? opt->retry_min_ms : RETRY_MIN_MS;
    s->opt.retry_max_ms = opt->retry_max_ms > 0 ? opt->retry_max_ms : RETRY_MAX_MS;
    atomic_init(&s->patience.end_us, INT64_MAX);
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->bell, &monotonic);
    pthread_condattr_destroy(&monotonic);
    err = sink_batch_new(&s->batch, batch_max(opt), opt->kinds, opt->kind_count);
    s->dead_path = opt->dead_letter_file ? text_dup(text_of(opt->dead_letter_file))
                                         : sink_dead_path(opt->journal_path, opt->settings.name);
    if (!err && !s->dead_path)
        err = -ENOMEM;
    if (!err)
        err = start(s, problem);
    if (err) {
        sink_free(s);
        return err;
    }
    *out = s;
    return 0;
}

void sink_wake(struct sink *s)
{
    pthread_mutex_lock(&s->lock);
    s->is_woken = true;
    pthread_cond_signal(&s->bell);
    pthread_mutex_unlock(&s->lock);
}

void sink_close(struct sink *s, int64_t linger_ms)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    atomic_store(&s->patience.end_us, clock_mono_us() + linger_ms * 1000);
    s->is_stopping = true;
    pthread_cond_signal(&s->bell);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    sink_free(s);
}

void sink_figures_of(struct sink *s, struct sink_figures *out)
{
    const int64_t now = clock_wall_us();

    pthread_mutex_lock(&s->lock);
    *out = s->figures;
    for (int i = 0; i < 2; i++)
        if (carries(s, i) && s->last[i] > s->cursor[i])
            out->queue_depth += (uint64_t)(s->last[i] - s->cursor[i]);
    out->lag_us = s->oldest_us > 0 && now > s->oldest_us ? now - s->oldest_us : 0;
    pthread_mutex_unlock(&s->lock);
}
