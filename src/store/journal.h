/* What the tap saw, kept: events, facts, calls, gaps and the sinks' cursors in one SQLite file (WAL), beside the daemon's own store.
 * One writer (a thread owns it), any number of readers, also of other processes. All of a batch or nothing. Blocking: never on a loop. */
#pragma once

#include "tap/event.h"
#include "tap/facts.h"

struct sqlite3;
struct journal;

struct journal_options {
    const char *const *nodes;   /* names, by index */
    size_t node_count;
    int64_t keep_age_us;        /* 0: for ever */
    int64_t keep_bytes;         /* of the file: 0: no limit */
    bool keeps_events;          /* false: facts, calls and gaps only */
    const char *const *sinks;   /* names of those that are configured: cursors of others are forgotten, or nothing would be deleted any more */
    size_t sink_count;          /* with sinks NULL: all cursors stay */
};

struct journal_gap {
    uint32_t node;
    int64_t from_us, to_us;     /* to 0: still open */
    const char *cause;          /* TAP_CAUSE_* */
    const char *detail;         /* words; may be "" */
    uint64_t events_lost;       /* 0: nobody knows */
    uint64_t calls_affected;
};

/* Opens or creates, migrates. Calls that an earlier run left open are closed as unobserved, and per node a gap with cause "restart" is begun at its
 * last stored event (none for a new file). -EINVAL: not ours; *problem one line, malloc'ed. */
int journal_open(struct journal **out, const char *path, const struct journal_options *opt, char **problem) MUST_USE;
void journal_close(struct journal *j);          /* NULL passes */

/* One batch: begin, adds, commit. A failed add spoils the batch: roll back, and give the same again. 0, -EBUSY, -ENOSPC, -EIO, -ENOMEM. */
int journal_begin(struct journal *j) MUST_USE;
int journal_add_event(struct journal *j, const struct tap_event *e) MUST_USE;   /* notes are left out */
int journal_add_fact(struct journal *j, const struct call_fact *f) MUST_USE;
int journal_put_call(struct journal *j, const struct call_record *c) MUST_USE;  /* by (node, id); a record whose was is set replaces that one, too */
int journal_gap_begin(struct journal *j, const struct journal_gap *g) MUST_USE; /* one open gap a node: a second begin keeps the earlier from */
int journal_gap_end(struct journal *j, uint32_t node, int64_t to_us, uint64_t calls_affected) MUST_USE;
/* We watch this node, and everything that it sent until then is in this batch or before. What a gap after a kill begins with. */
int journal_seen(struct journal *j, uint32_t node, int64_t at_us) MUST_USE;
int journal_put_cursor(struct journal *j, const char *sink, int64_t fact_id, int64_t event_id) MUST_USE;
int journal_commit(struct journal *j) MUST_USE;
void journal_rollback(struct journal *j);
const char *journal_error(const struct journal *j);     /* of the last failure */
/* Between batches: deletes what is over age or size, oldest first, in small steps (at most max_rows); never past a sink's cursor, unless keep_bytes
 * cannot be met otherwise: then a gap with cause "retention" is written. 1: there is more to do; 0; negative. */
int journal_trim(struct journal *j, int64_t now_us, size_t max_rows) MUST_USE;

/* ---- reading ---- */

struct journal_reader;
int journal_reader_open(struct journal_reader **out, const char *path) MUST_USE;        /* -ENOENT, -EINVAL: not ours */
void journal_reader_close(struct journal_reader *r);

/* Borrowed during the call back. */
struct journal_event {
    int64_t id;
    const char *node;
    const struct tap_event *event;      /* node is 0 in it */
    int64_t stored_us;
};
struct journal_fact {
    int64_t id;
    const char *node, *kind, *call, *detail;
    int64_t session, at_us;
    uint64_t seq;
    uint32_t n;
};
typedef void journal_on_event(const struct journal_event *e, void *arg);
typedef void journal_on_fact(const struct journal_fact *f, void *arg);
/* Rows with id > *after, in order, at most max; *after moves on. How many, or negative. call: only that call's (TEXT_NONE: all). */
int journal_read_events(struct journal_reader *r, struct text call, int64_t *after, size_t max, journal_on_event *on, void *arg) MUST_USE;
int journal_read_facts(struct journal_reader *r, struct text call, int64_t *after, size_t max, journal_on_fact *on, void *arg) MUST_USE;
int64_t journal_last_event(struct journal_reader *r);
int64_t journal_last_fact(struct journal_reader *r);

struct journal_call {
    const char *node, *outcome, *queue_outcome;         /* words */
    struct call_record record;                          /* legs NULL: they are in details */
};
struct journal_query {
    int64_t since_us, until_us;         /* of the start; 0: open */
    struct text queue, number, node, id; /* TEXT_NONE: any. number: caller, dialled or a leg's; id: Linkedid now or before, or a leg's Uniqueid */
    bool only_open;
    size_t max;                         /* newest first; 0 = 100 */
};
typedef void journal_on_call(const struct journal_call *c, void *arg);
int journal_read_calls(struct journal_reader *r, const struct journal_query *q, journal_on_call *on, void *arg) MUST_USE;
struct journal_gap_row {
    const char *node, *cause, *detail;
    int64_t id, from_us, to_us;
    uint64_t events_lost, calls_affected;
};
int journal_read_gaps(struct journal_reader *r, int64_t since_us, void (*on)(const struct journal_gap_row *g, void *arg), void *arg) MUST_USE;
int journal_read_cursor(struct journal_reader *r, const char *sink, int64_t *fact_id, int64_t *event_id) MUST_USE; /* 1, 0: never seen */
