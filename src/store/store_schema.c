/* One job: open a connection to a data base of ours, with its schema brought up to date. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "store/store_parts.h"

enum { APPLICATION_ID = 0x53544f4e }; /* "STON": tells our file from any other SQLite file */

/* Step n brings a data base from user_version n to n + 1. Only ever add at the end. */
static const char *const migrations[] = {
    "CREATE TABLE lookup(table_name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY(table_name, key)) WITHOUT ROWID;"
    "CREATE TABLE fact(id INTEGER PRIMARY KEY, wall_us INTEGER NOT NULL, call TEXT NOT NULL, kind TEXT NOT NULL,"
    " detail TEXT NOT NULL);"
    "CREATE INDEX fact_call ON fact(call);",
    "CREATE TABLE session(id INTEGER PRIMARY KEY AUTOINCREMENT, wall_us INTEGER NOT NULL, us INTEGER NOT NULL, route TEXT NOT NULL,"
    " call TEXT NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL, commands INTEGER NOT NULL, flags INTEGER NOT NULL,"
    " tape BLOB NOT NULL);"
    "CREATE INDEX session_route ON session(route, id);",
};

const struct store_kind store_own_kind = { .application_id = APPLICATION_ID, .migrations = migrations,
                                           .version = sizeof migrations / sizeof *migrations, .before = "" };

char *store_problem(const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    return text_dup(text_of(line));
}

bool store_name_is_good(struct text name)
{
    if (name.n == 0 || name.n > STORE_NAME_MAX || name.p[0] < 'a' || name.p[0] > 'z')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

int store_db_errno(int rc)
{
    switch (rc & 0xff) {
    case SQLITE_OK: return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return -EBUSY;
    case SQLITE_NOMEM: return -ENOMEM;
    case SQLITE_FULL: return -ENOSPC;
    case SQLITE_NOTADB: return -EINVAL;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH: return -EACCES;
    default: return -EIO;
    }
}

int store_db_run(sqlite3_stmt *st)
{
    const int rc = sqlite3_step(st);

    sqlite3_reset(st);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void store_db_close(sqlite3 *db)
{
    sqlite3_close(db);
}

static int number_of(sqlite3 *db, const char *sql, int64_t *out)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW ? SQLITE_OK : rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
}

/* In one transaction: between two of these reads, another process may make the schema (seen, as "not one of ours"). */
static int read_marks(sqlite3 *db, int64_t *id, int64_t *version, int64_t *tables)
{
    int rc = sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = number_of(db, "PRAGMA application_id", id);
    if (rc == SQLITE_OK)
        rc = number_of(db, "PRAGMA user_version", version);
    if (rc == SQLITE_OK)
        rc = number_of(db, "SELECT count(*) FROM sqlite_master", tables);
    if (rc == SQLITE_OK)
        return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* A new file is ours to make; one with content must carry our mark. Returns an errno. */
static int check_owner(sqlite3 *db, const struct store_kind *kind, const char *path, int64_t *version, char **problem)
{
    int64_t id = 0, tables = 0;
    const int rc = read_marks(db, &id, version, &tables);

    if (rc != SQLITE_OK) {
        *problem = store_problem("%s: %s", path, sqlite3_errmsg(db));
        return store_db_errno(rc);
    }
    if (id != kind->application_id && (id != 0 || tables != 0 || *version != 0)) {
        *problem = store_problem("%s: a data base, but not one of sidetone's", path);
        return -EINVAL;
    }
    if (*version > kind->version) {
        *problem = store_problem("%s: written by a newer sidetone (schema %lld, this program knows %d)", path, (long long)*version,
                                 kind->version);
        return -EINVAL;
    }
    return 0;
}

/* Inside the write lock: another process may have come first, so the version is read again. */
static int migrate_locked(sqlite3 *db, const struct store_kind *kind)
{
    int64_t version = 0;
    int rc = number_of(db, "PRAGMA user_version", &version);

    while (rc == SQLITE_OK && version < kind->version) {
        char pragma[96];

        rc = sqlite3_exec(db, kind->migrations[version], NULL, NULL, NULL);
        snprintf(pragma, sizeof pragma, "PRAGMA user_version=%lld; PRAGMA application_id=%d", (long long)++version,
                 kind->application_id);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(db, pragma, NULL, NULL, NULL);
    }
    return rc;
}

static int migrate(sqlite3 *db, const struct store_kind *kind)
{
    int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

    if (rc != SQLITE_OK)
        return rc;
    rc = migrate_locked(db, kind);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* The change to WAL does not ask the busy handler, so two processes that create the file together need this. */
static int set_wal(sqlite3 *db)
{
    int rc = SQLITE_BUSY;

    for (int i = 0; i < STORE_BUSY_MS / 20 && (rc & 0xff) == SQLITE_BUSY; i++) {
        if (i)
            nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000000L }, NULL);
        rc = sqlite3_exec(db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL);
    }
    return rc;
}

static int set_up(sqlite3 *db, const struct store_kind *kind, const char *path, enum store_mode mode, char **problem)
{
    int64_t version = 0;
    int rc, err;

    sqlite3_busy_timeout(db, STORE_BUSY_MS);
    sqlite3_extended_result_codes(db, 1);
    err = check_owner(db, kind, path, &version, problem);
    if (err)
        return err;
    if (mode == STORE_MODE_READ) {
        if (version < kind->version) {
            *problem = store_problem("%s: not brought up to date yet; start the daemon once", path);
            return -EINVAL;
        }
        rc = sqlite3_exec(db, "PRAGMA query_only=1", NULL, NULL, NULL);
    } else {
        /* NORMAL: a killed process loses nothing; a lost power supply may cost the last commits, never the file. */
        rc = version == 0 ? sqlite3_exec(db, kind->before, NULL, NULL, NULL) : SQLITE_OK;
        if (rc == SQLITE_OK)
            rc = set_wal(db);
        if (rc == SQLITE_OK)
            rc = sqlite3_exec(db, "PRAGMA synchronous=NORMAL; PRAGMA journal_size_limit=67108864", NULL, NULL, NULL);
        if (rc == SQLITE_OK && version < kind->version)
            rc = migrate(db, kind);
    }
    if (rc != SQLITE_OK)
        *problem = store_problem("%s: %s", path, sqlite3_errmsg(db));
    return store_db_errno(rc);
}

/* Made here so that others cannot read what callers said; SQLite gives -wal and -shm the same rights. Only a file that was just created
 * may be closed by us: closing any descriptor of an open data base drops the locks of the whole process. */
static void create_private(const char *path)
{
    const int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0640);

    if (fd >= 0)
        close(fd);
}

int store_db_open(sqlite3 **out, const struct store_kind *kind, const char *path, enum store_mode mode, char **problem)
{
    char *why = NULL;
    sqlite3 *db = NULL;
    int err;

    if (mode == STORE_MODE_READ && access(path, F_OK) != 0) {
        err = -errno;
        why = store_problem("%s: %s", path, err_text(err));
        goto fail;
    }
    if (mode == STORE_MODE_WRITE)
        create_private(path);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK) {
        const int sys = db ? sqlite3_system_errno(db) : ENOMEM;

        err = sys ? -sys : -EIO;
        why = store_problem("%s: cannot open: %s", path, err_text(err));
        goto fail;
    }
    err = set_up(db, kind, path, mode, &why);
    if (err)
        goto fail;
    *out = db;
    return 0;
fail:
    store_db_close(db);
    if (problem)
        *problem = why;
    else
        free(why);
    return err;
}
