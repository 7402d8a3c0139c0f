/* Hides callers' numbers: the same number becomes the same other digits wherever it stands in one session. Pure.
 * The numbers are those of agi_callerid, agi_dnid and agi_rdnis with three digits or more. Found are their digits with up to two of
 * " -./()" between them, and the last seven or more digits of a longer one (national, international, without prefix). Three and four
 * digits count only where no other digit touches them: an extension 100 is not inside 2100.5. */
#pragma once

#include <stddef.h>

#include "base/buf.h"
#include "wire/agi.h"

enum { MASK_NUMBERS_MAX = 8, MASK_DIGITS_MAX = 32 };

struct mask {
    struct mask_number {
        char digits[MASK_DIGITS_MAX], hidden[MASK_DIGITS_MAX];
        size_t n;
    } number[MASK_NUMBERS_MAX];
    size_t count;
};

/* What to hide in this session; forged second lines count as well. */
void mask_learn(struct mask *m, const struct agi_env *env);
/* Adds t to out with its numbers hidden; as long as before. */
void mask_add(const struct mask *m, struct buf *out, struct text t);
/* The same in place. */
void mask_text(const struct mask *m, char *p, size_t n);
