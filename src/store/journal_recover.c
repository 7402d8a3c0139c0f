/* Closes what an earlier run left open: calls end as unobserved, and a gap begins where its watching ended. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "store/journal_parts.h"

/* A call whose first fact was stored, but whose row was not yet: rows come behind facts by JOURNAL_RECOVER_US at most. */
static const char recover_rows[] =
    "INSERT OR IGNORE INTO call SELECT f.call, f.node, k.linkedid, '', f.at_us, 0, 0, 'open', '', '', '', '', '', 0, 0, 0, 0, '', '', '', -1, '', '',"
    " 0, 0, 0, 0, 0, 1, 0, '{}' FROM fact f JOIN call_key k ON k.id = f.call"
    " WHERE f.node = ?1 AND f.call IS NOT NULL AND k.now IS NULL AND f.kind = (SELECT id FROM name WHERE text = CAST('call.started' AS BLOB))"
    " AND f.at_us > ?2 AND f.id > (SELECT coalesce(max(id), 0) - 200000 FROM fact)"
    " AND NOT EXISTS(SELECT 1 FROM fact e WHERE e.call = f.call AND e.kind = (SELECT id FROM name WHERE text = CAST('call.ended' AS BLOB)))";

static const char close_calls[] =
    "UPDATE call SET outcome = 'unobserved', partial = 1, ended_us = max(started_us, ?2), queue_outcome = CASE queue_outcome WHEN 'waiting' THEN '' ELSE"
    " queue_outcome END WHERE outcome = 'open' AND node = ?1";

static const char close_legs[] = "UPDATE leg SET ended_us = max(started_us, ?2) WHERE ended_us = 0 AND call IN (SELECT key FROM call WHERE outcome = 'open' AND node = ?1)";

/* Where watching ended: the last time the writer said so, or the last event, if it is not far from the end: the writer says so with each batch. */
static const char last_seen[] =
    "SELECT max(n.seen_us, coalesce((SELECT e.at_us FROM event e JOIN session s ON s.id = e.session WHERE s.node = n.id"
    " AND e.id > (SELECT max(id) - 100000 FROM event) ORDER BY e.id DESC LIMIT 1), n.seen_us)) FROM node n WHERE n.id = ?1";

/* The first start of a node: killed before its first batch, it leaves no other trace of what it may have seen. Negative, so that any time of the
 * node itself stands above it. */
static const char watch_begins[] = "UPDATE node SET seen_us = ?2 WHERE id = ?1";

/* Sinks learn that those calls have ended as of any other: with the whole record. The fact's key is that of the last fact of the node, and an n
 * that no event reaches. */
#define CALL_JSON                                                                                                                                  \
    "json_patch(json_object('id', c.id, 'was', c.was, 'outcome', 'unobserved', 'caller', c.caller, 'caller_name', c.caller_name, 'dialled', c.dialled," \
    " 'context', c.context, 'answered_by', c.answered_by, 'started_us', c.started_us, 'answered_us', c.answered_us, 'ended_us', max(c.started_us, ?2)," \
    " 'ring_us', c.ring_us, 'talk_us', c.talk_us, 'hold_us', c.hold_us, 'queue_us', c.queue_us, 'queue', c.queue, 'agent', c.agent,"                 \
    " 'queue_outcome', CASE c.queue_outcome WHEN 'waiting' THEN '' ELSE c.queue_outcome END, 'cause', c.cause, 'cause_text', c.cause_text,"          \
    " 'application', c.application, 'transfers_count', c.transfers, 'recordings_count', c.recordings, 'agi_visits', c.agi_visits,"                  \
    " 'stasis_visits', c.stasis_visits, 'dtmf', c.dtmf, 'is_partial', json('true'), 'is_suspect', json(CASE c.suspect WHEN 0 THEN 'false' ELSE"     \
    " 'true' END), 'legs', (SELECT json_group_array(json_object('uniqueid', l.uniqueid, 'channel', l.channel, 'number', l.number, 'name', l.name,"   \
    " 'role', l.role, 'started_us', l.started_us, 'answered_us', l.answered_us, 'ended_us', CASE l.ended_us WHEN 0 THEN max(l.started_us, ?2) ELSE" \
    " l.ended_us END, 'cause', l.cause)) FROM leg l WHERE l.call = c.key)), CASE WHEN json_valid(c.details) THEN c.details ELSE '{}' END)"

static const char tell_ended[] =
    "INSERT INTO fact(session, seq, n, at_us, node, kind, call, detail) SELECT f.session, f.seq, 1000000 + row_number() OVER (ORDER BY c.key),"
    " max(c.started_us, ?2), c.node, (SELECT id FROM name WHERE text = CAST('call.ended' AS BLOB)), c.key, " CALL_JSON
    " FROM call c, (SELECT session, seq FROM fact WHERE id = (SELECT max(id) FROM fact WHERE node = ?1 AND id > (SELECT max(id) - 1000000 FROM fact))) f"
    " WHERE c.outcome = 'open' AND c.node = ?1";

static int run(struct journal *j, const char *sql, int64_t node, int64_t at_us, int64_t *out)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(j->db, sql, -1, &st, NULL);

    if (rc != SQLITE_OK)
        return journal_fail(j, rc);
    sqlite3_bind_int64(st, 1, node);
    if (sqlite3_bind_parameter_count(st) > 1)
        sqlite3_bind_int64(st, 2, at_us);
    rc = sqlite3_step(st);
    if (out && rc == SQLITE_ROW)
        *out = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : journal_fail(j, rc);
}

static int recover_node(struct journal *j, uint32_t node)
{
    const int64_t id = j->nodes[node];
    struct journal_gap gap = { .node = node, .cause = TAP_CAUSE_RESTART, .detail = "" };
    int64_t seen = 0, kind;
    int err = run(j, last_seen, id, 0, &seen);

    if (err)
        return err;
    if (seen == 0)
        return run(j, watch_begins, id, -clock_wall_us(), NULL);
    seen = seen < 0 ? -seen : seen;
    err = run(j, recover_rows, id, seen - JOURNAL_RECOVER_US, NULL);
    if (!err)
        err = journal_kind_id(j, "call.ended", &kind);
    if (!err)
        err = run(j, tell_ended, id, seen, NULL);
    if (!err)
        err = run(j, close_legs, id, seen, NULL);
    if (!err)
        err = run(j, close_calls, id, seen, NULL);
    if (err)
        return err;
    gap.calls_affected = (uint64_t)sqlite3_changes(j->db);
    gap.from_us = seen;
    return journal_gap_begin(j, &gap);
}

/* A sink that was taken out of the configuration would keep everything that it has not read for ever. */
int journal_forget_sinks(struct journal *j, const char *const *sinks, size_t count)
{
    sqlite3_stmt *st = NULL;
    int rc, err;

    buf_clear(&j->key);
    buf_add_char(&j->key, '[');
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&j->key, i ? TEXT(",\"") : TEXT("\""));
        buf_add_json(&j->key, text_of(sinks[i]));
        buf_add_char(&j->key, '"');
    }
    err = buf_add_char(&j->key, ']');
    if (err)
        return err;
    rc = sqlite3_prepare_v2(j->db, "DELETE FROM cursor WHERE sink NOT IN (SELECT value FROM json_each(?1))", -1, &st, NULL);
    if (rc != SQLITE_OK)
        return journal_fail(j, rc);
    sqlite3_bind_text(st, 1, j->key.p, (int)j->key.n, SQLITE_STATIC);
    rc = sqlite3_step(st);
    if (rc != SQLITE_DONE)
        err = journal_fail(j, rc);
    sqlite3_finalize(st);
    return err;
}

int journal_recover(struct journal *j)
{
    int err = 0;

    for (size_t i = 0; !err && i < j->node_count; i++)
        err = recover_node(j, (uint32_t)i);
    return err;
}
