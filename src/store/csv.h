/* Rows of comma-separated values (RFC 4180), fed in pieces of any size. Pure: no file, no table.
 * Quoted fields may hold commas, line breaks and "" for a quote; lines end in LF or CRLF; blank lines and a UTF-8 mark at the start
 * are skipped. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

enum { CSV_FIELDS_MAX = 2 };

enum csv_state { CSV_FIELD_START, CSV_PLAIN, CSV_QUOTED, CSV_QUOTE_SEEN, CSV_CR_SEEN };

struct csv {
    enum csv_state state;
    struct buf field[CSV_FIELDS_MAX];
    size_t fields;              /* complete ones of this row */
    unsigned line, row_line;    /* from 1; row_line: where this row began */
    size_t offset;              /* bytes of the file seen, for the mark */
    bool row_has_quote;         /* tells `""` from a blank line */
    const char *fault;          /* static text; sticks */
};

/* field_max: ceiling of each field in bytes. */
void csv_init(struct csv *c, size_t field_max);
void csv_free(struct csv *c);
/* Takes bytes off *in. 1: a row of CSV_FIELDS_MAX fields is ready (valid until the next call); 0: all was taken; -EINVAL: c->fault
 * says why and c->line where; -ENOMEM. */
int csv_read(struct csv *c, struct text *in) MUST_USE;
/* The file has ended: 1 when a last row without a line end is ready, 0, or -EINVAL. */
int csv_end(struct csv *c) MUST_USE;
struct text csv_field(const struct csv *c, size_t i);
