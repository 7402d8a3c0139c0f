/* SHA-256 (FIPS 180-4), for fingerprints and for what a page's policy lets run; not for secrets. */
#pragma once

#include <stdint.h>

#include "base/text.h"

enum { SHA256_BYTES = 32, SHA256_HEX = 64 };

struct sha256 {
    uint32_t state[8];
    uint8_t block[64];
    uint64_t bytes;                /* so far */
};

void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, struct text t);
void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES]);
