/* One job: import a look-up table from a CSV file, whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/csv.h"
#include "store/store_parts.h"

enum { READ_BYTES = 65536 };

struct import {
    sqlite3 *db;
    sqlite3_stmt *put;
    struct csv csv;
    const char *path, *file;
    struct text table;
    size_t rows;
    bool first_seen;
    char **problem;
};

static int fail_db(struct import *im, int rc)
{
    *im->problem = store_problem("%s: %s", im->path, sqlite3_errmsg(im->db));
    return store_db_errno(rc);
}

static int fail_line(struct import *im, unsigned line, const char *why)
{
    *im->problem = store_problem("%s:%u: %s", im->file, line, why);
    return -EINVAL;
}

static int put_row(struct import *im)
{
    const struct text key = csv_field(&im->csv, 0), value = csv_field(&im->csv, 1);
    const bool is_first = !im->first_seen;
    int rc;

    im->first_seen = true;
    if (is_first && text_eq(key, TEXT("key")) && text_eq(value, TEXT("value")))
        return 0;
    if (key.n == 0)
        return fail_line(im, im->csv.row_line, "expected a key, came an empty one");
    if (key.n > STORE_KEY_MAX)
        return fail_line(im, im->csv.row_line, "the key is too long");
    sqlite3_bind_text(im->put, 1, key.p, (int)key.n, SQLITE_STATIC);
    sqlite3_bind_text(im->put, 2, value.p, (int)value.n, SQLITE_STATIC);
    rc = sqlite3_step(im->put);
    sqlite3_reset(im->put);
    if (rc != SQLITE_DONE)
        return fail_db(im, rc);
    im->rows++;
    return 0;
}

static int fail_csv(struct import *im, int got)
{
    return got == -EINVAL ? fail_line(im, im->csv.line, im->csv.fault) : got;
}

static int put_bytes(struct import *im, struct text in)
{
    int got;

    while ((got = csv_read(&im->csv, &in)) > 0) {
        const int err = put_row(im);

        if (err)
            return err;
    }
    return got ? fail_csv(im, got) : 0;
}

static int put_file(struct import *im, int fd)
{
    char *bytes = malloc(READ_BYTES);
    ssize_t n = 0;
    int err = bytes ? 0 : -ENOMEM;

    while (!err && (n = read(fd, bytes, READ_BYTES)) > 0)
        err = put_bytes(im, text_make(bytes, (size_t)n));
    if (!err && n < 0) {
        err = -errno;
        *im->problem = store_problem("%s: %s", im->file, err_text(err));
    }
    free(bytes);
    if (!err) {
        const int got = csv_end(&im->csv);

        err = got > 0 ? put_row(im) : got ? fail_csv(im, got) : 0;
    }
    return err;
}

static int run(struct import *im, const char *sql)
{
    const int rc = sqlite3_exec(im->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : fail_db(im, rc);
}

/* Into a table of this connection alone: however long the file takes, nobody is locked out. */
static int stage(struct import *im, int fd)
{
    int err = run(im, "CREATE TEMP TABLE staged(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID; BEGIN");
    int rc;

    if (err)
        return err;
    rc = sqlite3_prepare_v2(im->db, "INSERT OR REPLACE INTO temp.staged(key, value) VALUES(?1, ?2)", -1, &im->put, NULL);
    if (rc != SQLITE_OK)
        return fail_db(im, rc);
    err = put_file(im, fd);
    return err ? err : run(im, "COMMIT");
}

/* The only moment that holds the write lock, which a daemon's facts wait for; rows come in key order, so it is short. */
static int publish(struct import *im)
{
    sqlite3_stmt *st = NULL;
    int err = run(im, "BEGIN IMMEDIATE");
    int rc;

    if (err)
        return err;
    rc = sqlite3_prepare_v2(im->db, "INSERT OR REPLACE INTO main.lookup(table_name, key, value) SELECT ?1, key, value FROM temp.staged "
                            "ORDER BY key", -1, &st, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_bind_text(st, 1, im->table.p, (int)im->table.n, SQLITE_STATIC);
        rc = sqlite3_step(st);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    err = rc == SQLITE_OK ? 0 : fail_db(im, rc);
    sqlite3_finalize(st);
    return err ? err : run(im, "COMMIT");
}

static int put_all(struct import *im, int fd)
{
    int err = stage(im, fd);

    if (!err)
        err = publish(im);
    if (!sqlite3_get_autocommit(im->db))
        sqlite3_exec(im->db, "ROLLBACK", NULL, NULL, NULL);
    return err;
}

int store_import_csv(const char *path, const char *table, const char *csv_file, size_t *rows, char **problem)
{
    struct import im = { .path = path, .file = csv_file, .table = text_of(table), .problem = problem };
    int fd, err;

    *problem = NULL;
    if (!store_name_is_good(im.table)) {
        *problem = store_problem("table name: expected [a-z][a-z0-9_]*, at most %d characters, came \"%.60s\"", STORE_NAME_MAX, table);
        return -EINVAL;
    }
    fd = open(csv_file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err = -errno;
        *problem = store_problem("%s: %s", csv_file, err_text(err));
        return err;
    }
    csv_init(&im.csv, STORE_VALUE_MAX);
    err = store_db_open(&im.db, &store_own_kind, path, STORE_MODE_WRITE, problem);
    if (!err) {
        sqlite3_busy_timeout(im.db, STORE_IMPORT_BUSY_MS);
        err = put_all(&im, fd);
    }
    sqlite3_finalize(im.put);
    store_db_close(im.db);
    csv_free(&im.csv);
    close(fd);
    if (!err)
        *rows = im.rows;
    else if (!*problem)
        *problem = store_problem("%s: %s", csv_file, err_text(err));
    return err;
}
