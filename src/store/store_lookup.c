/* One job: answer look-ups on a thread of their own, with their own read connection, so that neither a loop nor the writer waits. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/ring.h"
#include "store/store_parts.h"

enum { IDLE_MS = 1000, POST_PAUSE_US = 500 };

struct lookup {
    struct loop *loop;
    store_on_value *on_value;
    void *arg;
    int err;
    char *value;                /* malloc'ed; NULL: no such row */
    size_t value_n;
    struct text table, key;     /* both in bytes */
    char bytes[];
};

struct store_lookups {
    struct log log;
    sqlite3 *db;
    sqlite3_stmt *get;          /* one statement serves every table: the name is the first part of the key */
    struct ring *ring;          /* of struct lookup, owned */
    struct store_bell bell;
    bool has_bell, has_thread, is_failing;
    pthread_t thread;
    atomic_bool stop;
};

static void lookup_free(struct lookup *q)
{
    if (!q)
        return;
    free(q->value);
    free(q);
}

static size_t lookups_waiting(void *arg)
{
    return ring_depth(((struct store_lookups *)arg)->ring);
}

/* On the asker's loop. */
static void on_answer(void *arg)
{
    struct lookup *q = arg;

    q->on_value(q->err, q->value ? text_make(q->value, q->value_n) : TEXT_NONE, q->arg);
    lookup_free(q);
}

static int keep_value(struct lookup *q, sqlite3_stmt *get)
{
    const unsigned char *value = sqlite3_column_text(get, 0);
    const int n = sqlite3_column_bytes(get, 0);

    if (!value)
        return -ENOMEM;
    if (n > STORE_VALUE_MAX)
        return -EMSGSIZE;
    q->value = text_dup(text_make(value, (size_t)n));
    q->value_n = (size_t)n;
    return q->value ? 0 : -ENOMEM;
}

static void find(struct store_lookups *l, struct lookup *q)
{
    int rc;

    sqlite3_bind_text(l->get, 1, q->table.p, (int)q->table.n, SQLITE_STATIC);
    sqlite3_bind_text(l->get, 2, q->key.p, (int)q->key.n, SQLITE_STATIC);
    rc = sqlite3_step(l->get);
    if (rc == SQLITE_ROW)
        q->err = keep_value(q, l->get);
    else if (rc != SQLITE_DONE)
        q->err = store_db_errno(rc);
    if (q->err && !l->is_failing)
        log_error(&l->log, "lookup_failed", kv_text("table", q->table), kv_str("why", sqlite3_errmsg(l->db)), kv_err(q->err));
    l->is_failing = q->err != 0;
    sqlite3_reset(l->get);
    sqlite3_clear_bindings(l->get);
}

/* A loop that has no room for posts is busy, not gone: the answer waits here. Only closing sets an end to that. */
static void answer(struct store_lookups *l, struct lookup *q)
{
    int64_t closing_us = 0;

    while (loop_post(q->loop, on_answer, q)) {
        if (atomic_load(&l->stop)) {
            closing_us = closing_us ? closing_us : clock_mono_us();
            if (clock_mono_us() - closing_us > STORE_CLOSE_MS * 1000LL) {
                log_error(&l->log, "lookup_answer_lost", kv_text("table", q->table), kv_str("why", "the loop takes no posts"));
                lookup_free(q);
                return;
            }
        }
        nanosleep(&(struct timespec){ .tv_nsec = POST_PAUSE_US * 1000L }, NULL);
    }
}

static void *reader(void *arg)
{
    struct store_lookups *l = arg;

    for (;;) {
        const bool last = atomic_load(&l->stop);
        struct lookup *q;

        while ((q = ring_pop(l->ring))) {
            find(l, q);
            answer(l, q);
        }
        if (last && !lookups_waiting(l))
            return NULL;
        store_bell_wait(&l->bell, 1, IDLE_MS, lookups_waiting, l, &l->stop);
    }
}

static void release(struct store_lookups *l)
{
    struct lookup *q;

    sqlite3_finalize(l->get);
    store_db_close(l->db);
    while (l->ring && (q = ring_pop(l->ring)))
        lookup_free(q);
    ring_free(l->ring);
    if (l->has_bell)
        store_bell_free(&l->bell);
    free(l);
}

static int build(struct store_lookups *l, const char *path, char **problem)
{
    int err = ring_new(&l->ring, STORE_LOOKUPS_MAX);
    int rc;

    if (!err)
        err = store_bell_init(&l->bell);
    if (err)
        return err;
    l->has_bell = true;
    err = store_db_open(&l->db, &store_own_kind, path, STORE_MODE_READ, problem);
    if (err)
        return err;
    rc = sqlite3_prepare_v3(l->db, "SELECT value FROM lookup WHERE table_name = ?1 AND key = ?2", -1, SQLITE_PREPARE_PERSISTENT,
                            &l->get, NULL);
    if (rc != SQLITE_OK) {
        *problem = store_problem("%s: %s", path, sqlite3_errmsg(l->db));
        return store_db_errno(rc);
    }
    err = -pthread_create(&l->thread, NULL, reader, l);
    l->has_thread = !err;
    return err;
}

int store_lookups_open(struct store_lookups **out, const char *path, const struct log *log, char **problem)
{
    struct store_lookups *l = calloc(1, sizeof *l);
    int err;

    if (!l)
        return -ENOMEM;
    l->log = *log;
    err = build(l, path, problem);
    if (err) {
        release(l);
        return err;
    }
    *out = l;
    return 0;
}

void store_lookups_close(struct store_lookups *l)
{
    if (!l)
        return;
    if (l->has_thread) {
        atomic_store(&l->stop, true);
        store_bell_stop(&l->bell);
        pthread_join(l->thread, NULL);
    }
    release(l);
}

int store_lookups_get(struct store_lookups *l, struct loop *loop, struct text table, struct text key, store_on_value *on_value,
                      void *arg)
{
    /* One byte more than any stored key can have is enough to be sure that a longer one finds nothing. */
    const struct text k = text_head(key, STORE_KEY_MAX + 1);
    struct lookup *q;

    if (!store_name_is_good(table) || !key.p)
        return -EINVAL;
    q = calloc(1, sizeof *q + table.n + k.n);
    if (!q)
        return -ENOMEM;
    *q = (struct lookup){ .loop = loop, .on_value = on_value, .arg = arg };
    memcpy(q->bytes, table.p, table.n);
    memcpy(q->bytes + table.n, k.p, k.n);
    q->table = text_make(q->bytes, table.n);
    q->key = text_make(q->bytes + table.n, k.n);
    if (!ring_push(l->ring, q)) {
        lookup_free(q);
        return -ENOBUFS;
    }
    store_bell_ring(&l->bell, ring_depth(l->ring));
    return 0;
}
