/* Where a refused client looks whether its secret was exchanged meanwhile (`sidetone rotate`). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* Asked only after a refusal, so that the small file that is read then delays nobody in ordinary times. */
struct secret_again {
    int (*ask)(const void *of, char *out, size_t size); /* 0 and the secret as it is now; NULL: it never changes */
    const void *of;                                     /* outlives the client */
};

/* Another one than *secret, which is then wiped and replaced? */
bool secret_again_take(const struct secret_again *a, char **secret);
