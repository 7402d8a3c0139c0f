/* Random identifiers (version 4), from the kernel's generator. Any thread. */
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/text.h"

struct uuid {
    uint8_t bytes[16]; /* network order of the text form */
};

enum { UUID_TEXT = 36 };

void uuid_make(struct uuid *out);                          /* aborts only if the kernel has no randomness */
void uuid_format(const struct uuid *u, char out[UUID_TEXT + 1]);
int uuid_parse(struct text t, struct uuid *out) MUST_USE;  /* canonical 36 characters. 0 or -EINVAL */
int uuid_equal(const struct uuid *a, const struct uuid *b); /* constant time; 1 when equal */
