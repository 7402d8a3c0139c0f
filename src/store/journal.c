/* Writes what the tap saw, a batch at a time. */
#include "store/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/journal_parts.h"

enum { BODY_MAX = 4 << 20, KEY_MAX = 64 * 1024, WAL_PAGES = 4000 };

static const char *const sql_texts[JOURNAL_SQL_COUNT] = {
    [JOURNAL_BEGIN] = "BEGIN IMMEDIATE",
    [JOURNAL_COMMIT] = "COMMIT",
    [JOURNAL_EVENT] = "INSERT INTO event(session, seq, at_us, recv_us, name, flags, call, body) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [JOURNAL_FACT] = "INSERT INTO fact(session, seq, n, at_us, node, kind, call, detail) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [JOURNAL_CALL] = "INSERT OR REPLACE INTO call VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,"
                     " ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31)",
    [JOURNAL_LEG] = "INSERT OR REPLACE INTO leg VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [JOURNAL_CALL_GONE] = "DELETE FROM call WHERE key = ?1",
    [JOURNAL_ALIAS] = "UPDATE call_key SET now = ?2 WHERE (id = ?1 OR now = ?1) AND id <> ?2",
    [JOURNAL_NAME] = "SELECT id FROM name WHERE text = ?1",
    [JOURNAL_NAME_ADD] = "INSERT INTO name(text) VALUES(?1)",
    [JOURNAL_KEY] = "SELECT id FROM call_key WHERE node = ?1 AND linkedid = ?2",
    [JOURNAL_KEY_ADD] = "INSERT INTO call_key(node, linkedid) VALUES(?1, ?2)",
    [JOURNAL_SESSION] = "SELECT id FROM session WHERE node = ?1 AND began_us = ?2",
    [JOURNAL_SESSION_ADD] = "INSERT INTO session(node, began_us) VALUES(?1, ?2)",
    [JOURNAL_GAP_BEGIN] = "INSERT INTO gap(node, from_us, to_us, cause, detail, events_lost, calls_affected) SELECT ?1, ?2, 0, ?3, ?4, ?5, ?6"
                          " WHERE NOT EXISTS(SELECT 1 FROM gap WHERE node = ?1 AND to_us = 0)",
    [JOURNAL_GAP_END] = "UPDATE gap SET to_us = max(?2, from_us + 1), calls_affected = calls_affected + ?3 WHERE node = ?1 AND to_us = 0",
    [JOURNAL_GAP_PART] = "UPDATE gap SET events_lost = events_lost + ?2 WHERE node = ?1 AND to_us = 0",
    [JOURNAL_SEEN] = "UPDATE node SET seen_us = max(seen_us, ?2) WHERE id = ?1",
    [JOURNAL_CURSOR] = "INSERT OR REPLACE INTO cursor VALUES(?1, ?2, ?3, ?4)",
};

int journal_fail(struct journal *j, int rc)
{
    text_copy(j->error, sizeof j->error, text_of(sqlite3_errmsg(j->db)));
    return store_db_errno(rc);
}

int journal_step(struct journal *j, enum journal_sql which)
{
    sqlite3_stmt *st = j->sql[which];
    int rc = sqlite3_step(st), err = 0;

    if (rc != SQLITE_DONE && rc != SQLITE_ROW)
        err = journal_fail(j, rc);
    rc = sqlite3_reset(st);
    return err || rc == SQLITE_OK ? err : journal_fail(j, rc);
}

const char *journal_error(const struct journal *j)
{
    return j->error;
}

static void bind(sqlite3_stmt *st, int at, const char *t)
{
    sqlite3_bind_text(st, at, t ? t : "", -1, SQLITE_STATIC);
}

/* Texts of calls come from the wire: their bytes need not be UTF-8, but the column is read by others. SQLite keeps what it is given. */
static void bind_key(sqlite3_stmt *st, int at, int64_t key)
{
    if (key)
        sqlite3_bind_int64(st, at, key);
    else
        sqlite3_bind_null(st, at);
}

/* ---- one batch ---- */

int journal_begin(struct journal *j)
{
    const int err = journal_step(j, JOURNAL_BEGIN);

    j->is_open = err == 0;
    return err;
}

int journal_commit(struct journal *j)
{
    const int err = journal_step(j, JOURNAL_COMMIT);

    if (!err)
        j->is_open = false;
    return err;
}

void journal_rollback(struct journal *j)
{
    if (!sqlite3_get_autocommit(j->db))
        sqlite3_exec(j->db, "ROLLBACK", NULL, NULL, NULL);
    j->is_open = false;
    journal_names_forget(j);
}

/* ---- events ---- */

/* The call that an event belongs to, as far as it says so. */
static struct text call_of(const struct tap_event *e)
{
    static const enum tap_header where[] = { TAP_H_LINKEDID, TAP_H_DESTLINKEDID, TAP_H_LOCALONELINKEDID, TAP_H_PARKEELINKEDID,
                                             TAP_H_TRANSFERERLINKEDID, TAP_H_ORIGTRANSFERERLINKEDID };

    for (size_t i = 0; i < sizeof where / sizeof *where; i++) {
        const struct text t = tap_get(e, where[i]);

        if (t.n > 0)
            return text_head(t, CALL_ID_MAX - 1);
    }
    return TEXT_NONE;
}

static int event_name_id(struct journal *j, const struct tap_event *e, int64_t *id)
{
    int64_t *known = e->name != TAP_E_OTHER ? &j->events[e->name] : NULL;
    int err;

    if (known && *known) {
        *id = *known;
        return 0;
    }
    err = journal_name_id(j, text_head(tap_event_name(e), 255), id);
    if (!err && known)
        *known = *id;
    return err;
}

int journal_add_event(struct journal *j, const struct tap_event *e)
{
    sqlite3_stmt *st = j->sql[JOURNAL_EVENT];
    const struct text linkedid = e->kind == TAP_EVENT ? call_of(e) : TEXT_NONE;
    int64_t session, name, call = 0;
    int err;

    if (!j->keeps_events || (e->kind != TAP_EVENT && e->kind != TAP_FORGED))
        return 0;
    err = journal_session_id(j, e->node, e->session, &session);
    if (!err)
        err = event_name_id(j, e, &name);
    if (!err && linkedid.n)
        err = journal_call_id(j, e->node, linkedid, &call);
    if (!err)
        err = journal_body_pack(j, e);
    if (err)
        return err;
    sqlite3_bind_int64(st, 1, session);
    sqlite3_bind_int64(st, 2, (int64_t)e->seq);
    sqlite3_bind_int64(st, 3, e->order_us);
    sqlite3_bind_int64(st, 4, e->recv_us - e->order_us);
    sqlite3_bind_int64(st, 5, name);
    sqlite3_bind_int64(st, 6, e->flags << 4 | e->kind);
    bind_key(st, 7, call);
    sqlite3_bind_blob(st, 8, j->body.p ? j->body.p : "", (int)j->body.n, SQLITE_STATIC);
    return journal_step(j, JOURNAL_EVENT);
}

/* ---- facts and calls ---- */

int journal_add_fact(struct journal *j, const struct call_fact *f)
{
    sqlite3_stmt *st = j->sql[JOURNAL_FACT];
    int64_t session, kind, call = 0;
    int err = journal_session_id(j, f->node, f->session, &session);

    if (!err)
        err = journal_kind_id(j, f->kind, &kind);
    if (!err && f->call[0])
        err = journal_call_id(j, f->node, text_of(f->call), &call);
    if (err)
        return err;
    sqlite3_bind_int64(st, 1, session);
    sqlite3_bind_int64(st, 2, (int64_t)f->seq);
    sqlite3_bind_int64(st, 3, f->n);
    sqlite3_bind_int64(st, 4, f->at_us);
    sqlite3_bind_int64(st, 5, j->nodes[f->node]);
    sqlite3_bind_int64(st, 6, kind);
    bind_key(st, 7, call);
    bind(st, 8, f->detail);
    return journal_step(j, JOURNAL_FACT);
}

static int put_legs(struct journal *j, int64_t key, const struct call_record *c)
{
    sqlite3_stmt *st = j->sql[JOURNAL_LEG];
    int err = 0;

    for (size_t i = 0; !err && c->legs && i < c->leg_count; i++) {
        const struct call_leg *l = &c->legs[i];

        sqlite3_bind_int64(st, 1, key);
        bind(st, 2, l->uniqueid);
        bind(st, 3, l->channel);
        bind(st, 4, l->number);
        bind(st, 5, l->name);
        bind(st, 6, l->role);
        sqlite3_bind_int64(st, 7, l->started_us);
        sqlite3_bind_int64(st, 8, l->answered_us);
        sqlite3_bind_int64(st, 9, l->ended_us);
        sqlite3_bind_int(st, 10, l->cause);
        err = journal_step(j, JOURNAL_LEG);
    }
    return err;
}

/* The row under the id that it had before goes, and what was written under that id is found under the new one. */
static int put_alias(struct journal *j, int64_t key, const struct call_record *c)
{
    int64_t old;
    int err;

    if (!c->was[0] || strcmp(c->was, c->id) == 0)
        return 0;
    err = journal_call_id(j, c->node, text_of(c->was), &old);
    if (err)
        return err;
    sqlite3_bind_int64(j->sql[JOURNAL_CALL_GONE], 1, old);
    err = journal_step(j, JOURNAL_CALL_GONE);
    if (err)
        return err;
    sqlite3_bind_int64(j->sql[JOURNAL_ALIAS], 1, old);
    sqlite3_bind_int64(j->sql[JOURNAL_ALIAS], 2, key);
    return journal_step(j, JOURNAL_ALIAS);
}

static void bind_call(sqlite3_stmt *st, int64_t key, int64_t node, const struct call_record *c)
{
    const char *const texts[] = { c->caller, c->caller_name, c->dialled, c->context, c->answered_by };
    const int64_t times[] = { c->ring_us, c->talk_us, c->hold_us, c->queue_us };
    const unsigned counts[] = { c->transfers, c->recordings, c->agi_visits, c->stasis_visits, c->dtmf, c->is_partial, c->is_suspect };

    sqlite3_bind_int64(st, 1, key);
    sqlite3_bind_int64(st, 2, node);
    bind(st, 3, c->id);
    bind(st, 4, c->was);
    sqlite3_bind_int64(st, 5, c->started_us);
    sqlite3_bind_int64(st, 6, c->answered_us);
    sqlite3_bind_int64(st, 7, c->ended_us);
    bind(st, 8, call_outcome_text(c->outcome));
    for (int i = 0; i < 5; i++)
        bind(st, 9 + i, texts[i]);
    for (int i = 0; i < 4; i++)
        sqlite3_bind_int64(st, 14 + i, times[i]);
    bind(st, 18, c->queue);
    bind(st, 19, queue_outcome_text(c->queue_outcome));
    bind(st, 20, c->agent);
    sqlite3_bind_int(st, 21, c->cause);
    bind(st, 22, c->cause_text);
    bind(st, 23, c->application);
    for (int i = 0; i < 7; i++)
        sqlite3_bind_int64(st, 24 + i, counts[i]);
    bind(st, 31, c->details ? c->details : "{}");
}

int journal_put_call(struct journal *j, const struct call_record *c)
{
    int64_t key;
    int err = journal_call_id(j, c->node, text_of(c->id), &key);

    if (!err)
        err = put_alias(j, key, c);
    if (err)
        return err;
    bind_call(j->sql[JOURNAL_CALL], key, j->nodes[c->node], c);
    err = journal_step(j, JOURNAL_CALL);
    return err ? err : put_legs(j, key, c);
}

/* ---- gaps, cursors ---- */

int journal_gap_begin(struct journal *j, const struct journal_gap *g)
{
    sqlite3_stmt *st = j->sql[JOURNAL_GAP_BEGIN];
    int err;

    sqlite3_bind_int64(st, 1, j->nodes[g->node]);
    sqlite3_bind_int64(st, 2, g->from_us);
    bind(st, 3, g->cause);
    bind(st, 4, g->detail);
    sqlite3_bind_int64(st, 5, (int64_t)g->events_lost);
    sqlite3_bind_int64(st, 6, (int64_t)g->calls_affected);
    err = journal_step(j, JOURNAL_GAP_BEGIN);
    if (err || sqlite3_changes(j->db) > 0 || g->events_lost == 0)
        return err;
    sqlite3_bind_int64(j->sql[JOURNAL_GAP_PART], 1, j->nodes[g->node]);
    sqlite3_bind_int64(j->sql[JOURNAL_GAP_PART], 2, (int64_t)g->events_lost);
    return journal_step(j, JOURNAL_GAP_PART);
}

int journal_gap_end(struct journal *j, uint32_t node, int64_t to_us, uint64_t calls_affected)
{
    sqlite3_stmt *st = j->sql[JOURNAL_GAP_END];

    sqlite3_bind_int64(st, 1, j->nodes[node]);
    sqlite3_bind_int64(st, 2, to_us);
    sqlite3_bind_int64(st, 3, (int64_t)calls_affected);
    return journal_step(j, JOURNAL_GAP_END);
}

int journal_seen(struct journal *j, uint32_t node, int64_t at_us)
{
    sqlite3_stmt *st = j->sql[JOURNAL_SEEN];

    sqlite3_bind_int64(st, 1, j->nodes[node]);
    sqlite3_bind_int64(st, 2, at_us);
    return journal_step(j, JOURNAL_SEEN);
}

int journal_put_cursor(struct journal *j, const char *sink, int64_t fact_id, int64_t event_id)
{
    sqlite3_stmt *st = j->sql[JOURNAL_CURSOR];

    bind(st, 1, sink);
    sqlite3_bind_int64(st, 2, fact_id);
    sqlite3_bind_int64(st, 3, event_id);
    sqlite3_bind_int64(st, 4, clock_wall_us());
    return journal_step(j, JOURNAL_CURSOR);
}

/* ---- open, close ---- */

static int prepare(struct journal *j)
{
    for (int i = 0; i < JOURNAL_SQL_COUNT; i++) {
        const int rc = sqlite3_prepare_v3(j->db, sql_texts[i], -1, SQLITE_PREPARE_PERSISTENT, &j->sql[i], NULL);

        if (rc != SQLITE_OK)
            return journal_fail(j, rc);
    }
    return 0;
}

static int find_node(struct journal *j, const char *name, int64_t *id)
{
    sqlite3_stmt *st;
    int rc = sqlite3_prepare_v2(j->db, "INSERT INTO node(name) VALUES(?1) ON CONFLICT(name) DO UPDATE SET name = name RETURNING id", -1, &st, NULL);

    if (rc != SQLITE_OK)
        return journal_fail(j, rc);
    bind(st, 1, name);
    rc = sqlite3_step(st);
    *id = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    while (rc == SQLITE_ROW)
        rc = sqlite3_step(st);
    sqlite3_finalize(st);
    return rc == SQLITE_DONE && *id ? 0 : journal_fail(j, rc);
}

static int find_nodes(struct journal *j, const struct journal_options *opt)
{
    int err = 0;

    j->nodes = calloc(opt->node_count + 1, sizeof *j->nodes);
    j->sessions = calloc(opt->node_count + 1, sizeof *j->sessions);
    j->node_count = opt->node_count;
    if (!j->nodes || !j->sessions)
        return -ENOMEM;
    for (size_t i = 0; !err && i < opt->node_count; i++)
        err = find_node(j, opt->nodes[i], &j->nodes[i]);
    return err;
}

static int set_up(struct journal *j, const struct journal_options *opt)
{
    char pragma[200];
    int rc, err;

    /* A bigger page holds more events of a batch; checkpoints come at 16 MiB of log, so that none takes long. */
    sqlite3_snprintf(sizeof pragma, pragma, "PRAGMA wal_autocheckpoint=%d; PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY", (int)WAL_PAGES);
    rc = sqlite3_exec(j->db, pragma, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        return journal_fail(j, rc);
    err = prepare(j);
    if (!err)
        err = journal_begin(j);
    if (!err)
        err = find_nodes(j, opt);
    if (!err)
        err = journal_recover(j);
    if (!err && opt->sinks)
        err = journal_forget_sinks(j, opt->sinks, opt->sink_count);
    if (!err)
        err = journal_commit(j);
    if (err)
        journal_rollback(j);
    return err;
}

int journal_open(struct journal **out, const char *path, const struct journal_options *opt, char **problem)
{
    struct journal *j = calloc(1, sizeof *j);
    int err = -ENOMEM;

    *problem = NULL;
    if (!j)
        return err;
    j->keep_age_us = opt->keep_age_us;
    j->keep_bytes = opt->keep_bytes;
    j->keeps_events = opt->keeps_events;
    buf_init(&j->body, BODY_MAX);
    buf_init(&j->key, KEY_MAX);
    err = store_db_open(&j->db, &journal_kind, path, STORE_MODE_WRITE, problem);
    if (!err) {
        err = set_up(j, opt);
        if (err)
            *problem = store_problem("%s: %s", path, j->error[0] ? j->error : err_text(err));
    }
    if (err)
        journal_close(j);
    else
        *out = j;
    return err;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    for (int i = 0; i < JOURNAL_SQL_COUNT; i++)
        sqlite3_finalize(j->sql[i]);
    if (j->nodes && j->sessions)
        journal_names_forget(j);
    store_db_close(j->db);
    buf_free(&j->body);
    buf_free(&j->key);
    free(j->nodes);
    free(j->sessions);
    free(j);
}
