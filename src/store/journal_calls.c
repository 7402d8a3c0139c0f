/* Reads calls back, by time, queue, number, node or id. */
#include <errno.h>

#include "store/journal_read.h"

enum { CALLS_MAX = 100 };

/* Absent filters are NULL and pass. */
static const char sql_calls[] =
    "WITH one AS (SELECT coalesce(now, id) AS k FROM call_key WHERE linkedid = ?6 UNION SELECT coalesce(c.now, c.id) FROM leg l JOIN call_key c"
    " ON c.id = l.call WHERE l.uniqueid = ?6)"
    "SELECT n.name, c.id, c.was, c.started_us, c.answered_us, c.ended_us, c.outcome, c.caller, c.caller_name, c.dialled, c.context, c.answered_by,"
    " c.ring_us, c.talk_us, c.hold_us, c.queue_us, c.queue, c.queue_outcome, c.agent, c.cause, c.cause_text, c.application, c.transfers, c.recordings,"
    " c.agi_visits, c.stasis_visits, c.dtmf, c.partial, c.suspect, c.details FROM call c JOIN node n ON n.id = c.node"
    " WHERE (?1 = 0 OR c.started_us >= ?1) AND (?2 = 0 OR c.started_us < ?2) AND (?3 IS NULL OR c.queue = ?3)"
    " AND (?4 IS NULL OR c.caller = ?4 OR c.dialled = ?4 OR EXISTS(SELECT 1 FROM leg l WHERE l.call = c.key AND l.number = ?4))"
    " AND (?5 IS NULL OR n.name = ?5) AND (?6 IS NULL OR c.key IN one) AND (?7 = 0 OR c.outcome = 'open')"
    " ORDER BY c.started_us DESC LIMIT ?8";

static void copy(char *to, size_t size, sqlite3_stmt *st, int at)
{
    text_copy(to, size, text_of(journal_column(st, at)));
}

static void read_row(struct journal_call *c, sqlite3_stmt *st)
{
    struct call_record *r = &c->record;
    unsigned *const counts[] = { &r->transfers, &r->recordings, &r->agi_visits, &r->stasis_visits, &r->dtmf };

    *c = (struct journal_call){ .node = journal_column(st, 0), .outcome = journal_column(st, 6), .queue_outcome = journal_column(st, 17) };
    copy(r->id, sizeof r->id, st, 1);
    copy(r->was, sizeof r->was, st, 2);
    r->started_us = sqlite3_column_int64(st, 3);
    r->answered_us = sqlite3_column_int64(st, 4);
    r->ended_us = sqlite3_column_int64(st, 5);
    copy(r->caller, sizeof r->caller, st, 7);
    copy(r->caller_name, sizeof r->caller_name, st, 8);
    copy(r->dialled, sizeof r->dialled, st, 9);
    copy(r->context, sizeof r->context, st, 10);
    copy(r->answered_by, sizeof r->answered_by, st, 11);
    r->ring_us = sqlite3_column_int64(st, 12);
    r->talk_us = sqlite3_column_int64(st, 13);
    r->hold_us = sqlite3_column_int64(st, 14);
    r->queue_us = sqlite3_column_int64(st, 15);
    copy(r->queue, sizeof r->queue, st, 16);
    copy(r->agent, sizeof r->agent, st, 18);
    r->cause = sqlite3_column_int(st, 19);
    copy(r->cause_text, sizeof r->cause_text, st, 20);
    copy(r->application, sizeof r->application, st, 21);
    for (int i = 0; i < 5; i++)
        *counts[i] = (unsigned)sqlite3_column_int(st, 22 + i);
    r->is_partial = sqlite3_column_int(st, 27) != 0;
    r->is_suspect = sqlite3_column_int(st, 28) != 0;
    r->details = journal_column(st, 29);
}

static void bind_text(sqlite3_stmt *st, int at, struct text t)
{
    if (t.p)
        sqlite3_bind_text(st, at, t.p, (int)t.n, SQLITE_STATIC);
    else
        sqlite3_bind_null(st, at);
}

int journal_read_calls(struct journal_reader *r, const struct journal_query *q, journal_on_call *on, void *arg)
{
    sqlite3_stmt *st;
    struct journal_call c;
    int rc, count = 0;
    const int err = journal_prepare(r, JOURNAL_READ_CALLS, sql_calls, &st);

    if (err)
        return err;
    sqlite3_bind_int64(st, 1, q->since_us);
    sqlite3_bind_int64(st, 2, q->until_us);
    bind_text(st, 3, q->queue);
    bind_text(st, 4, q->number);
    bind_text(st, 5, q->node);
    bind_text(st, 6, q->id);
    sqlite3_bind_int(st, 7, q->only_open);
    sqlite3_bind_int64(st, 8, q->max ? (int64_t)q->max : CALLS_MAX);
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        read_row(&c, st);
        on(&c, arg);
        count++;
    }
    rc = journal_read_end(st, rc);
    return rc ? rc : count;
}
