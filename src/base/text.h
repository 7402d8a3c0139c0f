/* A borrowed run of bytes: never owned, never NUL-terminated by promise. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct text {
    const char *p; /* NULL: absent (differs from empty) */
    size_t n;
};

#define TEXT(literal) ((struct text){ .p = "" literal, .n = sizeof(literal) - 1 })
#define TEXT_NONE ((struct text){ .p = NULL, .n = 0 })
/* For printf("%.*s"): */
#define TEXT_ARG(t) (int)(t).n, (t).p ? (t).p : ""

struct text text_of(const char *s);                     /* NULL gives TEXT_NONE */
struct text text_make(const void *p, size_t n);
struct text text_skip(struct text t, size_t n);         /* drops up to n leading bytes */
struct text text_head(struct text t, size_t n);         /* keeps at most n leading bytes */
struct text text_trim(struct text t);                   /* drops blanks (<= 0x20) at both ends */

bool text_eq(struct text a, struct text b);
bool text_eq_nocase(struct text a, struct text b);      /* ASCII only */
int text_order(struct text a, struct text b);           /* by bytes, a beginning first: below 0, 0, above 0 */
bool text_starts(struct text t, struct text prefix);
bool text_starts_nocase(struct text t, struct text prefix);
bool text_ends(struct text t, struct text suffix);
/* Index of the first c, or -1. */
ptrdiff_t text_find(struct text t, char c);
ptrdiff_t text_rfind(struct text t, char c);
ptrdiff_t text_find_text(struct text t, struct text needle);
/* True when every byte is printable and none is CR, LF or NUL. UTF-8 bytes pass. */
bool text_is_one_line(struct text t);

/* Takes the part before the first sep off *rest into *head. False when *rest was absent (all consumed);
 * the last part has no separator and leaves *rest = TEXT_NONE. */
bool text_cut(struct text *rest, char sep, struct text *head);

/* Whole text must be the number. 0, -EINVAL or -ERANGE. */
int text_to_i64(struct text t, int64_t *out) MUST_USE;
/* "800ms", "30s", "5m", "2h", plain number = ms. 0, -EINVAL or -ERANGE. Result in milliseconds. */
int text_to_ms(struct text t, int64_t *out) MUST_USE;
/* "64k", "10M", plain number = bytes. 0, -EINVAL or -ERANGE. */
int text_to_bytes(struct text t, int64_t *out) MUST_USE;
/* yes/true/on/1, no/false/off/0 in any case. 0 or -EINVAL. */
int text_to_bool(struct text t, bool *out) MUST_USE;

/* malloc'ed, NUL-terminated copy; NULL when memory is short. Bytes after an inner NUL are kept. */
char *text_dup(struct text t) MUST_USE;
/* Copies into a fixed array, cuts if needed, always terminates. Returns bytes written without the NUL. */
size_t text_copy(char *out, size_t size, struct text t);

/* Edit distance, for "did you mean". Inputs over 64 bytes count as far apart (SIZE_MAX). */
size_t text_distance(struct text a, struct text b);
