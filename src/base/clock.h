/* The two clocks. Cores get time handed in; shells ask here. Any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

int64_t clock_mono_us(void); /* never goes back; origin undefined */
int64_t clock_wall_us(void); /* since 1970 UTC */
/* "2026-11-22T19:08:18.401Z" into out (25 bytes or more). */
void clock_format(int64_t wall_us, char *out, size_t size);
