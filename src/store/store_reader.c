/* One job: read stored facts in order, for tools, while a daemon may be writing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_parts.h"

enum { READ_ALL, READ_CALL, READ_SESSIONS, READ_SESSION, READ_LOOKUP, READ_COUNT };

#define SESSION_COLUMNS "SELECT id, wall_us, us, route, call, status, reason, commands, flags"

static const char *const reader_sql[READ_COUNT] = {
    [READ_ALL] = "SELECT id, wall_us, call, kind, detail FROM fact WHERE id > ?1 ORDER BY id LIMIT ?2",
    [READ_CALL] = "SELECT id, wall_us, call, kind, detail FROM fact WHERE id > ?1 AND call = ?3 ORDER BY id LIMIT ?2",
    [READ_SESSIONS] = SESSION_COLUMNS " FROM session WHERE id > ?1 AND (?3 = '' OR route = ?3) ORDER BY id LIMIT ?2",
    [READ_SESSION] = SESSION_COLUMNS ", tape FROM session WHERE id = ?1",
    [READ_LOOKUP] = "SELECT value FROM lookup WHERE table_name = ?1 AND key = ?2",
};

struct store_reader {
    sqlite3 *db;
    sqlite3_stmt *sql[READ_COUNT];
};

int store_reader_open(struct store_reader **out, const char *path)
{
    struct store_reader *r = calloc(1, sizeof *r);
    int err;

    if (!r)
        return -ENOMEM;
    err = store_db_open(&r->db, &store_own_kind, path, STORE_MODE_READ, NULL);
    for (int i = 0; i < READ_COUNT && !err; i++)
        err = store_db_errno(sqlite3_prepare_v3(r->db, reader_sql[i], -1, SQLITE_PREPARE_PERSISTENT, &r->sql[i], NULL));
    if (err) {
        store_reader_close(r);
        return err;
    }
    *out = r;
    return 0;
}

void store_reader_close(struct store_reader *r)
{
    if (!r)
        return;
    for (int i = 0; i < READ_COUNT; i++)
        sqlite3_finalize(r->sql[i]);
    store_db_close(r->db);
    free(r);
}

static void copy_column(char *out, size_t size, sqlite3_stmt *st, int column)
{
    const void *p = sqlite3_column_text(st, column);

    text_copy(out, size, text_make(p, (size_t)sqlite3_column_bytes(st, column)));
}

/* detail is SQLite's own memory: borrowed, like all of f. */
static int64_t read_row(sqlite3_stmt *st, struct fact *f)
{
    f->wall_us = sqlite3_column_int64(st, 1);
    copy_column(f->call, sizeof f->call, st, 2);
    copy_column(f->kind, sizeof f->kind, st, 3);
    f->detail = (char *)sqlite3_column_text(st, 4);
    return sqlite3_column_int64(st, 0);
}

int store_reader_next(struct store_reader *r, struct text call, int64_t *after, size_t max, store_on_fact *on_fact, void *arg)
{
    sqlite3_stmt *st = r->sql[call.n ? READ_CALL : READ_ALL];
    struct fact f = { 0 };
    int rc, count = 0;

    sqlite3_bind_int64(st, 1, *after);
    sqlite3_bind_int64(st, 2, max < INT32_MAX ? (int64_t)max : INT32_MAX);
    if (call.n)
        sqlite3_bind_text(st, 3, call.p, (int)call.n, SQLITE_STATIC);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        const int64_t id = read_row(st, &f);

        if (!f.detail) {
            rc = SQLITE_NOMEM;
            break;
        }
        count++;
        *after = id;
        on_fact(id, &f, arg);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc == SQLITE_DONE ? count : store_db_errno(rc);
}

/* ---- recordings ---- */

static int read_sessions(sqlite3_stmt *st, bool whole, int64_t *after, store_on_session *on_session, void *arg)
{
    struct recording r = { 0 };
    int rc, count = 0;

    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        const int64_t flags = sqlite3_column_int64(st, 8);

        *after = sqlite3_column_int64(st, 0);
        r.wall_us = sqlite3_column_int64(st, 1);
        r.us = sqlite3_column_int64(st, 2);
        copy_column(r.route, sizeof r.route, st, 3);
        copy_column(r.call, sizeof r.call, st, 4);
        copy_column(r.status, sizeof r.status, st, 5);
        copy_column(r.reason, sizeof r.reason, st, 6);
        r.commands = (unsigned)sqlite3_column_int64(st, 7);
        r.is_masked = flags & STORE_SESSION_MASKED;
        r.is_cut = flags & STORE_SESSION_CUT;
        if (whole) {
            r.bytes = (char *)(uintptr_t)sqlite3_column_blob(st, 9);
            r.n = (size_t)sqlite3_column_bytes(st, 9);
        }
        count++;
        on_session(*after, &r, arg);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return rc == SQLITE_DONE ? count : store_db_errno(rc);
}

int store_reader_sessions(struct store_reader *r, struct text route, int64_t *after, size_t max, store_on_session *on_session, void *arg)
{
    sqlite3_stmt *st = r->sql[READ_SESSIONS];

    sqlite3_bind_int64(st, 1, *after);
    sqlite3_bind_int64(st, 2, max < INT32_MAX ? (int64_t)max : INT32_MAX);
    sqlite3_bind_text(st, 3, route.p ? route.p : "", (int)route.n, SQLITE_STATIC);
    return read_sessions(st, false, after, on_session, arg);
}

int store_reader_session(struct store_reader *r, int64_t id, store_on_session *on_session, void *arg)
{
    sqlite3_bind_int64(r->sql[READ_SESSION], 1, id);
    return read_sessions(r->sql[READ_SESSION], true, &id, on_session, arg);
}

int store_reader_lookup(struct store_reader *r, struct text table, struct text key, char **value, size_t *n)
{
    sqlite3_stmt *st = r->sql[READ_LOOKUP];
    int rc, found = 0;

    sqlite3_bind_text(st, 1, table.p, (int)table.n, SQLITE_STATIC);
    sqlite3_bind_text(st, 2, key.p, (int)key.n, SQLITE_STATIC);
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW) {
        const void *p = sqlite3_column_text(st, 0);

        *n = (size_t)sqlite3_column_bytes(st, 0);
        *value = text_dup(text_make(p, *n));
        found = *value ? 1 : -ENOMEM;
    } else if (rc != SQLITE_DONE) {
        found = store_db_errno(rc);
    }
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    return found;
}
