/* What the files of the store share among themselves: nobody else includes this. */
#pragma once

#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdint.h>

#include "store/store.h"

enum {
    STORE_BATCH = 1000,          /* facts a transaction, at most */
    STORE_BATCH_MS = 50,         /* a fact waits no longer than this for its batch */
    STORE_BUSY_MS = 2000,        /* how long SQLite waits for another process's lock before it says SQLITE_BUSY */
    STORE_IMPORT_BUSY_MS = 30000, /* a tool's patience: the daemon's batches are short, another import is not */
    STORE_CLOSE_MS = 5000,       /* how long closing tries on against a lock, or a loop that takes no posts */
};

/* A sleeping thread and those who wake it. Ringing never blocks; a bell that nobody waits for costs one atomic read-modify-write. */
struct store_bell {
    sem_t sem;
    atomic_size_t wake_at;       /* queue depth that wakes the sleeper; 0: it is awake */
};

int store_bell_init(struct store_bell *b) MUST_USE;
void store_bell_free(struct store_bell *b);
/* After a push, with the queue's depth. Any thread. */
void store_bell_ring(struct store_bell *b, size_t depth);
/* Sleeps until `depth_now(arg)` reaches at_least, stop is set, or ms have passed. */
void store_bell_wait(struct store_bell *b, size_t at_least, int64_t ms, size_t (*depth_now)(void *arg), void *arg,
                     const atomic_bool *stop);
/* Wakes it whatever the depth: after stop was set. */
void store_bell_stop(struct store_bell *b);

enum store_mode { STORE_MODE_WRITE, STORE_MODE_READ };

/* What marks a file as ours, and how its schema came about: step n brings it from user_version n to n + 1. before: for a new file, ahead
 * of everything (what later cannot be changed). */
struct store_kind {
    int application_id, version;
    const char *const *migrations, *before;
};
extern const struct store_kind store_own_kind;      /* sidetone.db */

/* A connection of ours: WAL, busy timeout, application id checked, schema brought up to date (STORE_MODE_WRITE).
 * -ENOENT: no such file (STORE_MODE_READ); -EINVAL: not ours, or newer than this program; *problem may be NULL. */
int store_db_open(sqlite3 **out, const struct store_kind *kind, const char *path, enum store_mode mode, char **problem) MUST_USE;
void store_db_close(sqlite3 *db);
/* Errno for SQLite's primary result code. */
int store_db_errno(int rc);
/* Steps a prepared statement that gives no rows, and resets it. SQLITE_OK, or what went wrong. */
int store_db_run(sqlite3_stmt *st);
/* One malloc'ed line; NULL when memory is short. */
char *store_problem(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* [a-z][a-z0-9_]*, at most STORE_NAME_MAX. */
bool store_name_is_good(struct text name);

enum { STORE_SESSION_MASKED = 1, STORE_SESSION_CUT = 2 }; /* flags of the session table */

struct store_sessions;

/* Recordings on their way to the table, for the writer's thread. open prepares its statements on db, which outlives it. */
int store_sessions_open(struct store_sessions **out, sqlite3 *db, const char *path, const struct log *log, struct store_bell *bell) MUST_USE;
size_t store_sessions_waiting(const struct store_sessions *s);
/* Writes up to a batch. -EBUSY: nothing was lost, try again; any other error: the batch is dropped and counted. Writer only. */
int store_sessions_write(struct store_sessions *s) MUST_USE;
/* Gives up what waits. Writer only. */
void store_sessions_drop(struct store_sessions *s);
void store_sessions_counts(const struct store_sessions *s, uint64_t *written, uint64_t *dropped);
const struct recording_sink *store_sessions_sink(const struct store_sessions *s);
void store_sessions_close(struct store_sessions *s);
/* Rows on their way to the writer's thread. */
struct store_puts;

int store_puts_new(struct store_puts **out, const struct log *log) MUST_USE;
void store_puts_free(struct store_puts *p); /* NULL passes */
size_t store_puts_waiting(const struct store_puts *p);
int store_puts_add(struct store_puts *p, struct loop *l, struct text table, struct text key, struct text value, store_on_put *on_put,
                   void *arg) MUST_USE;
/* Writer's thread: all that wait. */
void store_puts_write(struct store_puts *p, sqlite3 *db, const atomic_bool *stop);

struct store_lookups;

int store_lookups_open(struct store_lookups **out, const char *path, const struct log *log, char **problem) MUST_USE;
/* Answers what waits, joins the thread. NULL passes. */
void store_lookups_close(struct store_lookups *l);
int store_lookups_get(struct store_lookups *l, struct loop *loop, struct text table, struct text key, store_on_value *on_value,
                      void *arg) MUST_USE;
