/* Deletes what is over age or size, oldest first, a little at a time; what a sink has not read only when the size leaves no choice, and then says so. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/journal_parts.h"

enum {
    VACUUM_PAGES = 256,         /* given back to the file system in one step */
    SLACK_PAGES = 2048,         /* free pages that stay: new rows use them again */
    KEYS_PART = 4,              /* a look at a call's number costs three look-ups, and a call has many events */
    GAP_JOIN_US = 60 * 1000000, /* deletions that follow each other closely are one gap */
};

enum table { EVENTS, FACTS, TABLES };

static const struct table_sql {
    const char *oldest, *newest, *aged, *nth, *unread, *sinks, *cursor, *remove, *words;
} tables[TABLES] = {
    [EVENTS] = {
        .oldest = "SELECT at_us FROM event ORDER BY id LIMIT 1",
        .newest = "SELECT max(id) FROM event",
        .aged = "SELECT max(id) FROM (SELECT id, at_us FROM event ORDER BY id LIMIT ?1) WHERE at_us < ?2",
        .nth = "SELECT max(id) FROM (SELECT id FROM event ORDER BY id LIMIT ?1)",
        .unread = "SELECT s.node, min(e.at_us), max(e.at_us), count(*) FROM event e JOIN session s ON s.id = e.session WHERE e.id > ?1 AND e.id <= ?2"
                  " GROUP BY s.node",
        .sinks = "SELECT group_concat(sink, ', ') FROM cursor WHERE event_id < ?1",
        .cursor = "SELECT min(event_id) FROM cursor",
        .remove = "DELETE FROM event WHERE id <= ?1",
        .words = "events",
    },
    [FACTS] = {
        .oldest = "SELECT at_us FROM fact ORDER BY id LIMIT 1",
        .newest = "SELECT max(id) FROM fact",
        .aged = "SELECT max(id) FROM (SELECT id, at_us FROM fact ORDER BY id LIMIT ?1) WHERE at_us < ?2",
        .nth = "SELECT max(id) FROM (SELECT id FROM fact ORDER BY id LIMIT ?1)",
        .unread = "SELECT node, min(at_us), max(at_us), count(*) FROM fact WHERE id > ?1 AND id <= ?2 GROUP BY node",
        .sinks = "SELECT group_concat(sink, ', ') FROM cursor WHERE fact_id < ?1",
        .cursor = "SELECT min(fact_id) FROM cursor",
        .remove = "DELETE FROM fact WHERE id <= ?1",
        .words = "facts",
    },
};

struct trim {
    struct journal *j;
    int64_t rows;
    int64_t cutoff_us;          /* INT64_MIN: age does not matter */
    int64_t page_bytes, pages, free_pages;
    bool is_over;               /* more is used than may be */
    bool has_more, has_removed;
};

/* ---- small statements ---- */

static int prepare(struct journal *j, const char *sql, int64_t a, int64_t b, sqlite3_stmt **out)
{
    const int rc = sqlite3_prepare_v2(j->db, sql, -1, out, NULL);
    const int count = rc == SQLITE_OK ? sqlite3_bind_parameter_count(*out) : 0;

    if (rc != SQLITE_OK)
        return journal_fail(j, rc);
    if (count > 0)
        sqlite3_bind_int64(*out, 1, a);
    if (count > 1)
        sqlite3_bind_int64(*out, 2, b);
    return 0;
}

/* The first column of the first row; NULL or no row leaves *out. */
static int number(struct journal *j, const char *sql, int64_t a, int64_t b, int64_t *out)
{
    sqlite3_stmt *st;
    int rc, err = prepare(j, sql, a, b, &st);

    if (err)
        return err;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW && sqlite3_column_type(st, 0) != SQLITE_NULL)
        *out = sqlite3_column_int64(st, 0);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        err = journal_fail(j, rc);
    sqlite3_finalize(st);
    return err;
}

/* How many rows it changed, or negative. */
static int change(struct journal *j, const char *sql, int64_t a, int64_t b)
{
    sqlite3_stmt *st;
    int rc, err = prepare(j, sql, a, b, &st);

    if (err)
        return err;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        ;
    if (rc != SQLITE_DONE)
        err = journal_fail(j, rc);
    sqlite3_finalize(st);
    return err ? err : sqlite3_changes(j->db);
}

/* ---- what nobody read ---- */

static int put_gap(struct trim *t, sqlite3_stmt *row, const char *detail)
{
    struct journal *j = t->j;
    static const char *const sqls[] = {
        "UPDATE gap SET to_us = max(to_us, ?3), events_lost = events_lost + ?4 WHERE id = (SELECT max(id) FROM gap WHERE node = ?1 AND cause = ?5"
        " AND detail = ?6 AND to_us >= ?2 - ?7)",
        "INSERT INTO gap(node, from_us, to_us, cause, detail, events_lost, calls_affected) VALUES(?1, ?2, ?3, ?5, ?6, ?4, 0)",
    };
    int rc = SQLITE_DONE;

    for (size_t i = 0; i < 2 && rc == SQLITE_DONE; i++) {
        sqlite3_stmt *st;

        rc = sqlite3_prepare_v2(j->db, sqls[i], -1, &st, NULL);
        if (rc != SQLITE_OK)
            break;
        for (int at = 0; at < 4; at++)
            sqlite3_bind_int64(st, at + 1, sqlite3_column_int64(row, at));
        sqlite3_bind_text(st, 5, TAP_CAUSE_RETENTION, -1, SQLITE_STATIC);
        sqlite3_bind_text(st, 6, detail, -1, SQLITE_STATIC);
        if (i == 0)
            sqlite3_bind_int64(st, 7, GAP_JOIN_US);
        rc = sqlite3_step(st);
        sqlite3_finalize(st);
        if (sqlite3_changes(j->db) > 0)
            break;
    }
    return rc == SQLITE_DONE ? 0 : journal_fail(j, rc);
}

static int name_sinks(struct trim *t, const struct table_sql *s, int64_t limit, char *out, size_t size)
{
    sqlite3_stmt *st;
    int rc, err = prepare(t->j, s->sinks, limit, 0, &st);

    if (err)
        return err;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        snprintf(out, size, "%s that %s had not read", s->words, sqlite3_column_text(st, 0) ? (const char *)sqlite3_column_text(st, 0) : "a sink");
    else
        err = journal_fail(t->j, rc);
    sqlite3_finalize(st);
    return err;
}

static int tell_unread(struct trim *t, const struct table_sql *s, int64_t cursor, int64_t limit)
{
    char detail[256] = "";
    sqlite3_stmt *st;
    int rc = SQLITE_DONE, err = name_sinks(t, s, limit, detail, sizeof detail);

    if (!err)
        err = prepare(t->j, s->unread, cursor, limit, &st);
    if (err)
        return err;
    while (!err && (rc = sqlite3_step(st)) == SQLITE_ROW)
        err = put_gap(t, st, detail);
    if (!err && rc != SQLITE_DONE)
        err = journal_fail(t->j, rc);
    sqlite3_finalize(st);
    return err;
}

/* ---- events and facts ---- */

/* Deletes up to limit, never the newest row: ids go on from it. 1: something went; 0; negative. */
static int remove_to(struct trim *t, const struct table_sql *s, int64_t limit)
{
    int64_t newest = 0;
    int n = number(t->j, s->newest, 0, 0, &newest);

    if (n || limit <= 0)
        return n;
    n = change(t->j, s->remove, limit < newest ? limit : newest - 1, 0);
    t->has_removed |= n > 0;
    return n > 0 ? 1 : n;
}

/* What is too old and was read by all. */
static int remove_aged(struct trim *t, const struct table_sql *s)
{
    int64_t limit = 0, cursor = INT64_MAX;
    int err = number(t->j, s->aged, t->rows, t->cutoff_us, &limit);

    if (!err)
        err = number(t->j, s->cursor, 0, 0, &cursor);
    return err ? err : remove_to(t, s, limit < cursor ? limit : cursor);
}

static int remove_oldest(struct trim *t, const struct table_sql *s, bool unread_too)
{
    int64_t limit = 0, cursor = INT64_MAX, newest = 0;
    int err = number(t->j, s->nth, t->rows, 0, &limit);

    if (!err)
        err = number(t->j, s->cursor, 0, 0, &cursor);
    if (!err)
        err = number(t->j, s->newest, 0, 0, &newest);
    if (err)
        return err;
    if (limit >= newest)
        limit = newest - 1;
    if (limit > cursor && !unread_too)
        limit = cursor;
    if (limit > cursor)
        err = tell_unread(t, s, cursor, limit);
    return err ? err : remove_to(t, s, limit);
}

/* The table with the older head first. 1: something went. */
static int remove_for_size(struct trim *t, bool unread_too)
{
    int64_t heads[TABLES] = { INT64_MAX, INT64_MAX };
    int first, n = 0;

    for (int i = 0; i < TABLES && !n; i++)
        n = number(t->j, tables[i].oldest, 0, 0, &heads[i]);
    if (n)
        return n;
    first = heads[FACTS] < heads[EVENTS] ? FACTS : EVENTS;
    n = remove_oldest(t, &tables[first], unread_too);
    return n ? n : remove_oldest(t, &tables[1 - first], unread_too);
}

/* ---- calls ---- */

/* A call goes when it is too old, or when its facts went for the size. */
static int remove_calls(struct trim *t)
{
    static const char legs[] = "DELETE FROM leg WHERE call IN (SELECT key FROM call WHERE started_us < ?1 AND ended_us < ?1 AND outcome <> 'open'"
                               " ORDER BY started_us LIMIT ?2)";
    static const char calls[] = "DELETE FROM call WHERE key IN (SELECT key FROM call WHERE started_us < ?1 AND ended_us < ?1 AND outcome <> 'open'"
                                " ORDER BY started_us LIMIT ?2)";
    static const char gaps[] = "DELETE FROM gap WHERE to_us > 0 AND to_us < ?1";
    int64_t before_us = INT64_MIN;
    int n = number(t->j, tables[FACTS].oldest, 0, 0, &before_us);

    if (n)
        return n;
    if (!t->is_over || before_us < t->cutoff_us)
        before_us = t->cutoff_us;
    n = change(t->j, legs, before_us, t->rows);
    if (n >= 0)
        n = change(t->j, calls, before_us, t->rows);
    t->has_more |= n == t->rows;
    if (n >= 0 && t->cutoff_us != INT64_MIN)
        n = change(t->j, gaps, t->cutoff_us, 0);
    return n < 0 ? n : 0;
}

/* A number that was given back may stand in the map of those at hand. */
static void forget_key(struct journal *j, sqlite3_stmt *st)
{
    const int64_t node = sqlite3_column_int64(st, 0);
    const struct text linkedid = text_make(sqlite3_column_text(st, 1), (size_t)sqlite3_column_bytes(st, 1));

    for (size_t i = 0; i < j->node_count; i++)
        if (j->nodes[i] == node)
            journal_call_forget(j, (uint32_t)i, linkedid);
}

/* Numbers of calls of which nothing is left. Looked for among the oldest only: those behind them have their turn. */
static int remove_keys(struct trim *t)
{
    static const char sql[] =
        "DELETE FROM call_key WHERE id IN (SELECT k.id FROM call_key k WHERE NOT EXISTS(SELECT 1 FROM event e WHERE e.call = k.id)"
        " AND NOT EXISTS(SELECT 1 FROM fact f WHERE f.call = k.id) AND NOT EXISTS(SELECT 1 FROM call c WHERE c.key = k.id)"
        " AND k.id < (SELECT max(id) FROM call_key) AND k.id <= (SELECT max(id) FROM (SELECT id FROM call_key ORDER BY id LIMIT ?1)))"
        " RETURNING node, linkedid";
    sqlite3_stmt *st;
    int rc, err = prepare(t->j, sql, t->rows / KEYS_PART + 1, 0, &st);

    if (err)
        return err;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW)
        forget_key(t->j, st);
    if (rc != SQLITE_DONE)
        err = journal_fail(t->j, rc);
    sqlite3_finalize(st);
    return err;
}

/* ---- one step ---- */

static int measure(struct trim *t)
{
    int err = number(t->j, "PRAGMA page_size", 0, 0, &t->page_bytes);

    if (!err)
        err = number(t->j, "PRAGMA page_count", 0, 0, &t->pages);
    if (!err)
        err = number(t->j, "PRAGMA freelist_count", 0, 0, &t->free_pages);
    t->is_over = t->j->keep_bytes > 0 && (t->pages - t->free_pages) * t->page_bytes > t->j->keep_bytes;
    return err;
}

static int remove_rows(struct trim *t)
{
    int n = 0;

    for (int i = 0; i < TABLES && n >= 0 && t->cutoff_us != INT64_MIN; i++) {
        n = remove_aged(t, &tables[i]);
        t->has_more |= n > 0;
    }
    if (n >= 0 && t->is_over) {
        n = remove_for_size(t, false);
        if (n == 0)
            n = remove_for_size(t, true);
        t->has_more |= n > 0;
    }
    if (n >= 0)
        n = remove_calls(t);
    return n < 0 ? n : t->has_removed ? remove_keys(t) : 0;
}

/* Pages at the end of the file go back to the file system: what is over the limit, or far more than new rows need soon. */
static int vacuum(struct trim *t)
{
    const int64_t limit = t->j->keep_bytes > 0 ? t->j->keep_bytes / t->page_bytes : INT64_MAX;
    int64_t excess = t->free_pages - SLACK_PAGES - t->pages / 4;
    char sql[64];

    if (t->pages > limit && t->pages - limit > excess)
        excess = t->pages - limit;
    if (excess > t->free_pages)
        excess = t->free_pages;
    if (excess <= 0)
        return 0;
    t->has_more |= excess > VACUUM_PAGES;
    snprintf(sql, sizeof sql, "PRAGMA incremental_vacuum(%d)", (int)(excess < VACUUM_PAGES ? excess : VACUUM_PAGES));
    return sqlite3_exec(t->j->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : journal_fail(t->j, sqlite3_errcode(t->j->db));
}

int journal_trim(struct journal *j, int64_t now_us, size_t max_rows)
{
    struct trim t = { .j = j, .rows = max_rows < INT32_MAX ? (int64_t)max_rows : INT32_MAX,
                      .cutoff_us = j->keep_age_us > 0 ? now_us - j->keep_age_us : INT64_MIN };
    int err;

    if (j->keep_age_us <= 0 && j->keep_bytes <= 0)
        return 0;
    err = journal_begin(j);
    if (!err)
        err = measure(&t);
    if (!err)
        err = remove_rows(&t);
    if (!err)
        err = measure(&t);
    t.has_more |= t.is_over && t.has_removed;
    if (!err)
        err = vacuum(&t);
    if (!err)
        err = journal_commit(j);
    if (err) {
        journal_rollback(j);
        return err;
    }
    return t.has_more;
}
