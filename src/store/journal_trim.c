/* Deletes what is over age or size, oldest first, a few rows at a time. */
#include <errno.h>

#include "store/journal_parts.h"

/* What may still go, by the ids of rows. */
struct trim {
    struct journal *j;
    int64_t now_us, rows;
    int64_t cursor_fact, cursor_event;  /* the slowest sink's; INT64_MAX without one */
    bool has_more;
};

static int number(struct journal *j, const char *sql, int64_t a, int64_t b, int64_t *out)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(j->db, sql, -1, &st, NULL);

    if (rc != SQLITE_OK)
        return journal_fail(j, rc);
    if (sqlite3_bind_parameter_count(st) > 0)
        sqlite3_bind_int64(st, 1, a);
    if (sqlite3_bind_parameter_count(st) > 1)
        sqlite3_bind_int64(st, 2, b);
    rc = sqlite3_step(st);
    *out = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : journal_fail(j, rc);
}

static int run(struct journal *j, const char *sql, int64_t a, int64_t b)
{
    int64_t unused;

    return number(j, sql, a, b, &unused);
}

static int read_cursors(struct trim *t)
{
    int err = number(t->j, "SELECT coalesce(min(fact_id), 9223372036854775807) FROM cursor", 0, 0, &t->cursor_fact);

    return err ? err : number(t->j, "SELECT coalesce(min(event_id), 9223372036854775807) FROM cursor WHERE event_id > 0", 0, 0, &t->cursor_event);
}

/* ---- age: never past a cursor ---- */

struct aged {
    const char *bound, *delete;         /* bound: the last id to go, among the ?2 oldest rows, older than ?1 */
};

static int trim_aged(struct trim *t, const struct aged *what, int64_t before_us, int64_t cursor)
{
    int64_t last;
    int err = number(t->j, what->bound, before_us, t->rows, &last);

    if (last > cursor)
        last = cursor;
    if (err || last <= 0)
        return err;
    err = run(t->j, what->delete, last, 0);
    t->has_more |= !err && sqlite3_changes(t->j->db) >= t->rows;
    return err;
}

static int trim_age(struct trim *t)
{
    static const struct aged events = { "SELECT max(id) FROM (SELECT id, at_us FROM event ORDER BY id LIMIT ?2) WHERE at_us < ?1", "DELETE FROM event WHERE id <= ?1" };
    static const struct aged facts = { "SELECT max(id) FROM (SELECT id, at_us FROM fact ORDER BY id LIMIT ?2) WHERE at_us < ?1", "DELETE FROM fact WHERE id <= ?1" };
    const int64_t before_us = t->now_us - t->j->keep_age_us;
    int err;

    if (t->j->keep_age_us <= 0)
        return 0;
    err = trim_aged(t, &events, before_us, t->cursor_event);
    if (!err)
        err = trim_aged(t, &facts, before_us, t->cursor_fact);
    /* A call goes with its legs; its number stays while something is written under it. */
    if (!err)
        err = run(t->j, "DELETE FROM leg WHERE call IN (SELECT key FROM call WHERE started_us < ?1 AND outcome <> 'open' ORDER BY started_us LIMIT ?2)",
                  before_us, t->rows);
    if (!err)
        err = run(t->j, "DELETE FROM call WHERE key IN (SELECT key FROM call WHERE started_us < ?1 AND outcome <> 'open' ORDER BY started_us LIMIT ?2)",
                  before_us, t->rows);
    return err ? err : run(t->j, "DELETE FROM gap WHERE to_us <> 0 AND to_us < ?1", before_us, 0);
}

/* ---- size: also past a cursor, but then it is told ---- */

static int used_bytes(struct journal *j, int64_t *bytes)
{
    int64_t pages, unused, size;
    int err = number(j, "PRAGMA page_count", 0, 0, &pages);

    if (!err)
        err = number(j, "PRAGMA freelist_count", 0, 0, &unused);
    if (!err)
        err = number(j, "PRAGMA page_size", 0, 0, &size);
    if (!err)
        *bytes = (pages - unused) * size;
    return err;
}

/* A gap of every node whose rows a sink will never see: from the oldest to the youngest of them. */
static int tell_unread(struct trim *t, int64_t last)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(t->j->db,
                                "INSERT INTO gap(node, from_us, to_us, cause, detail, events_lost, calls_affected)"
                                " SELECT s.node, min(e.at_us), max(e.at_us) + 1, '" TAP_CAUSE_RETENTION "', 'a sink had not read them', count(*), count(DISTINCT e.call)"
                                " FROM event e JOIN session s ON s.id = e.session WHERE e.id <= ?1 AND e.id > ?2 GROUP BY s.node",
                                -1, &st, NULL);

    if (rc != SQLITE_OK)
        return journal_fail(t->j, rc);
    sqlite3_bind_int64(st, 1, last);
    sqlite3_bind_int64(st, 2, t->cursor_event);
    rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE ? 0 : journal_fail(t->j, rc);
}

static int trim_size(struct trim *t)
{
    int64_t used, last;
    int err;

    if (t->j->keep_bytes <= 0)
        return 0;
    err = used_bytes(t->j, &used);
    if (err || used <= t->j->keep_bytes)
        return err;
    err = number(t->j, "SELECT max(id) FROM (SELECT id FROM event ORDER BY id LIMIT ?1)", t->rows, 0, &last);
    if (err || last <= 0)
        return err;
    if (last > t->cursor_event)
        err = tell_unread(t, last);
    if (!err)
        err = run(t->j, "DELETE FROM event WHERE id <= ?1", last, 0);
    t->has_more |= !err;
    return err;
}

int journal_trim(struct journal *j, int64_t now_us, size_t max_rows)
{
    struct trim t = { .j = j, .now_us = now_us, .rows = (int64_t)max_rows };
    int err = journal_begin(j), rc;

    if (err)
        return err;
    err = read_cursors(&t);
    if (!err)
        err = trim_age(&t);
    if (!err)
        err = trim_size(&t);
    if (!err)
        err = journal_commit(j);
    if (err) {
        journal_rollback(j);
        return err;
    }
    /* Gives emptied pages back to the file system, a few at a time. It answers with a row a page: sqlite3_exec reads them all. */
    rc = sqlite3_exec(j->db, "PRAGMA incremental_vacuum(256)", NULL, NULL, NULL);
    return rc == SQLITE_OK ? t.has_more : journal_fail(j, rc);
}
