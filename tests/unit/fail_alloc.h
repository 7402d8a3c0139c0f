/* Makes the nth allocation of the code under test fail. Include after cmocka.h.
 *   for (long n = 1; ; n++) { fail_alloc_at(n); run(); if (!fail_alloc_hit()) break; }  fail_alloc_off();
 * Linked with -Wl,--wrap, so only our own objects are affected, not the libraries. Not thread-safe while armed. */
#pragma once

#include <stdbool.h>

void fail_alloc_at(long n);    /* the nth allocation from now on fails, once */
bool fail_alloc_hit(void);     /* it has happened */
void fail_alloc_off(void);
long fail_alloc_count(void);   /* allocations since fail_alloc_at or fail_alloc_off */
