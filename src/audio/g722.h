/* G.722 at 64 kbit/s: 16 kHz samples in half as many bytes. spandsp behind it. Both directions have a memory of their own. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct g722;

int g722_new(struct g722 **out) MUST_USE;
void g722_free(struct g722 *g); /* NULL passes */
/* n bytes give 2 * n samples. */
size_t g722_read(struct g722 *g, int16_t *out, const uint8_t *bytes, size_t n);
/* n samples, an even number, give n / 2 bytes. */
size_t g722_write(struct g722 *g, uint8_t *out, const int16_t *pcm, size_t n);
