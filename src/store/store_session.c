/* One job: take recorded sessions from any thread, and write them on the writer's, never more of a route than it may keep. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/ring.h"
#include "store/store_parts.h"

enum { BATCH = 64, TELL_US = 10 * 1000000 };
enum { SQL_BEGIN, SQL_INSERT, SQL_TRIM, SQL_COMMIT, SQL_COUNT };

static const char *const session_sql[SQL_COUNT] = {
    [SQL_BEGIN] = "BEGIN IMMEDIATE",
    [SQL_INSERT] = "INSERT INTO session(wall_us, us, route, call, status, reason, commands, flags, tape)"
                   " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [SQL_TRIM] = "DELETE FROM session WHERE route = ?1 AND id <= (SELECT id FROM session WHERE route = ?1 ORDER BY id DESC"
                 " LIMIT 1 OFFSET ?2)",
    [SQL_COMMIT] = "COMMIT",
};

struct store_sessions {
    struct log log;
    const char *path;
    struct recording_sink sink;
    struct ring *ring;
    struct store_bell *bell;
    atomic_size_t bytes;            /* of what waits */
    atomic_uint_fast64_t written, dropped;
    /* Writer thread only: */
    sqlite3 *db;
    sqlite3_stmt *sql[SQL_COUNT];
    struct recording *batch[BATCH];
    size_t count;                   /* taken, and not written yet */
    uint64_t dropped_told;
    int64_t told_us;
};

static bool keep(void *arg, struct recording *r)
{
    struct store_sessions *s = arg;
    const size_t n = r->n;

    if (atomic_fetch_add(&s->bytes, n) + n > STORE_SESSIONS_BYTES || !ring_push(s->ring, r)) {
        atomic_fetch_sub(&s->bytes, n);
        atomic_fetch_add(&s->dropped, 1);
        recording_free(r);
        return false;
    }
    store_bell_ring(s->bell, ring_depth(s->ring));
    return true;
}

size_t store_sessions_waiting(const struct store_sessions *s)
{
    return ring_depth(s->ring) + s->count;
}

void store_sessions_counts(const struct store_sessions *s, uint64_t *written, uint64_t *dropped)
{
    *written = atomic_load(&s->written);
    *dropped = atomic_load(&s->dropped);
}

const struct recording_sink *store_sessions_sink(const struct store_sessions *s)
{
    return &s->sink;
}

static int insert(struct store_sessions *s, const struct recording *r)
{
    sqlite3_stmt *st = s->sql[SQL_INSERT];
    int rc;

    sqlite3_bind_int64(st, 1, r->wall_us);
    sqlite3_bind_int64(st, 2, r->us);
    sqlite3_bind_text(st, 3, r->route, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 4, r->call, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 5, r->status, -1, SQLITE_STATIC);
    sqlite3_bind_text(st, 6, r->reason, -1, SQLITE_STATIC);
    sqlite3_bind_int64(st, 7, r->commands);
    sqlite3_bind_int64(st, 8, (r->is_masked ? STORE_SESSION_MASKED : 0) | (r->is_cut ? STORE_SESSION_CUT : 0));
    sqlite3_bind_blob(st, 9, r->bytes ? r->bytes : "", (int)r->n, SQLITE_STATIC);
    rc = store_db_run(s->sql[SQL_INSERT]);
    sqlite3_clear_bindings(st);
    return rc;
}

static int trim(struct store_sessions *s, const struct recording *r)
{
    sqlite3_bind_text(s->sql[SQL_TRIM], 1, r->route, -1, SQLITE_STATIC);
    sqlite3_bind_int64(s->sql[SQL_TRIM], 2, r->keep);
    return store_db_run(s->sql[SQL_TRIM]);
}

static int write_batch(struct store_sessions *s, char *why, size_t size)
{
    int rc = store_db_run(s->sql[SQL_BEGIN]);

    for (size_t i = 0; rc == SQLITE_OK && i < s->count; i++) {
        rc = insert(s, s->batch[i]);
        if (rc == SQLITE_OK)
            rc = trim(s, s->batch[i]);
    }
    if (rc == SQLITE_OK)
        rc = store_db_run(s->sql[SQL_COMMIT]);
    if (rc == SQLITE_OK)
        return 0;
    text_copy(why, size, text_of(sqlite3_errmsg(s->db)));
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return store_db_errno(rc);
}

static void take_batch(struct store_sessions *s)
{
    while (s->count < BATCH && (s->batch[s->count] = ring_pop(s->ring)))
        s->count++;
}

static void free_batch(struct store_sessions *s)
{
    for (size_t i = 0; i < s->count; i++) {
        atomic_fetch_sub(&s->bytes, s->batch[i]->n);
        recording_free(s->batch[i]);
    }
    s->count = 0;
}

/* At most one line in ten seconds. */
static void tell(struct store_sessions *s, const char *why)
{
    const uint64_t dropped = atomic_load(&s->dropped);
    const int64_t now = clock_mono_us();

    if (dropped == s->dropped_told || (s->told_us && now - s->told_us < TELL_US))
        return;
    log_warn(&s->log, "recordings_dropped", kv_int("dropped", (int64_t)(dropped - s->dropped_told)), kv_str("file", s->path),
             kv_str("why", why[0] ? why : "the queue was full"));
    s->dropped_told = dropped;
    s->told_us = now;
}

int store_sessions_write(struct store_sessions *s)
{
    char why[200] = "";
    int err;

    take_batch(s);
    err = write_batch(s, why, sizeof why);
    if (err == -EBUSY)
        return err;
    if (err)
        atomic_fetch_add(&s->dropped, s->count);
    else
        atomic_fetch_add(&s->written, s->count);
    free_batch(s);
    tell(s, why);
    return err;
}

void store_sessions_drop(struct store_sessions *s)
{
    for (take_batch(s); s->count; take_batch(s)) {
        atomic_fetch_add(&s->dropped, s->count);
        free_batch(s);
    }
    tell(s, "the data base stayed locked");
}

int store_sessions_open(struct store_sessions **out, sqlite3 *db, const char *path, const struct log *log, struct store_bell *bell)
{
    struct store_sessions *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    s->log = log_for(log, "store");
    s->sink = (struct recording_sink){ .keep = keep, .arg = s };
    s->db = db;
    s->path = path;
    s->bell = bell;
    err = ring_new(&s->ring, STORE_SESSIONS_MAX);
    for (int i = 0; i < SQL_COUNT && !err; i++)
        err = store_db_errno(sqlite3_prepare_v3(db, session_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->sql[i], NULL));
    if (err) {
        store_sessions_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void store_sessions_close(struct store_sessions *s)
{
    if (!s)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(s->sql[i]);
    for (s->count = 0; s->ring && (take_batch(s), s->count);)
        free_batch(s);
    ring_free(s->ring);
    free(s);
}
