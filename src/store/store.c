/* One job: take facts from any thread and write them in batches, on a thread of its own. */
#include "store/store.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/ring.h"
#include "store/store_parts.h"

enum { IDLE_MS = 1000, BUSY_PAUSE_MS = 20, BUSY_POLL_MS = 1, FAILURE_LINE_US = 60 * 1000000, FULL_LINE_US = 10 * 1000000 };

enum { SQL_BEGIN, SQL_INSERT, SQL_COMMIT, SQL_COUNT };

/* IMMEDIATE: the wait for another process's lock comes before the first row, where a retry is cheap. */
static const char *const writer_sql[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_INSERT] = "INSERT INTO fact(wall_us, call, kind, detail) VALUES(?1, ?2, ?3, ?4)",
    [SQL_COMMIT] = "COMMIT",
};

struct store {
    struct log log;
    char *path;
    struct timeline timeline;
    struct ring *ring;              /* of struct fact, owned */
    struct store_bell bell;
    bool has_bell, has_thread;
    pthread_t thread;
    atomic_bool stop;
    atomic_uint_fast64_t written, dropped;
    struct store_lookups *lookups;
    struct store_sessions *sessions;
    struct store_puts *puts;
    /* Writer thread only, once it runs: */
    sqlite3 *db;
    sqlite3_stmt *sql[SQL_COUNT];
    struct fact *batch[STORE_BATCH];
    size_t batch_count;
    bool is_failing, is_waiting;    /* told in the log, and not over yet */
    int64_t failing_told_us;
    uint64_t full_told;
    int64_t full_told_us, stopping_since_us;
    atomic_uint_fast64_t full;      /* part of dropped: the queue had no room */
};

static bool publish(void *arg, struct fact *f)
{
    struct store *s = arg;

    if (!ring_push(s->ring, f)) {
        fact_free(f);
        atomic_fetch_add(&s->full, 1);
        atomic_fetch_add(&s->dropped, 1);
        return false;
    }
    store_bell_ring(&s->bell, ring_depth(s->ring));
    return true;
}

static size_t facts_waiting(void *arg)
{
    return ring_depth(((struct store *)arg)->ring);
}

/* A row that somebody waits for is worth a whole batch of facts: the writer does not tarry. */
static size_t work_waiting(void *arg)
{
    const struct store *s = arg;

    return ring_depth(s->ring) + store_sessions_waiting(s->sessions) + (store_puts_waiting(s->puts) ? STORE_BATCH : 0);
}

static int insert_fact(struct store *s, struct fact *f)
{
    sqlite3_stmt *st = s->sql[SQL_INSERT];
    const char *detail = fact_detail(f); /* here, so that no loop has to make JSON */
    int rc;

    sqlite3_bind_int64(st, 1, f->wall_us);
    sqlite3_bind_text(st, 2, f->call, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 3, f->kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 4, detail ? detail : "{}", -1, SQLITE_STATIC);
    rc = store_db_run(s->sql[SQL_INSERT]);
    sqlite3_clear_bindings(st);
    return rc;
}

/* All of the batch or nothing. why is filled before the rollback wipes it. */
static int insert_batch(struct store *s, char *why, size_t size)
{
    int rc = store_db_run(s->sql[SQL_BEGIN]);

    for (size_t i = 0; rc == SQLITE_OK && i < s->batch_count; i++)
        rc = insert_fact(s, s->batch[i]);
    if (rc == SQLITE_OK)
        rc = store_db_run(s->sql[SQL_COMMIT]);
    if (rc == SQLITE_OK)
        return 0;
    text_copy(why, size, text_of(sqlite3_errmsg(s->db)));
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return store_db_errno(rc);
}

/* Once, until it is over. On an almost full disk small batches still pass (seen): then no more than a line a minute. */
static void tell_failure(struct store *s, const char *why)
{
    const int64_t now = clock_mono_us();

    if (s->is_failing || (s->failing_told_us && now - s->failing_told_us < FAILURE_LINE_US))
        return;
    s->is_failing = true;
    s->failing_told_us = now;
    log_error(&s->log, "facts_not_stored", kv_str("file", s->path), kv_str("why", why),
              kv_int("dropped", (int64_t)store_facts_dropped(s)),
              kv_str("next", "facts are dropped and counted until writing works again"));
}

static void tell_success(struct store *s)
{
    if (s->is_failing || s->is_waiting)
        log_info(&s->log, "facts_stored_again", kv_str("file", s->path), kv_int("dropped", (int64_t)store_facts_dropped(s)));
    s->is_failing = s->is_waiting = false;
}

static void tell_waiting(struct store *s)
{
    if (s->is_waiting)
        return;
    s->is_waiting = true;
    log_warn(&s->log, "store_locked", kv_str("file", s->path), kv_str("next", "facts wait in the queue for the other process"));
}

/* A lock of another process is waited for: the queue has room for minutes. Once we close, not for ever. */
static bool may_try_again(struct store *s)
{
    if (!atomic_load(&s->stop))
        return true;
    if (!s->stopping_since_us)
        s->stopping_since_us = clock_mono_us();
    return clock_mono_us() - s->stopping_since_us < STORE_CLOSE_MS * 1000LL;
}

static void write_batch(struct store *s)
{
    char why[200] = "";
    int err;

    while ((err = insert_batch(s, why, sizeof why)) == -EBUSY && may_try_again(s)) {
        tell_waiting(s);
        nanosleep(&(struct timespec){ .tv_nsec = BUSY_PAUSE_MS * 1000000L }, NULL);
    }
    if (err) {
        atomic_fetch_add(&s->dropped, s->batch_count);
        tell_failure(s, why);
    } else {
        atomic_fetch_add(&s->written, s->batch_count);
        tell_success(s);
    }
}

/* Called by the writer, because those who publish must not log for each fact. At most one line in ten seconds. */
static void tell_full(struct store *s)
{
    const uint64_t full = atomic_load(&s->full);
    const int64_t now = clock_mono_us();

    if (full == s->full_told || (s->full_told_us && now - s->full_told_us < FULL_LINE_US))
        return;
    log_warn(&s->log, "fact_queue_full", kv_int("dropped", (int64_t)(full - s->full_told)), kv_int("ceiling", STORE_FACTS_MAX));
    s->full_told = full;
    s->full_told_us = now;
}

static size_t take_batch(struct store *s)
{
    s->batch_count = 0;
    while (s->batch_count < STORE_BATCH && (s->batch[s->batch_count] = ring_pop(s->ring)))
        s->batch_count++;
    return s->batch_count;
}

/* Facts and recordings have queues of their own, so a flood of one does not push the other out. */
static void write_sessions(struct store *s)
{
    while (store_sessions_waiting(s->sessions)) {
        const int err = store_sessions_write(s->sessions);

        if (err == -EBUSY && !may_try_again(s))
            store_sessions_drop(s->sessions);
        else if (err == -EBUSY)
            return; /* facts first; the next round tries again */
    }
}

enum { STORE_WRITER_NICE = 10 };

static void *writer(void *arg)
{
    struct store *s = arg;

    /* Linux: of this thread alone. On a busy core the calls come first; a batch may wait a little, its queue is long. */
    setpriority(PRIO_PROCESS, 0, STORE_WRITER_NICE);

    for (;;) {
        const bool last = atomic_load(&s->stop); /* read before the queue: what came before the stop is written */

        while (take_batch(s)) {
            write_batch(s);
            for (size_t i = 0; i < s->batch_count; i++)
                fact_free(s->batch[i]);
            if (s->batch_count < STORE_BATCH)
                break;
        }
        store_puts_write(s->puts, s->db, &s->stop);
        write_sessions(s);
        tell_full(s);
        if (last && !work_waiting(s))
            return NULL;
        store_bell_wait(&s->bell, 1, IDLE_MS, work_waiting, s, &s->stop);
        if (facts_waiting(s))
            store_bell_wait(&s->bell, STORE_BATCH, STORE_BATCH_MS, work_waiting, s, &s->stop);
    }
}

/* SQLite's own handler sleeps longer and longer, up to 100 ms, and so misses the gaps between another process's transactions: the
 * queue filled behind ten imports in a row (seen). */
static int on_busy(void *arg, int tries)
{
    (void)arg;
    nanosleep(&(struct timespec){ .tv_nsec = BUSY_POLL_MS * 1000000L }, NULL);
    return tries < STORE_BUSY_MS / BUSY_POLL_MS;
}

static int prepare_all(struct store *s, char **problem)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        const int rc = sqlite3_prepare_v3(s->db, writer_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->sql[i], NULL);

        if (rc != SQLITE_OK) {
            *problem = store_problem("%s: %s", s->path, sqlite3_errmsg(s->db));
            return store_db_errno(rc);
        }
    }
    return 0;
}

static void release(struct store *s)
{
    struct fact *f;

    store_lookups_close(s->lookups);
    store_sessions_close(s->sessions);
    store_puts_free(s->puts);
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(s->sql[i]);
    store_db_close(s->db);
    while (s->ring && (f = ring_pop(s->ring)))
        fact_free(f);
    ring_free(s->ring);
    if (s->has_bell)
        store_bell_free(&s->bell);
    free(s->path);
    free(s);
}

static int build(struct store *s, const char *path, const struct log *log, char **problem)
{
    int err;

    s->log = log_for(log, "store");
    s->timeline = (struct timeline){ .publish = publish, .arg = s };
    s->path = text_dup(text_of(path));
    if (!s->path)
        return -ENOMEM;
    err = ring_new(&s->ring, STORE_FACTS_MAX);
    if (!err)
        err = store_puts_new(&s->puts, &s->log);
    if (!err)
        err = store_bell_init(&s->bell);
    if (err)
        return err;
    s->has_bell = true;
    err = store_db_open(&s->db, &store_own_kind, path, STORE_MODE_WRITE, problem);
    if (!err)
        sqlite3_busy_handler(s->db, on_busy, NULL);
    if (!err)
        err = prepare_all(s, problem);
    if (!err)
        err = store_lookups_open(&s->lookups, path, &s->log, problem);
    if (!err)
        err = store_sessions_open(&s->sessions, s->db, s->path, &s->log, &s->bell);
    if (!err)
        err = -pthread_create(&s->thread, NULL, writer, s);
    s->has_thread = !err;
    return err;
}

int store_open(struct store **out, const char *path, const struct log *log, char **problem)
{
    struct store *s = calloc(1, sizeof *s);
    int err;

    *problem = NULL;
    if (!s)
        return -ENOMEM;
    err = build(s, path, log, problem);
    if (!err) {
        *out = s;
        return 0;
    }
    release(s);
    if (!*problem)
        *problem = store_problem("%s: %s", path, err_text(err));
    return err;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    if (s->has_thread) {
        atomic_store(&s->stop, true);
        store_bell_stop(&s->bell);
        pthread_join(s->thread, NULL);
    }
    release(s);
}

int store_get(struct store *s, struct loop *l, struct text table, struct text key, store_on_value *on_value, void *arg)
{
    return store_lookups_get(s->lookups, l, table, key, on_value, arg);
}

int store_put(struct store *s, struct loop *l, struct text table, struct text key, struct text value, store_on_put *on_put,
              void *arg)
{
    const int err = store_puts_add(s->puts, l, table, key, value, on_put, arg);

    if (!err)
        store_bell_ring(&s->bell, STORE_BATCH);
    return err;
}

const struct timeline *store_timeline(struct store *s)
{
    return &s->timeline;
}

const struct recording_sink *store_recordings(struct store *s)
{
    return store_sessions_sink(s->sessions);
}

uint64_t store_sessions_written(const struct store *s)
{
    uint64_t written, dropped;

    store_sessions_counts(s->sessions, &written, &dropped);
    return written;
}

uint64_t store_sessions_dropped(const struct store *s)
{
    uint64_t written, dropped;

    store_sessions_counts(s->sessions, &written, &dropped);
    return dropped;
}

uint64_t store_facts_written(const struct store *s)
{
    return atomic_load(&s->written);
}

uint64_t store_facts_dropped(const struct store *s)
{
    return atomic_load(&s->dropped);
}
