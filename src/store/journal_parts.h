/* What the files of the journal share among themselves: nobody else includes this. */
#pragma once

#include <sqlite3.h>
#define HASH_NONFATAL_OOM 1     /* else short memory ends the process */
#include <uthash.h>

#include "store/journal.h"
#include "store/store_parts.h"

enum {
    JOURNAL_NAMES_MAX = 8192,      /* different header names, event names, kinds; hostile ones beyond stand in the row itself */
    JOURNAL_CALLS_CACHED = 65536,  /* numbers of calls kept at hand */
    JOURNAL_RECOVER_US = 10000000, /* a call's row is at most this much behind its facts */
};

extern const struct store_kind journal_kind;

/* A text that has a number in the file. */
struct journal_name {
    UT_hash_handle hh;
    int64_t id;
    uint32_t node;                 /* of a call; 0 of other names */
    uint32_t n;
    char text[];
};

enum journal_sql {
    JOURNAL_BEGIN, JOURNAL_COMMIT, JOURNAL_EVENT, JOURNAL_FACT, JOURNAL_CALL, JOURNAL_LEG, JOURNAL_CALL_GONE, JOURNAL_ALIAS, JOURNAL_NAME,
    JOURNAL_NAME_ADD, JOURNAL_KEY, JOURNAL_KEY_ADD, JOURNAL_SESSION, JOURNAL_SESSION_ADD, JOURNAL_GAP_BEGIN, JOURNAL_GAP_END, JOURNAL_GAP_PART,
    JOURNAL_SEEN, JOURNAL_CURSOR, JOURNAL_SQL_COUNT
};

struct journal {
    sqlite3 *db;
    sqlite3_stmt *sql[JOURNAL_SQL_COUNT];
    int64_t *nodes;                /* number in the file, by index */
    size_t node_count;
    struct journal_name *names, *calls;
    int64_t headers[TAP_HEADERS_END], events[TAP_EVENTS_END]; /* numbers; 0: not asked for yet */
    struct journal_session {
        int64_t session, id;
    } *sessions;                   /* by node: the present one */
    struct buf body, key;
    int64_t keep_age_us, keep_bytes;
    bool keeps_events, is_open;    /* is_open: inside a batch */
    char error[200];
};

/* 0 or an errno; the reason goes to j->error. */
int journal_fail(struct journal *j, int rc);
/* Runs a statement that gives no row, and resets it. */
int journal_step(struct journal *j, enum journal_sql which);

/* journal_names.c */
int journal_name_id(struct journal *j, struct text name, int64_t *id) MUST_USE;      /* 0 in *id: no more room for names */
int journal_kind_id(struct journal *j, const char *kind, int64_t *id) MUST_USE;      /* our own words: there is always room */
int journal_call_id(struct journal *j, uint32_t node, struct text linkedid, int64_t *id) MUST_USE;
int journal_session_id(struct journal *j, uint32_t node, int64_t session, int64_t *id) MUST_USE;
/* Its number was given back. */
void journal_call_forget(struct journal *j, uint32_t node, struct text linkedid);
/* After a rollback: numbers given in the batch are none any more. */
void journal_names_forget(struct journal *j);

/* journal_body.c: an event's headers, all of them in order. */
int journal_body_pack(struct journal *j, const struct tap_event *e) MUST_USE;       /* into j->body */
/* name_of gives the text of a number. 0, -EINVAL (broken), -ENOMEM. */
int journal_body_unpack(struct tap_event **out, enum tap_kind kind, struct text body, struct text (*name_of)(void *arg, int64_t id), void *arg) MUST_USE;

/* journal_recover.c: what an earlier run left open. */
int journal_recover(struct journal *j) MUST_USE;
int journal_forget_sinks(struct journal *j, const char *const *sinks, size_t count) MUST_USE;
