/* One job: write rows of look-up tables for handlers, on the writer's thread, and answer each when it is on disk. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/ring.h"
#include "store/store_parts.h"

enum { POST_PAUSE_US = 500 };

struct put {
    struct loop *loop;
    store_on_put *on_put;
    void *arg;
    int err;
    struct text table, key, value;  /* all in bytes */
    char bytes[];
};

struct store_puts {
    struct ring *ring;              /* of struct put, owned */
    struct log log;
    bool is_failing;
    struct put *batch[STORE_BATCH];
};

int store_puts_new(struct store_puts **out, const struct log *log)
{
    struct store_puts *p = calloc(1, sizeof *p);
    int err;

    if (!p)
        return -ENOMEM;
    p->log = *log;
    err = ring_new(&p->ring, STORE_LOOKUPS_MAX);
    if (err) {
        free(p);
        return err;
    }
    *out = p;
    return 0;
}

void store_puts_free(struct store_puts *p)
{
    void *left;

    if (!p)
        return;
    while ((left = ring_pop(p->ring)))
        free(left);
    ring_free(p->ring);
    free(p);
}

size_t store_puts_waiting(const struct store_puts *p)
{
    return ring_depth(p->ring);
}

static struct text keep(char **at, struct text t)
{
    const struct text kept = text_make(memcpy(*at, t.p, t.n), t.n);

    *at += t.n;
    return kept;
}

int store_puts_add(struct store_puts *p, struct loop *l, struct text table, struct text key, struct text value, store_on_put *on_put,
                   void *arg)
{
    struct put *q;
    char *at;

    if (!store_name_is_good(table) || !key.p || !value.p)
        return -EINVAL;
    if (key.n > STORE_KEY_MAX || value.n > STORE_VALUE_MAX)
        return -EMSGSIZE;
    q = malloc(sizeof *q + table.n + key.n + value.n);
    if (!q)
        return -ENOMEM;
    *q = (struct put){ .loop = l, .on_put = on_put, .arg = arg };
    at = q->bytes;
    q->table = keep(&at, table);
    q->key = keep(&at, key);
    q->value = keep(&at, value);
    if (ring_push(p->ring, q))
        return 0;
    free(q);
    return -ENOBUFS;
}

/* On the asker's loop. */
static void on_answer(void *arg)
{
    struct put *q = arg;

    q->on_put(q->err, q->arg);
    free(q);
}

/* As with look-ups: a loop without room for posts is busy, not gone. Only closing sets an end to the waiting. */
static void answer(struct store_puts *p, struct put *q, const atomic_bool *stop)
{
    int64_t closing_us = 0;

    while (loop_post(q->loop, on_answer, q)) {
        if (atomic_load(stop)) {
            closing_us = closing_us ? closing_us : clock_mono_us();
            if (clock_mono_us() - closing_us > STORE_CLOSE_MS * 1000LL) {
                log_error(&p->log, "put_answer_lost", kv_text("table", q->table), kv_str("why", "the loop takes no posts"));
                free(q);
                return;
            }
        }
        nanosleep(&(struct timespec){ .tv_nsec = POST_PAUSE_US * 1000L }, NULL);
    }
}

static int write_rows(const struct store_puts *p, sqlite3 *db, size_t count)
{
    sqlite3_stmt *put = NULL;
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO lookup(table_name, key, value) VALUES(?1, ?2, ?3)", -1, &put, NULL);
    for (size_t i = 0; rc == SQLITE_OK && i < count; i++) {
        const struct put *q = p->batch[i];

        sqlite3_bind_text(put, 1, q->table.p, (int)q->table.n, SQLITE_STATIC);
        sqlite3_bind_text(put, 2, q->key.p, (int)q->key.n, SQLITE_STATIC);
        sqlite3_bind_text(put, 3, q->value.p, (int)q->value.n, SQLITE_STATIC);
        rc = sqlite3_step(put);
        rc = rc == SQLITE_DONE ? sqlite3_reset(put) : rc;
    }
    sqlite3_finalize(put);
    return rc == SQLITE_OK ? sqlite3_exec(db, "COMMIT", NULL, NULL, NULL) : rc;
}

static int commit_rows(struct store_puts *p, sqlite3 *db, size_t count)
{
    const int rc = write_rows(p, db, count);

    if (rc != SQLITE_OK && !p->is_failing)
        log_error(&p->log, "rows_not_stored", kv_str("why", sqlite3_errmsg(db)), kv_int("rows", (int64_t)count));
    p->is_failing = rc != SQLITE_OK;
    if (!sqlite3_get_autocommit(db))
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return store_db_errno(rc);
}

void store_puts_write(struct store_puts *p, sqlite3 *db, const atomic_bool *stop)
{
    size_t count;

    do {
        int err;

        for (count = 0; count < STORE_BATCH && (p->batch[count] = ring_pop(p->ring)); count++)
            ;
        if (count == 0)
            return;
        err = commit_rows(p, db, count); /* all or none: each asker is told the same */
        for (size_t i = 0; i < count; i++) {
            p->batch[i]->err = err;
            answer(p, p->batch[i], stop);
        }
    } while (count == STORE_BATCH);
}
