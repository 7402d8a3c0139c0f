/* What the files of the PostgreSQL sink share: one connection whose every wait has a deadline and ends when the sink closes. */
#pragma once

#include <libpq-fe.h>

#include "sink/sink_parts.h"

struct sink_lookup;

struct pg {
    const struct sink_settings *set;
    struct log log;
    PGconn *conn;                   /* NULL: not connected */
    struct sink_lookup *lookup;     /* a name being looked up; may outlive an attempt */
    int64_t deadline_us;            /* of all that is under way */
    char state[6];                  /* SQLSTATE of the last refusal, or "" */
    int line;                       /* of COPY's data that was refused, from 1; 0: not told */
    char *why;
    size_t why_size;
};

/* Each 0 or -EAGAIN with why set (and state, when the server refused); -ETIMEDOUT counts as -EAGAIN. The connection may be gone afterwards. */
int pg_connect(struct pg *p) MUST_USE;
void pg_drop(struct pg *p);
int pg_run(struct pg *p, const char *sql) MUST_USE;                         /* one or more statements without results */
int pg_ask(struct pg *p, const char *sql, int64_t *out, bool *has) MUST_USE;    /* one number of one row; has: there was one */
int pg_copy(struct pg *p, const char *sql, struct text data) MUST_USE;

/* postgres_schema.c: brings the tables to this program's version, in one transaction, one program at a time. */
int pg_migrate(struct pg *p, const char *prefix) MUST_USE;
int pg_schema_version(void);

/* sink_address.c: a name's first address as text; a literal is its own. 0, -EAGAIN (deadline), -EHOSTUNREACH. Keeps *l for a lookup that is late. */
int sink_resolve(struct sink_lookup **l, const char *host, char *out, size_t size, const struct sink_patience *p, int64_t deadline_us) MUST_USE;
void sink_lookup_free(struct sink_lookup *l);   /* NULL passes */
bool sink_host_is_here(const char *host);       /* a socket's path, "localhost", 127.x, ::1 */
