/* A growing byte buffer with a ceiling. Errors stick, so a run of adds needs one check at the end. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct buf {
    char *p;
    size_t n;   /* bytes in use */
    size_t cap;
    size_t max; /* ceiling in bytes, chosen at init */
    int err;    /* 0, -ENOBUFS (ceiling met) or -ENOMEM; sticky until buf_clear */
};

void buf_init(struct buf *b, size_t max);
void buf_free(struct buf *b);          /* usable again after buf_init only */
void buf_clear(struct buf *b);         /* keeps the memory, forgets bytes and error */

/* Each returns 0 or the sticky error; on error nothing was added. */
int buf_add(struct buf *b, const void *bytes, size_t n);
int buf_add_text(struct buf *b, struct text t);
int buf_add_char(struct buf *b, char c);
int buf_add_int(struct buf *b, int64_t number);  /* in decimal; a tenth of what buf_addf costs */
int buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
int buf_vaddf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
/* Adds t as the inside of a JSON string (no quotes); invalid UTF-8 becomes U+FFFD. */
int buf_add_json(struct buf *b, struct text t);
/* Adds t percent-encoded (RFC 3986 unreserved pass). */
int buf_add_url(struct buf *b, struct text t);

/* Room for n more bytes at p+n; the caller then raises ->n itself. NULL on error. */
char *buf_room(struct buf *b, size_t n);
/* Drops n leading bytes (moves the rest down). */
void buf_drop(struct buf *b, size_t n);
struct text buf_text(const struct buf *b);
/* NUL-terminates without counting it. NULL on error. */
const char *buf_cstr(struct buf *b);
