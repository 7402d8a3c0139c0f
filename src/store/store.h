/* The embedded store (SQLite, WAL): look-up tables that handlers read, and the timeline of every call.
 * One writer thread takes facts in batches of 1,000 or 50 ms; look-ups have their own thread and connection. */
#pragma once

#include "call/recording.h"
#include "call/timeline.h"
#include "net/loop.h"

struct store;

enum { STORE_FACTS_MAX = 65536, STORE_LOOKUPS_MAX = 4096, STORE_NAME_MAX = 48 };
enum { STORE_KEY_MAX = 512, STORE_VALUE_MAX = 65536 }; /* bytes */

/* Opens or creates path, migrates the schema, starts the threads. -EINVAL: not a data base of ours; *problem: one line, malloc'ed. */
int store_open(struct store **out, const char *path, const struct log *log, char **problem) MUST_USE;
/* Writes what waits, answers what was asked, joins the threads; nobody publishes or asks any more. Every loop that asked still exists.
 * Blocks: up to 5 s when another process holds the lock, or when a loop takes no posts. NULL passes. */
void store_close(struct store *s);

/* Any loop. on_value runs once, on that loop, never from inside. value TEXT_NONE: no such row. Table names: [a-z][a-z0-9_]*, at most
 * STORE_NAME_MAX. 0, -EINVAL, -ENOMEM, -ENOBUFS when STORE_LOOKUPS_MAX wait. A key over STORE_KEY_MAX is a key without a row. */
typedef void store_on_value(int err, struct text value, void *arg);
int store_get(struct store *s, struct loop *l, struct text table, struct text key, store_on_value *on_value, void *arg) MUST_USE;

/* Writes or replaces one row. on_put runs once, on that loop, never from inside: err 0 when it is committed, -EBUSY when another
 * process kept the lock, -ENOSPC, -EIO... 0, -EINVAL, -EMSGSIZE (key or value too long), -ENOMEM, -ENOBUFS when STORE_LOOKUPS_MAX wait. */
typedef void store_on_put(int err, void *arg);
int store_put(struct store *s, struct loop *l, struct text table, struct text key, struct text value, store_on_put *on_put,
              void *arg) MUST_USE;

/* A timeline that lands here. Lives as long as the store. A full queue drops the fact and counts it. */
const struct timeline *store_timeline(struct store *s);
/* Recordings land here, on the same thread. At most STORE_SESSIONS_MAX and STORE_SESSIONS_BYTES wait; more are dropped and counted. */
enum { STORE_SESSIONS_MAX = 4096, STORE_SESSIONS_BYTES = 64 << 20 };
const struct recording_sink *store_recordings(struct store *s);
uint64_t store_sessions_written(const struct store *s);
uint64_t store_sessions_dropped(const struct store *s);
uint64_t store_facts_written(const struct store *s);
uint64_t store_facts_dropped(const struct store *s);

/* For tools, on a file that a daemon may have open (WAL): blocking. CSV of two columns, key and value (RFC 4180 quotes; a first
 * line "key,value" is skipped); replaces equal keys, in one transaction. On a bad line nothing is imported and *problem says file:line. */
int store_import_csv(const char *path, const char *table, const char *csv_file, size_t *rows, char **problem) MUST_USE;

/* Reads facts with id > *after in order (call "" = all), at most max; *after moves on. f is borrowed for the call. Blocking.
 * store_reader_next: how many were read (0: none yet), or negative. The file must exist (-ENOENT) and be ours (-EINVAL). */
typedef void store_on_fact(int64_t id, const struct fact *f, void *arg);
struct store_reader;
int store_reader_open(struct store_reader **out, const char *path) MUST_USE;
int store_reader_next(struct store_reader *r, struct text call, int64_t *after, size_t max, store_on_fact *on_fact, void *arg) MUST_USE;
void store_reader_close(struct store_reader *r);

/* Recorded sessions, oldest first: those of a route (TEXT_NONE or "" = all) with id > *after. r is borrowed for the call, with its
 * bytes only in store_reader_session. Both return how many were read, or negative. */
typedef void store_on_session(int64_t id, const struct recording *r, void *arg);
int store_reader_sessions(struct store_reader *r, struct text route, int64_t *after, size_t max, store_on_session *on_session,
                          void *arg) MUST_USE;
int store_reader_session(struct store_reader *r, int64_t id, store_on_session *on_session, void *arg) MUST_USE;
/* One look-up, at once: 1 and the value in *value (malloc'ed), 0: no such row, or negative. */
int store_reader_lookup(struct store_reader *r, struct text table, struct text key, char **value, size_t *n) MUST_USE;
