/* Memory of one message or one event: many small takes, one reset. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

struct arena;

int arena_new(struct arena **out, size_t max_bytes) MUST_USE;
void arena_free(struct arena *a);
/* 16-byte aligned, zeroed. NULL when the ceiling is met or memory is short. */
void *arena_take(struct arena *a, size_t n);
/* NUL-terminated copy. NULL as above. */
char *arena_text(struct arena *a, struct text t);
void arena_reset(struct arena *a); /* keeps the first block */
size_t arena_used(const struct arena *a);
