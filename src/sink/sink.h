/* Where facts and events go beside the journal: one thread a sink reads the journal behind its own durable cursor, so a sink may be down for a day.
 * Delivery is at least once, with the key (node, session, seq, n) that lets the other side make it exactly once. */
#pragma once

#include "base/log.h"
#include "store/journal.h"

struct sink;
struct sink_patience;

enum sink_carries { SINK_FACTS = 1, SINK_EVENTS = 2 };

/* One row to deliver. is_event: detail is the event as a JSON object of its headers, kind its name. */
struct sink_row {
    int64_t id;
    bool is_event;
    const char *node, *kind, *call, *detail;
    int64_t session, at_us;
    uint64_t seq;
    uint32_t n;
};

/* Configured values, as text; secrets resolved. NULL: not given. */
struct sink_settings {
    const char *name;
    const char *url, *user, *secret;
    const char *file;           /* jsonl */
    int64_t rotate_bytes;       /* jsonl */
    const char *subject, *stream; /* nats */
    const char *template_text;  /* webhook: body with {{field}}; NULL: the fact as JSON */
    const char *hmac_secret;    /* webhook */
    const char *table_prefix;   /* postgres */
    const char *ca;
    bool is_insecure;
    int64_t deadline_ms;        /* 0 = 10,000 */
    const struct sink_patience *patience;   /* set by sink_open: a sink that closes ends every wait of its driver. NULL: the deadline alone */
};

/* A kind of sink; one file each. All of it runs on the sink's own thread and may block, but never longer than its deadline (ms). */
struct sink_driver {
    const char *name;           /* "postgres" "nats" "jsonl" "webhook" "kafka" */
    /* Checks the settings and takes what it needs of this machine; reaches no server: deliver connects. set outlives the driver. */
    int (*open)(void **out, const struct sink_settings *set, const struct log *log, char **problem);
    /* All of the rows or, negative, nothing that must not be repeated; *why one line (200 bytes). -EAGAIN: not now, try the same again later (back-off).
     * -EBADMSG: row *bad can never be delivered: it goes to the dead-letter list, the rest is tried again. */
    int (*deliver)(void *self, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size);
    void (*close)(void *self);
    size_t batch_max;           /* rows at a time: 0 = as the sink is told */
    int64_t (*pause_ms)(void *self);    /* after -EAGAIN: how long the other side wishes to be left alone; 0: it did not say. NULL: never says */
};

struct sink_options {
    const struct sink_driver *driver;
    struct sink_settings settings;
    const char *journal_path;
    unsigned carries;                   /* enum sink_carries */
    const char *const *kinds;           /* facts or events of these kinds only ("queue.*" = all that begin so); count 0: all */
    size_t kind_count;
    size_t batch_max;                   /* rows: 0 = 1,000 */
    int64_t retry_min_ms, retry_max_ms; /* 0 = 500 and 60,000, with jitter */
    const char *dead_letter_file;       /* JSON lines; NULL: beside the journal */
    /* The cursor moves: make it durable (tap_writer_cursor). Sink's thread. */
    void (*on_cursor)(const char *sink, int64_t fact_id, int64_t event_id, void *arg);
    void *arg;
    const struct log *log;
};

struct sink_figures {                   /* any thread */
    uint64_t delivered, retries, dead;
    uint64_t queue_depth;               /* rows of the journal behind the cursor */
    bool is_failing;
    int64_t lag_us;                     /* age of the oldest row not yet delivered */
    char last_problem[200];
};

int sink_open(struct sink **out, const struct sink_options *opt, char **problem) MUST_USE;
void sink_wake(struct sink *s);         /* a batch was committed. Any thread */
/* Delivers for at most linger_ms more, joins. NULL passes. */
void sink_close(struct sink *s, int64_t linger_ms);
void sink_figures_of(struct sink *s, struct sink_figures *out);
/* Where the dead letters are when dead_letter_file is NULL; malloc'ed, NULL when memory is short. */
char *sink_dead_path(const char *journal_path, const char *name);
const struct sink_driver *sink_driver_named(const char *name);  /* NULL: unknown, or not built in */

/* ---- sink_retry.c: dead letters once more, in the caller's thread, also beside a daemon that adds to the same list ---- */

struct sink_retried {
    uint64_t read, delivered, refused;      /* rows; refused again, or unreadable: they stay in the list */
    uint64_t left;                          /* not tried any more, because the other side could not be reached: they stay, too */
    char why[200];                          /* the last thing that went wrong; "" */
};
struct sink_retry_options {
    const struct sink_driver *driver;
    struct sink_settings settings;
    const char *dead_letter_file;
    const struct log *log;
};
/* 0 also when rows were refused or left. -ENOENT: there is no list; -EBUSY: another retry is at it; other: the list is as it was.
 * Killed half-way, the list is as it was and what was delivered comes again with the same key. */
int sink_retry(const struct sink_retry_options *opt, struct sink_retried *out, char **problem) MUST_USE;
