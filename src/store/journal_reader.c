/* Reads events, facts, gaps and cursors back, from a file that another process may be writing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/journal_read.h"

int journal_reader_open(struct journal_reader **out, const char *path)
{
    struct journal_reader *r = calloc(1, sizeof *r);
    int err;

    if (!r)
        return -ENOMEM;
    err = store_db_open(&r->db, &journal_kind, path, STORE_MODE_READ, NULL);
    if (err)
        journal_reader_close(r);
    else
        *out = r;
    return err;
}

void journal_reader_close(struct journal_reader *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < JOURNAL_READ_COUNT; i++)
        sqlite3_finalize(r->sql[i]);
    store_db_close(r->db);
    for (size_t i = 0; i < r->name_count; i++)
        free(r->names[i].p);
    free(r->names);
    free(r);
}

int journal_prepare(struct journal_reader *r, enum journal_read_sql which, const char *sql, sqlite3_stmt **out)
{
    if (!r->sql[which]) {
        const int rc = sqlite3_prepare_v3(r->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &r->sql[which], NULL);

        if (rc != SQLITE_OK)
            return store_db_errno(rc);
    }
    *out = r->sql[which];
    return 0;
}

/* A statement that was stepped to its end or to an error: reset, and the error. */
int journal_read_end(sqlite3_stmt *st, int rc)
{
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : store_db_errno(rc);
}

const char *journal_column(sqlite3_stmt *st, int at)
{
    const char *t = (const char *)sqlite3_column_text(st, at);

    return t ? t : "";
}

/* ---- the names' numbers ---- */

static int grow(struct journal_reader *r, size_t count)
{
    struct journal_text *more = realloc(r->names, count * sizeof *more);

    if (!more)
        return -ENOMEM;
    memset(more + r->name_count, 0, (count - r->name_count) * sizeof *more);
    r->names = more;
    r->name_count = count;
    return 0;
}

static int keep_name(struct journal_reader *r, int64_t id, sqlite3_stmt *st)
{
    const struct text t = text_make(sqlite3_column_blob(st, 0), (size_t)sqlite3_column_bytes(st, 0));
    struct journal_text *to;

    if ((size_t)id >= r->name_count && grow(r, (size_t)id + 64))
        return -ENOMEM;
    to = &r->names[id];
    to->p = text_dup(t.p ? t : TEXT(""));
    to->n = t.n;
    return to->p ? 0 : -ENOMEM;
}

struct text journal_name_of(void *arg, int64_t id)
{
    struct journal_reader *r = arg;
    sqlite3_stmt *st;
    int rc;

    if (id <= 0 || id > 4 * JOURNAL_NAMES_MAX)
        return TEXT_NONE;
    if ((size_t)id >= r->name_count || !r->names[id].p) {
        if (journal_prepare(r, JOURNAL_READ_NAME, "SELECT text FROM name WHERE id = ?1", &st))
            return TEXT_NONE;
        sqlite3_bind_int64(st, 1, id);
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW && keep_name(r, id, st))
            rc = SQLITE_NOMEM;
        sqlite3_reset(st);
        if (rc != SQLITE_ROW)
            return TEXT_NONE;
    }
    return text_make(r->names[id].p, r->names[id].n);
}

/* ---- events ---- */

/* The numbers of a call: by its Linkedid, now or before, or by the Uniqueid of a leg; whatever else was joined to it. */
#define KEYS_OF_CALL                                                                                                          \
    "WITH one AS (SELECT coalesce(now, id) AS k FROM call_key WHERE linkedid = ?3 UNION SELECT coalesce(c.now, c.id) FROM leg l JOIN call_key c"    \
    " ON c.id = l.call WHERE l.uniqueid = ?3), keys AS (SELECT k FROM one UNION SELECT id FROM call_key WHERE now IN (SELECT k FROM one)) "
#define EVENT_COLUMNS "e.id, n.name, s.began_us, e.seq, e.at_us, e.recv_us, e.flags, e.body"
#define EVENT_TABLES " FROM event e JOIN session s ON s.id = e.session JOIN node n ON n.id = s.node WHERE e.id > ?1 "

static int give_event(struct journal_reader *r, sqlite3_stmt *st, journal_on_event *on, void *arg)
{
    const int flags = sqlite3_column_int(st, 6);
    const struct text body = text_make(sqlite3_column_blob(st, 7), (size_t)sqlite3_column_bytes(st, 7));
    struct journal_event row = { .id = sqlite3_column_int64(st, 0), .node = journal_column(st, 1) };
    struct tap_event *e;
    const int err = journal_body_unpack(&e, (enum tap_kind)(flags & 0xf), body, journal_name_of, r);

    if (err)
        return err == -EINVAL ? -EIO : err;
    e->session = sqlite3_column_int64(st, 2);
    e->seq = (uint64_t)sqlite3_column_int64(st, 3);
    e->order_us = sqlite3_column_int64(st, 4);
    e->recv_us = e->order_us + sqlite3_column_int64(st, 5);
    e->flags = (uint8_t)(flags >> 4);
    row.event = e;
    row.stored_us = e->recv_us;
    on(&row, arg);
    tap_event_free(e);
    return 0;
}

int journal_read_events(struct journal_reader *r, struct text call, int64_t *after, size_t max, journal_on_event *on, void *arg)
{
    sqlite3_stmt *st;
    int rc = SQLITE_DONE, count = 0;
    int err = call.p ? journal_prepare(r, JOURNAL_READ_CALL_EVENTS, KEYS_OF_CALL "SELECT " EVENT_COLUMNS EVENT_TABLES
                                       "AND e.call IN keys ORDER BY e.id LIMIT ?2", &st)
                     : journal_prepare(r, JOURNAL_READ_EVENTS, "SELECT " EVENT_COLUMNS EVENT_TABLES "ORDER BY e.id LIMIT ?2", &st);

    if (err)
        return err;
    sqlite3_bind_int64(st, 1, *after);
    sqlite3_bind_int64(st, 2, (int64_t)max);
    if (call.p)
        sqlite3_bind_text(st, 3, call.p, (int)call.n, SQLITE_STATIC);
    while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW) {
        const int64_t id = sqlite3_column_int64(st, 0);

        err = give_event(r, st, on, arg);
        if (!err) {
            *after = id;
            count++;
        }
    }
    rc = journal_read_end(st, rc);
    return err ? err : rc ? rc : count;
}

/* ---- facts ---- */

#define FACT_COLUMNS "f.id, n.name, m.text, coalesce(k.linkedid, ''), f.detail, s.began_us, f.seq, f.n, f.at_us"
#define FACT_TABLES                                                                                                            \
    " FROM fact f JOIN session s ON s.id = f.session JOIN node n ON n.id = f.node JOIN name m ON m.id = f.kind LEFT JOIN call_key k ON k.id = f.call" \
    " WHERE f.id > ?1 "

static void give_fact(sqlite3_stmt *st, journal_on_fact *on, void *arg)
{
    const struct journal_fact f = {
        .id = sqlite3_column_int64(st, 0), .node = journal_column(st, 1), .kind = journal_column(st, 2), .call = journal_column(st, 3),
        .detail = journal_column(st, 4), .session = sqlite3_column_int64(st, 5), .seq = (uint64_t)sqlite3_column_int64(st, 6),
        .n = (uint32_t)sqlite3_column_int64(st, 7), .at_us = sqlite3_column_int64(st, 8),
    };

    on(&f, arg);
}

int journal_read_facts(struct journal_reader *r, struct text call, int64_t *after, size_t max, journal_on_fact *on, void *arg)
{
    sqlite3_stmt *st;
    int rc, count = 0;
    const int err = call.p ? journal_prepare(r, JOURNAL_READ_CALL_FACTS, KEYS_OF_CALL "SELECT " FACT_COLUMNS FACT_TABLES
                                             "AND f.call IN keys ORDER BY f.id LIMIT ?2", &st)
                           : journal_prepare(r, JOURNAL_READ_FACTS, "SELECT " FACT_COLUMNS FACT_TABLES "ORDER BY f.id LIMIT ?2", &st);

    if (err)
        return err;
    sqlite3_bind_int64(st, 1, *after);
    sqlite3_bind_int64(st, 2, (int64_t)max);
    if (call.p)
        sqlite3_bind_text(st, 3, call.p, (int)call.n, SQLITE_STATIC);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        give_fact(st, on, arg);
        *after = sqlite3_column_int64(st, 0);
        count++;
    }
    rc = journal_read_end(st, rc);
    return rc ? rc : count;
}

static int64_t number(struct journal_reader *r, enum journal_read_sql which, const char *sql)
{
    sqlite3_stmt *st;
    int64_t v = journal_prepare(r, which, sql, &st);

    if (v)
        return v;
    v = sqlite3_step(st) == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_reset(st);
    return v;
}

int64_t journal_last_event(struct journal_reader *r)
{
    return number(r, JOURNAL_READ_LAST_EVENT, "SELECT max(id) FROM event");
}

int64_t journal_last_fact(struct journal_reader *r)
{
    return number(r, JOURNAL_READ_LAST_FACT, "SELECT max(id) FROM fact");
}

/* ---- gaps, cursors ---- */

int journal_read_gaps(struct journal_reader *r, int64_t since_us, void (*on)(const struct journal_gap_row *g, void *arg), void *arg)
{
    sqlite3_stmt *st;
    int rc, count = 0;
    const int err = journal_prepare(r, JOURNAL_READ_GAPS, "SELECT g.id, n.name, g.cause, g.detail, g.from_us, g.to_us, g.events_lost, g.calls_affected"
                                    " FROM gap g JOIN node n ON n.id = g.node WHERE g.to_us = 0 OR g.to_us >= ?1 ORDER BY g.id", &st);

    if (err)
        return err;
    sqlite3_bind_int64(st, 1, since_us);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        const struct journal_gap_row g = {
            .id = sqlite3_column_int64(st, 0), .node = journal_column(st, 1), .cause = journal_column(st, 2), .detail = journal_column(st, 3),
            .from_us = sqlite3_column_int64(st, 4), .to_us = sqlite3_column_int64(st, 5), .events_lost = (uint64_t)sqlite3_column_int64(st, 6),
            .calls_affected = (uint64_t)sqlite3_column_int64(st, 7),
        };

        on(&g, arg);
        count++;
    }
    rc = journal_read_end(st, rc);
    return rc ? rc : count;
}

int journal_read_cursor(struct journal_reader *r, const char *sink, int64_t *fact_id, int64_t *event_id)
{
    sqlite3_stmt *st;
    int rc;
    const int err = journal_prepare(r, JOURNAL_READ_CURSOR, "SELECT fact_id, event_id FROM cursor WHERE sink = ?1", &st);

    *fact_id = *event_id = 0;
    if (err)
        return err;
    sqlite3_bind_text(st, 1, sink, -1, SQLITE_STATIC);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        *fact_id = sqlite3_column_int64(st, 0);
        *event_id = sqlite3_column_int64(st, 1);
    }
    return journal_read_end(st, rc) ? store_db_errno(rc) : rc == SQLITE_ROW;
}
