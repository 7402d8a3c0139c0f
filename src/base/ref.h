/* Counted objects. Thread: the count is not atomic; an object belongs to one loop. */
#pragma once

#include <stddef.h>

#include "base/err.h"

/* Zeroed memory with one reference; destroy runs when the last goes (may be NULL). NULL when memory is short. */
void *ref_new(size_t size, void (*destroy)(void *obj)) MUST_USE;
void *ref_hold(void *obj);  /* returns obj; NULL passes */
void *ref_drop(void *obj);  /* always returns NULL; NULL passes */
