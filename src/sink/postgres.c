/* The PostgreSQL sink: COPY into a staging table, then one INSERT that leaves out what is there already, in one transaction. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sink/postgres_wire.h"

enum { PREFIX_MAX = 40 };   /* with the longest name behind it within PostgreSQL's 63 */

struct postgres {
    struct pg pg;
    const char *prefix;
    bool is_ready;          /* migrated, staging tables made on this connection */
    struct buf data;
};

static bool is_prefix(const char *s)
{
    const size_t n = strlen(s);

    if (n > PREFIX_MAX || (n > 0 && s[0] >= '0' && s[0] <= '9'))
        return false;
    return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* ---- a row as a line of COPY's text format ---- */

static void add_escaped(struct buf *out, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        const char c = t.p[i];
        const char *in = "\\\n\r\t", *at = c ? strchr(in, c) : NULL;

        if (at)
            buf_addf(out, "\\%c", "\\nrt"[at - in]);
        else
            buf_add_char(out, c);
    }
}

/* jsonb has no place for U+0000: its escape becomes the replacement character. An even run of backslashes before it escapes itself. */
static void without_nul(char *json)
{
    for (char *p = strchr(json, '\\'); p; p = strchr(p, '\\')) {
        if (strncmp(p, "\\u0000", 6) == 0)
            memcpy(p, "\\ufffd", 6);
        p += p[1] ? 2 : 1;
    }
}

static void add_time(struct buf *out, int64_t us)
{
    const int64_t part = us % 1000000 < 0 ? us % 1000000 + 1000000 : us % 1000000;
    const time_t seconds = (time_t)((us - part) / 1000000);
    char text[64] = "epoch";    /* a time that has no date is no reason to lose a row */
    struct tm tm;

    if (gmtime_r(&seconds, &tm) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) > 0)
        buf_addf(out, "%s.%06d+00", text, (int)part);
    else
        buf_add_text(out, text_of(text));
}

static int add_line(struct buf *out, struct buf *scratch, const struct sink_row *row)
{
    buf_clear(scratch);
    sink_utf8(scratch, text_of(row->node));
    add_escaped(out, buf_text(scratch));
    buf_addf(out, "\t%lld\t%llu\t", (long long)row->session, (unsigned long long)row->seq);
    if (!row->is_event)
        buf_addf(out, "%u\t", row->n);
    add_time(out, row->at_us);
    for (int i = 0; i < 2; i++) {
        buf_clear(scratch);
        sink_utf8(scratch, text_of(i ? row->call : row->kind));
        buf_add_char(out, '\t');
        add_escaped(out, buf_text(scratch));
    }
    buf_clear(scratch);
    sink_detail_json(scratch, row->detail);
    if (!buf_cstr(scratch))
        return scratch->err;
    without_nul(scratch->p);
    buf_add_char(out, '\t');
    add_escaped(out, buf_text(scratch));
    return buf_add_char(out, '\n');
}

static int make_data(struct postgres *d, const struct sink_row *rows, size_t count)
{
    struct buf scratch;

    buf_init(&scratch, SINK_ROW_BYTES);
    buf_clear(&d->data);
    for (size_t i = 0; i < count && !d->data.err; i++)
        if (add_line(&d->data, &scratch, &rows[i]) && !d->data.err)
            d->data.err = scratch.err;
    buf_free(&scratch);
    return d->data.err;
}

/* ---- delivering ---- */

static int make_ready(struct postgres *d)
{
    char sql[600];
    int err = 0;

    if (d->pg.conn && d->is_ready)
        return 0;
    d->is_ready = false;
    if (!d->pg.conn)
        err = pg_connect(&d->pg);
    if (!err)
        err = pg_migrate(&d->pg, d->prefix);
    snprintf(sql, sizeof sql, "CREATE TEMP TABLE IF NOT EXISTS %sstage_facts (LIKE %sfacts) ON COMMIT DELETE ROWS;"
             "CREATE TEMP TABLE IF NOT EXISTS %sstage_events (LIKE %sevents) ON COMMIT DELETE ROWS",
             d->prefix, d->prefix, d->prefix, d->prefix);
    if (!err)
        err = pg_run(&d->pg, sql);
    d->is_ready = !err;
    return err;
}

/* All rows are of one table: batches are. */
static int store(struct postgres *d, const struct sink_row *rows, size_t count)
{
    const char *table = rows[0].is_event ? "events" : "facts";
    char copy[160], insert[320];
    int err = make_data(d, rows, count);

    if (err) {
        snprintf(d->pg.why, d->pg.why_size, "PostgreSQL: a batch cannot be made: %s", err_text(err));
        return err;
    }
    snprintf(copy, sizeof copy, "COPY pg_temp.%sstage_%s FROM STDIN", d->prefix, table);
    snprintf(insert, sizeof insert, "INSERT INTO %s%s SELECT * FROM pg_temp.%sstage_%s ON CONFLICT DO NOTHING", d->prefix, table, d->prefix, table);
    err = pg_run(&d->pg, "BEGIN");
    if (!err)
        err = pg_copy(&d->pg, copy, buf_text(&d->data));
    if (!err)
        err = pg_run(&d->pg, insert);
    if (!err)
        err = pg_run(&d->pg, "COMMIT");
    return err;
}

/* Leaves the connection outside of any transaction, or gone. What was said about the failure stays. */
static void roll_back(struct postgres *d)
{
    char junk[SINK_WHY], *why = d->pg.why, state[6];
    const int line = d->pg.line;

    if (!d->pg.conn)
        return;
    memcpy(state, d->pg.state, sizeof state);
    d->pg.why = junk;
    if (pg_run(&d->pg, "ROLLBACK"))
        pg_drop(&d->pg);
    d->pg.why = why;
    d->pg.line = line;
    memcpy(d->pg.state, state, sizeof state);
}

/* Data exception, integrity, limits: the row is at fault. All else is the server's or the operator's to mend. */
static bool is_about_a_row(const char *state)
{
    return strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 || strncmp(state, "54", 2) == 0;
}

/* Whether the row that the server named is refused alone, too: a wrong one must never be buried. */
static bool is_refused_alone(struct postgres *d, const struct sink_row *row)
{
    const bool is_stored = make_ready(d) == 0 && store(d, row, 1) == 0;

    if (!is_stored)
        roll_back(d);
    return !is_stored && is_about_a_row(d->pg.state);
}

/* The server did not say which row: each is stored by itself until one is refused. */
static int find_bad(struct postgres *d, const struct sink_row *rows, size_t count, size_t *bad)
{
    for (size_t i = 0; i < count; i++) {
        int err = make_ready(d);

        if (!err)
            err = store(d, &rows[i], 1);
        if (!err)
            continue;
        roll_back(d);
        *bad = i;
        return is_about_a_row(d->pg.state) ? -EBADMSG : -EAGAIN;
    }
    return 0;
}

static int deliver(void *self, const struct sink_row *rows, size_t count, size_t *bad, char *why, size_t why_size)
{
    struct postgres *d = self;
    int err;

    d->pg.why = why;
    d->pg.why_size = why_size;
    d->pg.deadline_us = sink_deadline_us(d->pg.set);
    d->pg.state[0] = 0;
    err = make_ready(d);
    if (err) {
        roll_back(d);
        return -EAGAIN;
    }
    err = store(d, rows, count);
    if (!err)
        return 0;
    roll_back(d);
    if (!is_about_a_row(d->pg.state))
        return -EAGAIN;
    *bad = d->pg.line >= 1 && (size_t)d->pg.line <= count ? (size_t)d->pg.line - 1 : SIZE_MAX;
    if (*bad != SIZE_MAX && is_refused_alone(d, &rows[*bad]))
        return -EBADMSG;
    return find_bad(d, rows, count, bad);
}

static void postgres_close(void *self)
{
    struct postgres *d = self;

    if (!d)
        return;
    pg_drop(&d->pg);
    sink_lookup_free(d->pg.lookup);
    buf_free(&d->data);
    free(d);
}

static int postgres_open(void **out, const struct sink_settings *set, const struct log *log, char **problem)
{
    const char *prefix = set->table_prefix ? set->table_prefix : "sidetone_";
    PQconninfoOption *all = set->url ? PQconninfoParse(set->url, NULL) : NULL;
    struct postgres *d;

    PQconninfoFree(all);
    if (!all || !is_prefix(prefix)) {
        *problem = all ? sink_problem("sink %s: a table prefix has a-z, 0-9 and _ only, at most %d, no digit first", set->name, PREFIX_MAX)
                       : sink_problem("sink %s: url = postgres://user@host:port/database is needed", set->name);
        return -EINVAL;
    }
    d = calloc(1, sizeof *d);
    if (!d)
        return -ENOMEM;
    d->pg.set = set;
    d->pg.log = log_for(log, "sink");
    d->prefix = prefix;
    buf_init(&d->data, (size_t)SINK_BATCH_BYTES * 4);
    *out = d;
    return 0;
}

const struct sink_driver sink_postgres = { .name = "postgres", .open = postgres_open, .deliver = deliver, .close = postgres_close };
