/* What the files of the sinks share among themselves: nobody else includes this. */
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "base/buf.h"
#include "sink/sink.h"

enum {
    SINK_BATCH = 1000,              /* rows a delivery, unless told otherwise */
    SINK_BATCH_BYTES = 8 << 20,     /* of one batch's text; a single row may be as large as this */
    SINK_ROW_BYTES = 4 << 20,       /* of one row as JSON */
    SINK_SLICE_MS = 50,             /* a driver that waits looks so often whether it shall stop */
    SINK_WHY = 200,
    SINK_DEADLINE_MS = 10000,
};

/* ---- patience: how long a driver may wait (monotonic microseconds; INT64_MAX: no end yet) ---- */

struct sink_patience {
    atomic_int_fast64_t end_us;
};

int64_t sink_deadline_us(const struct sink_settings *set);  /* of a wait that begins now */
/* Milliseconds for one slice of a wait, 1..SINK_SLICE_MS; 0: it is over. */
int sink_slice_ms(const struct sink_patience *p, int64_t deadline_us);

/* ---- sink_row.c: a row as JSON; errors stick in the buffer ---- */

/* The events' headers as one object; a header that comes again turns into an array of its values. */
int sink_event_json(struct buf *out, const struct tap_event *e);
/* {"key":..,"id":..,"type":"fact","node":..,"session":..,"seq":..,"n":..,"at":"..Z","at_us":..,"kind":..,"call":..,"detail":{..}}, one line, without its end. */
int sink_row_json(struct buf *out, const struct sink_row *row);
/* "node/session/seq/n", of an event "node/session/seq/e": the key as one word of URL characters. */
int sink_row_key(struct buf *out, const struct sink_row *row);
/* t with U+FFFD for every byte that is no UTF-8. */
int sink_utf8(struct buf *out, struct text t);
/* A JSON object as one line of UTF-8: line ends and other control bytes, which have no place in one, become blanks; what is no object becomes {}. */
int sink_detail_json(struct buf *out, const char *detail);

/* ---- sink_batch.c: rows of the journal, copied ---- */

struct sink_batch {
    struct arena *arena;
    struct buf scratch;             /* an event's JSON while it is made */
    struct sink_row *rows;          /* room for max */
    size_t count, max;
    bool is_full;                   /* no more room for text: what follows is left for the next batch */
    int err;
    bool is_events;
    int64_t after;                  /* the journal was read up to this id */
    const char *const *kinds;
    size_t kind_count;
};

int sink_batch_new(struct sink_batch *b, size_t max, const char *const *kinds, size_t kind_count) MUST_USE;
void sink_batch_free(struct sink_batch *b);
/* Rows with id > after that are wanted. How many rows of the journal were passed (wanted or not), or negative. */
int sink_batch_read(struct sink_batch *b, struct journal_reader *r, bool is_events, int64_t after) MUST_USE;
void sink_batch_drop(struct sink_batch *b, size_t i);   /* one row leaves, the others keep their order */
bool sink_kind_wanted(const char *kind, const char *const *kinds, size_t count);

/* ---- sink_dead.c: the list of rows that could not be delivered ---- */

enum {
    SINK_DEAD_BYTES = 256 << 20,            /* ceiling of the list; beyond, the sink stops rather than lose a row */
    SINK_DEAD_LINE_BYTES = SINK_ROW_BYTES * 2,
};
/* One line of the list with its end: the row, the sink, when and why. */
int sink_dead_line(struct buf *out, const char *sink, const struct sink_row *row, const char *why, int64_t now_us);
/* Appends and makes it durable. 0, -ENOSPC, -EFBIG (the ceiling), -EIO... Holds the file's lock meanwhile. */
int sink_dead_add(const char *path, const char *sink, const struct sink_row *row, const char *why, int64_t now_us) MUST_USE;

/* ---- sink_seen.c: keys that are there already ---- */

struct sink_seen {
    struct sink_key *keys;
    size_t count, cap, next;
    bool is_sorted;
};
enum { SINK_SEEN_MAX = 65536 };

void sink_seen_free(struct sink_seen *s);
/* From a row's JSON line, or from its key as one word; other text is passed over, the last SINK_SEEN_MAX stay. 0 or -ENOMEM. */
int sink_seen_add_line(struct sink_seen *s, struct text line) MUST_USE;
int sink_seen_add_key(struct sink_seen *s, struct text key) MUST_USE;
bool sink_seen_has(struct sink_seen *s, const struct sink_row *row);

/* ---- sink_text.c: one line that may be shown ---- */

/* Stars instead of every secret of the settings, as it is and percent-encoded, blanks instead of control bytes. */
void sink_why_clean(char *why, const struct sink_settings *set);
/* asprintf for *problem; NULL when memory is short. */
char *sink_problem(const char *fmt, ...) PRINTF_LIKE(1, 2);

extern const struct sink_driver sink_jsonl, sink_kafka /* only with -Dkafka=true */, sink_nats, sink_postgres, sink_webhook;
