/* Addresses and keys of HTTP services. */
#include "ai/service.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { URL_MAX = 2000, HEADER_MAX = 4200 };

int service_send(struct http_request **out, struct dialer *d, const struct service_call *call, const char *header, const char *other,
                 const struct http_options *opt, http_on_answer *on_answer, void *arg)
{
    const bool has_key = call->key && call->key[0];
    struct http_options o = *opt;
    char url[URL_MAX], bearer[HEADER_MAX];
    const char *headers[4];
    size_t n = 0;
    struct text base = text_of(call->base);

    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    const int length = snprintf(url, sizeof url, "%.*s%s", TEXT_ARG(base), call->path);
    const int key_length = has_key ? snprintf(bearer, sizeof bearer, "Authorization: Bearer %s", call->key) : 0;

    if (length < 0 || (size_t)length >= sizeof url || key_length < 0 || (size_t)key_length >= sizeof bearer)
        return -EINVAL;
    if (has_key)
        headers[n++] = bearer;
    if (header)
        headers[n++] = header;
    if (other)
        headers[n++] = other;
    headers[n] = NULL;
    o.url = url;
    o.headers = headers;
    const int err = http_send(out, d, &o, on_answer, arg);

    explicit_bzero(bearer, sizeof bearer);
    return err;
}

void service_detail(char *out, size_t size, const char *key, const char *detail)
{
    const bool tells = key && key[0] && strstr(detail, key);

    text_copy(out, size, text_of(tells ? "the server's words held the key and are not repeated" : detail));
}
