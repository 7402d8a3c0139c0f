/* One job: read stored facts in order, for tools, while a daemon may be writing. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/store_parts.h"

enum { READ_ALL, READ_CALL, READ_COUNT };

static const char *const reader_sql[READ_COUNT] = {
    [READ_ALL] = "SELECT id, wall_us, call, kind, detail FROM fact WHERE id > ?1 ORDER BY id LIMIT ?2",
    [READ_CALL] = "SELECT id, wall_us, call, kind, detail FROM fact WHERE id > ?1 AND call = ?3 ORDER BY id LIMIT ?2",
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
    err = store_db_open(&r->db, path, STORE_MODE_READ, NULL);
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
