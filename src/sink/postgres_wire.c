/* One job: libpq without ever blocking: connect, statements and COPY in slices of a deadline. */
#include "sink/postgres_wire.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COPY_PIECE = 256 * 1024 };

#define SYSTEM_CA "/etc/ssl/certs/ca-certificates.crt"

/* Notices of a server are nobody's business here, and libpq would print them on stderr. */
static void ignore_notice(void *arg, const PGresult *r)
{
    (void)arg;
    (void)r;
}

void pg_drop(struct pg *p)
{
    PQfinish(p->conn);
    p->conn = NULL;
}

static int failed(struct pg *p, const char *what)
{
    snprintf(p->why, p->why_size, "%s", what);
    return -EAGAIN;
}

/* libpq's own words about the connection: the first line, which names host and port; sink_why_clean takes secrets out. */
static int failed_conn(struct pg *p, const char *what)
{
    const struct text words = text_of(PQerrorMessage(p->conn));
    const ptrdiff_t end = text_find(words, '\n');

    snprintf(p->why, p->why_size, "%s: %.*s", what, TEXT_ARG(end < 0 ? words : text_head(words, (size_t)end)));
    pg_drop(p);
    return -EAGAIN;
}

/* 0, or -EAGAIN when the time is over: then the connection is useless, an answer may still come on it. */
static int wait_for(struct pg *p, short events, const char *what)
{
    for (;;) {
        struct pollfd w = { .fd = PQsocket(p->conn), .events = events };
        const int ms = sink_slice_ms(p->set->patience, p->deadline_us);

        if (ms == 0 || w.fd < 0) {
            snprintf(p->why, p->why_size, "%s: no answer in time", what);
            pg_drop(p);
            return -EAGAIN;
        }
        if (poll(&w, 1, ms) > 0)
            return 0;
    }
}

/* Sends what libpq holds. */
static int flush(struct pg *p, const char *what)
{
    int left;

    while ((left = PQflush(p->conn)) > 0) {
        const int err = wait_for(p, POLLIN | POLLOUT, what);

        if (err)
            return err;
        if (!PQconsumeInput(p->conn))
            return failed_conn(p, what);
    }
    return left < 0 ? failed_conn(p, what) : 0;
}

/* The next result, or NULL after the last one; -EAGAIN when the connection failed. */
static int next_result(struct pg *p, PGresult **out, const char *what)
{
    while (PQisBusy(p->conn)) {
        const int err = wait_for(p, POLLIN, what);

        if (err)
            return err;
        if (!PQconsumeInput(p->conn))
            return failed_conn(p, what);
    }
    *out = PQgetResult(p->conn);
    return 0;
}

/* The line of COPY's data in a context of several lines: "JSON data, line 1: ..." comes before it (seen, PostgreSQL 15). 0: not told. */
static int copy_line(const char *context)
{
    const char *at = context ? strncmp(context, "COPY ", 5) == 0 ? context : strstr(context, "\nCOPY ") : NULL;

    at = at ? strstr(at, ", line ") : NULL;
    return at ? atoi(at + 7) : 0;
}

/* The primary message alone: detail and context repeat the row's data. */
static void note_refusal(struct pg *p, const PGresult *r, const char *what)
{
    const char *words = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY), *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);

    if (p->state[0])
        return;                 /* the first one tells why */
    snprintf(p->state, sizeof p->state, "%s", state ? state : "?????");
    p->line = copy_line(PQresultErrorField(r, PG_DIAG_CONTEXT));
    snprintf(p->why, p->why_size, "%s: %s", what, words ? words : "the server refused");
}

/* Reads all results. first: when not NULL, the first that holds rows is given out. */
static int finish(struct pg *p, PGresult **first, const char *what)
{
    PGresult *r;
    bool refused = false;

    for (;;) {
        const int err = next_result(p, &r, what);

        if (err)
            return err;
        if (!r)
            break;
        switch (PQresultStatus(r)) {
        case PGRES_TUPLES_OK:
            if (first && !*first) {
                *first = r;
                continue;
            }
            break;
        case PGRES_COMMAND_OK:
        case PGRES_EMPTY_QUERY:
            break;
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT:
        case PGRES_COPY_BOTH:   /* a server that says so for ever would be asked for ever */
            PQclear(r);
            (void)failed(p, "the server speaks another protocol");
            pg_drop(p);
            return -EAGAIN;
        default:
            note_refusal(p, r, what);
            refused = true;
        }
        PQclear(r);
    }
    if (PQstatus(p->conn) != CONNECTION_OK)
        pg_drop(p);
    return refused || !p->conn ? -EAGAIN : 0;
}

static int send_sql(struct pg *p, const char *sql, const char *what)
{
    p->state[0] = 0;
    p->line = 0;
    if (!PQsendQuery(p->conn, sql))
        return failed_conn(p, what);
    return flush(p, what);
}

int pg_run(struct pg *p, const char *sql)
{
    const int err = send_sql(p, sql, "PostgreSQL");

    return err ? err : finish(p, NULL, "PostgreSQL");
}

int pg_ask(struct pg *p, const char *sql, int64_t *out, bool *has)
{
    PGresult *r = NULL;
    int err = send_sql(p, sql, "PostgreSQL");

    if (!err)
        err = finish(p, &r, "PostgreSQL");
    *has = !err && r && PQntuples(r) > 0 && PQnfields(r) > 0 && !PQgetisnull(r, 0, 0);
    if (*has && text_to_i64(text_of(PQgetvalue(r, 0, 0)), out))
        err = failed(p, "PostgreSQL: expected a number");
    PQclear(r);
    return err;
}

static int put_data(struct pg *p, struct text data)
{
    while (data.n > 0) {
        const size_t n = data.n < COPY_PIECE ? data.n : COPY_PIECE;
        const int rc = PQputCopyData(p->conn, data.p, (int)n);
        int err = 0;

        if (rc < 0)
            return failed_conn(p, "PostgreSQL COPY");
        if (rc > 0) {
            data = text_skip(data, n);
            err = flush(p, "PostgreSQL COPY");  /* so that libpq never holds more than a piece */
        } else {
            err = wait_for(p, POLLOUT, "PostgreSQL COPY");
        }
        if (err)
            return err;
    }
    for (;;) {
        const int rc = PQputCopyEnd(p->conn, NULL), err = rc ? 0 : wait_for(p, POLLOUT, "PostgreSQL COPY");

        if (rc < 0)
            return failed_conn(p, "PostgreSQL COPY");
        if (rc > 0 || err)
            return err ? err : flush(p, "PostgreSQL COPY");
    }
}

int pg_copy(struct pg *p, const char *sql, struct text data)
{
    PGresult *r = NULL;
    ExecStatusType status;
    int err = send_sql(p, sql, "PostgreSQL COPY");

    if (!err)
        err = next_result(p, &r, "PostgreSQL COPY");
    if (err)
        return err;
    status = PQresultStatus(r);
    if (status == PGRES_COPY_IN) {
        PQclear(r);
        err = put_data(p, data);
        return err ? err : finish(p, NULL, "PostgreSQL COPY");
    }
    if (status == PGRES_FATAL_ERROR)
        note_refusal(p, r, "PostgreSQL COPY");
    else
        (void)failed(p, "PostgreSQL COPY: an unexpected answer");
    PQclear(r);
    if (status != PGRES_FATAL_ERROR) {
        pg_drop(p);
        return -EAGAIN;
    }
    err = finish(p, NULL, "PostgreSQL COPY");
    return err ? err : -EAGAIN;
}

/* ---- connecting ---- */

struct target {
    char host[256], sslmode[32], sslrootcert[512];
    bool has_hostaddr;
};

static int read_url(struct pg *p, struct target *t)
{
    char *words = NULL;
    PQconninfoOption *all = PQconninfoParse(p->set->url, &words);

    PQfreemem(words);           /* quotes the url, with what is in it: not for anybody's eyes */
    if (!all)
        return failed(p, "the url is not one of PostgreSQL's (postgres://user@host:port/database)");
    for (const PQconninfoOption *o = all; o->keyword; o++) {
        const struct text value = text_of(o->val);

        if (!o->val)
            continue;
        if (strcmp(o->keyword, "host") == 0)
            text_copy(t->host, sizeof t->host, value);
        else if (strcmp(o->keyword, "sslmode") == 0)
            text_copy(t->sslmode, sizeof t->sslmode, value);
        else if (strcmp(o->keyword, "sslrootcert") == 0)
            text_copy(t->sslrootcert, sizeof t->sslrootcert, value);
        else if (strcmp(o->keyword, "hostaddr") == 0)
            t->has_hostaddr = true;
    }
    PQconninfoFree(all);
    return 0;
}

/* Verified TLS to any other machine, unless the operator said otherwise; what is not verified is said at every connection. */
static void choose_tls(struct pg *p, struct target *t)
{
    const bool is_here = sink_host_is_here(t->host);

    if (!t->sslmode[0] && !p->set->is_insecure && (!is_here || p->set->ca))
        text_copy(t->sslmode, sizeof t->sslmode, TEXT("verify-full"));
    if (p->set->ca)
        text_copy(t->sslrootcert, sizeof t->sslrootcert, text_of(p->set->ca));
    else if (!t->sslrootcert[0] && strcmp(t->sslmode, "verify-full") == 0)
        text_copy(t->sslrootcert, sizeof t->sslrootcert, TEXT(SYSTEM_CA));
    if (!is_here && strcmp(t->sslmode, "verify-full") != 0)
        log_warn(&p->log, "sink_insecure", kv_str("sink", p->set->name), kv_str("host", t->host),
                 kv_str("sslmode", t->sslmode[0] ? t->sslmode : "prefer"));
}

static int start(struct pg *p, const struct target *t, const char *address)
{
    const char *const keys[] = { "dbname", "hostaddr", "user", "password", "sslmode", "sslrootcert", "client_encoding",
                                 "fallback_application_name", "options", NULL };
    /* An empty value leaves what the url says. */
    const char *const values[] = { p->set->url, address, p->set->user, p->set->secret, t->sslmode, t->sslrootcert, "UTF8", "sidetone",
                                   NULL, NULL };

    p->conn = PQconnectStartParams(keys, values, 1);
    if (!p->conn)
        return failed(p, "PostgreSQL: memory is short");
    if (PQstatus(p->conn) == CONNECTION_BAD)
        return failed_conn(p, "PostgreSQL");
    PQsetNoticeReceiver(p->conn, ignore_notice, NULL);
    return 0;
}

static int poll_connect(struct pg *p)
{
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;

    while (want != PGRES_POLLING_OK) {
        const int err = wait_for(p, want == PGRES_POLLING_READING ? POLLIN : POLLOUT, "PostgreSQL connection");

        if (err)
            return err;
        want = PQconnectPoll(p->conn);
        if (want == PGRES_POLLING_FAILED)
            return failed_conn(p, "PostgreSQL");
    }
    return PQsetnonblocking(p->conn, 1) ? failed_conn(p, "PostgreSQL") : 0;
}

int pg_connect(struct pg *p)
{
    struct target t = { .has_hostaddr = false };
    char address[64] = "", sql[160];
    const int64_t most_ms = p->set->deadline_ms > 0 ? p->set->deadline_ms : SINK_DEADLINE_MS;
    int err = read_url(p, &t);

    if (err)
        return err;
    choose_tls(p, &t);
    /* Several hosts are libpq's to try, with its own blocking lookup. */
    if (!t.has_hostaddr && t.host[0] && t.host[0] != '/' && t.host[0] != '@' && !strchr(t.host, ',')) {
        err = sink_resolve(&p->lookup, t.host, address, sizeof address, p->set->patience, p->deadline_us);
        if (err) {
            snprintf(p->why, p->why_size, "%.100s: %s", t.host, err == -EAGAIN ? "the name was not found in time" : "no such name");
            return -EAGAIN;
        }
    }
    err = start(p, &t, address);
    if (!err)
        err = poll_connect(p);
    if (err)
        return err;
    /* A transaction that we gave up on ends at the server, too, instead of holding its rows' locks. */
    snprintf(sql, sizeof sql, "SET statement_timeout = %lld; SET idle_in_transaction_session_timeout = %lld", (long long)most_ms,
             (long long)most_ms * 2);
    return pg_run(p, sql);
}
