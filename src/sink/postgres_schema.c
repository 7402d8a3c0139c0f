/* The tables of the PostgreSQL sink, and their way from each version to the next. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sink/postgres_wire.h"

enum { SQL_MAX = 8192 };

/* Each step leads from its index to the next version; steps are never changed once released. @ stands for the prefix. */
static const char *const steps[] = {
    /* 1 */
    "CREATE TABLE @facts (node text NOT NULL, session bigint NOT NULL, seq bigint NOT NULL, n integer NOT NULL, at timestamptz NOT NULL,"
    " kind text NOT NULL, call text NOT NULL, detail jsonb NOT NULL, PRIMARY KEY (node, session, seq, n));"
    "CREATE TABLE @events (node text NOT NULL, session bigint NOT NULL, seq bigint NOT NULL, at timestamptz NOT NULL,"
    " name text NOT NULL, call text NOT NULL, detail jsonb NOT NULL, PRIMARY KEY (node, session, seq));",
    /* 2 */
    "CREATE INDEX @facts_call ON @facts (call); CREATE INDEX @facts_kind_at ON @facts (kind, at);"
    "CREATE INDEX @events_call ON @events (call) WHERE call <> ''; CREATE INDEX @events_at ON @events (at);",
};

int pg_schema_version(void)
{
    return (int)(sizeof steps / sizeof *steps);
}

static int add_sql(struct buf *b, const char *sql, const char *prefix)
{
    for (; *sql; sql++)
        if (*sql == '@')
            buf_add_text(b, text_of(prefix));
        else
            buf_add_char(b, *sql);
    return b->err;
}

static int run_with(struct pg *p, const char *sql, const char *prefix)
{
    struct buf b;
    int err;

    buf_init(&b, SQL_MAX);
    add_sql(&b, sql, prefix);
    err = buf_cstr(&b) ? pg_run(p, b.p) : b.err;
    buf_free(&b);
    return err;
}

static int version_of(struct pg *p, const char *prefix, int64_t *version)
{
    struct buf b;
    bool has = false;
    int err;

    *version = 0;
    buf_init(&b, SQL_MAX);
    add_sql(&b, "SELECT max(version) FROM @schema_version", prefix);
    err = buf_cstr(&b) ? pg_ask(p, b.p, version, &has) : b.err;
    buf_free(&b);
    return err;
}

/* Only what is missing is made, so a user without CREATE can write into tables that somebody else made. */
static int climb(struct pg *p, const char *prefix)
{
    int64_t version;
    char sql[120];
    int err = run_with(p, "SELECT pg_advisory_xact_lock(hashtext('@schema_version'))", prefix);

    if (!err)
        err = run_with(p, "CREATE TABLE IF NOT EXISTS @schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())", prefix);
    if (!err)
        err = version_of(p, prefix, &version);
    for (int64_t v = err ? INT64_MAX : version; !err && v < pg_schema_version(); v++) {
        err = run_with(p, steps[v], prefix);
        snprintf(sql, sizeof sql, "INSERT INTO @schema_version (version) VALUES (%d)", (int)v + 1);
        if (!err)
            err = run_with(p, sql, prefix);
    }
    return err;
}

int pg_migrate(struct pg *p, const char *prefix)
{
    int64_t version = 0, exists = 0;
    char sql[160];
    bool has = false;
    int err;

    snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_catalog.pg_class WHERE oid = to_regclass('%sschema_version')", prefix);
    err = pg_ask(p, sql, &exists, &has);
    if (!err && exists)
        err = version_of(p, prefix, &version);
    if (!err && version > pg_schema_version()) {
        snprintf(p->why, p->why_size, "the tables %s* have version %lld, this program knows %d", prefix, (long long)version, pg_schema_version());
        return -EAGAIN;
    }
    if (err || version == pg_schema_version())
        return err;
    err = pg_run(p, "BEGIN");
    if (!err)
        err = climb(p, prefix);
    if (!err)
        err = pg_run(p, "COMMIT");
    if (err)
        pg_drop(p);             /* rolls back */
    else
        log_info(&p->log, "sink_schema", kv_str("sink", p->set->name), kv_int("from", version), kv_int("to", pg_schema_version()));
    return err;
}
