/* What calls of HTTP services with a base address and a key have in common. */
#pragma once

#include "net/dialer.h"

struct service_call {
    const char *base, *path;       /* joined with one slash */
    const char *key;               /* Bearer; NULL or empty: none */
};

/* http_send with the address, the key and up to two headers (NULL: none); opt's url and headers are not used. */
int service_send(struct http_request **out, struct dialer *d, const struct service_call *call, const char *header, const char *other,
                 const struct http_options *opt, http_on_answer *on_answer, void *arg) MUST_USE;
/* A server's words for a log, without the key that it may repeat. */
void service_detail(char *out, size_t size, const char *key, const char *detail);
