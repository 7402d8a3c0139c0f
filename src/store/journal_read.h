/* What the files of the journal's reader share among themselves: nobody else includes this. */
#pragma once

#include "store/journal_parts.h"

enum journal_read_sql {
    JOURNAL_READ_NAME, JOURNAL_READ_EVENTS, JOURNAL_READ_CALL_EVENTS, JOURNAL_READ_FACTS, JOURNAL_READ_CALL_FACTS, JOURNAL_READ_LAST_EVENT,
    JOURNAL_READ_LAST_FACT, JOURNAL_READ_GAPS, JOURNAL_READ_CURSOR, JOURNAL_READ_CALLS, JOURNAL_READ_COUNT
};

struct journal_reader {
    sqlite3 *db;
    sqlite3_stmt *sql[JOURNAL_READ_COUNT];
    struct journal_text {
        char *p;                   /* NULL: not read yet */
        size_t n;
    } *names;                      /* by number */
    size_t name_count;
};

int journal_prepare(struct journal_reader *r, enum journal_read_sql which, const char *sql, sqlite3_stmt **out) MUST_USE;
int journal_read_end(sqlite3_stmt *st, int rc) MUST_USE;
const char *journal_column(sqlite3_stmt *st, int at); /* "" for none; lives until the next step */
struct text journal_name_of(void *arg, int64_t id);
