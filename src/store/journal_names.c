/* Gives texts that come again and again a number in the file, and keeps the numbers at hand. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "store/journal_parts.h"

/* node and text are the key: one run of bytes, so that one look-up serves both maps. */
static struct text key_of(struct journal *j, uint32_t node, struct text t)
{
    buf_clear(&j->key);
    buf_add(&j->key, &node, sizeof node);
    buf_add_text(&j->key, t);
    return j->key.err ? TEXT_NONE : buf_text(&j->key);
}

static struct journal_name *remember(struct journal_name **map, struct text key, int64_t id)
{
    struct journal_name *e = malloc(sizeof *e + key.n);

    if (!e)
        return NULL;
    e->id = id;
    e->n = (uint32_t)key.n;
    memcpy(e->text, key.p, key.n);
    HASH_ADD_KEYPTR(hh, *map, e->text, e->n, e);
    if (!e->hh.tbl) {           /* HASH_NONFATAL_OOM: it was not added */
        free(e);
        return NULL;
    }
    return e;
}

static void forget_all(struct journal_name **map)
{
    struct journal_name *e, *next;

    HASH_ITER(hh, *map, e, next) {
        HASH_DEL(*map, e);
        free(e);
    }
}

void journal_names_forget(struct journal *j)
{
    forget_all(&j->names);
    forget_all(&j->calls);
    memset(j->headers, 0, sizeof j->headers);
    memset(j->events, 0, sizeof j->events);
    if (j->sessions)
        memset(j->sessions, 0, j->node_count * sizeof *j->sessions);
}

/* The first column of a row, or 0 without one. */
static int look_up(struct journal *j, enum journal_sql which, int64_t *id)
{
    sqlite3_stmt *st = j->sql[which];
    const int rc = sqlite3_step(st);

    *id = rc == SQLITE_ROW ? sqlite3_column_int64(st, 0) : 0;
    sqlite3_reset(st);
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? 0 : journal_fail(j, rc);
}

static int find_or_add(struct journal *j, enum journal_sql find, enum journal_sql add, int64_t *id)
{
    int err = look_up(j, find, id);

    if (err || *id)
        return err;
    err = journal_step(j, add);
    *id = sqlite3_last_insert_rowid(j->db);
    return err;
}

static int name_id(struct journal *j, struct text name, bool is_ours, int64_t *id)
{
    const struct text key = key_of(j, 0, name);
    struct journal_name *e = NULL;
    int err;

    if (!key.p)
        return -ENOMEM;
    HASH_FIND(hh, j->names, key.p, key.n, e);
    if (e) {
        *id = e->id;
        return 0;
    }
    *id = 0;
    if (!is_ours && HASH_COUNT(j->names) >= JOURNAL_NAMES_MAX)
        return 0;
    for (int i = 0; i < 2; i++)
        sqlite3_bind_blob(j->sql[i ? JOURNAL_NAME_ADD : JOURNAL_NAME], 1, name.p ? name.p : "", (int)name.n, SQLITE_STATIC);
    err = find_or_add(j, JOURNAL_NAME, JOURNAL_NAME_ADD, id);
    if (!err && !remember(&j->names, key, *id))
        err = -ENOMEM;
    return err;
}

int journal_name_id(struct journal *j, struct text name, int64_t *id)
{
    return name_id(j, name, false, id);
}

int journal_kind_id(struct journal *j, const char *kind, int64_t *id)
{
    return name_id(j, text_of(kind), true, id);
}

int journal_call_id(struct journal *j, uint32_t node, struct text linkedid, int64_t *id)
{
    const struct text key = key_of(j, node, linkedid);
    struct journal_name *e = NULL;
    int err;

    if (!key.p)
        return -ENOMEM;
    HASH_FIND(hh, j->calls, key.p, key.n, e);
    if (e) {
        *id = e->id;
        return 0;
    }
    if (HASH_COUNT(j->calls) >= JOURNAL_CALLS_CACHED)
        forget_all(&j->calls);
    for (int i = 0; i < 2; i++) {
        sqlite3_stmt *st = j->sql[i ? JOURNAL_KEY_ADD : JOURNAL_KEY];

        sqlite3_bind_int64(st, 1, j->nodes[node]);
        sqlite3_bind_text(st, 2, linkedid.p, (int)linkedid.n, SQLITE_STATIC);
    }
    err = find_or_add(j, JOURNAL_KEY, JOURNAL_KEY_ADD, id);
    if (!err && !remember(&j->calls, key, *id))
        err = -ENOMEM;
    return err;
}

void journal_call_forget(struct journal *j, uint32_t node, struct text linkedid)
{
    const struct text key = key_of(j, node, linkedid);
    struct journal_name *e = NULL;

    if (key.p)
        HASH_FIND(hh, j->calls, key.p, key.n, e);
    if (!e)
        return;
    HASH_DEL(j->calls, e);
    free(e);
}

int journal_session_id(struct journal *j, uint32_t node, int64_t session, int64_t *id)
{
    struct journal_session *s = &j->sessions[node];
    int err = 0;

    if (!s->id || s->session != session) {
        for (int i = 0; i < 2; i++) {
            sqlite3_stmt *st = j->sql[i ? JOURNAL_SESSION_ADD : JOURNAL_SESSION];

            sqlite3_bind_int64(st, 1, j->nodes[node]);
            sqlite3_bind_int64(st, 2, session);
        }
        s->session = session;
        err = find_or_add(j, JOURNAL_SESSION, JOURNAL_SESSION_ADD, &s->id);
    }
    *id = s->id;
    return err;
}
