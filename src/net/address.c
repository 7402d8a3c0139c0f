/* Turns numeric addresses from text to value to the kernel's form. */
#include "net/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "net/address_internal.h"

static int port_parse(struct text t, uint16_t *out)
{
    int64_t port;

    /* text_to_i64 takes a sign; a port has none. */
    if (t.n == 0 || t.p[0] < '0' || t.p[0] > '9' || text_to_i64(t, &port) || port < 0 || port > UINT16_MAX)
        return -EINVAL;
    *out = (uint16_t)port;
    return 0;
}

int address_parse(struct text t, struct address *out)
{
    const ptrdiff_t colon = text_rfind(t, ':');
    struct address a = { .port = 0 };
    struct text host;
    unsigned char bytes[sizeof(struct in6_addr)];
    bool is_six;

    if (colon < 1 || port_parse(text_skip(t, (size_t)colon + 1), &a.port))
        return -EINVAL;
    host = text_head(t, (size_t)colon);
    is_six = host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (is_six)
        host = text_make(host.p + 1, host.n - 2);
    if (host.n >= sizeof a.host || memchr(host.p, 0, host.n))
        return -EINVAL;
    text_copy(a.host, sizeof a.host, host);
    if (inet_pton(is_six ? AF_INET6 : AF_INET, a.host, bytes) != 1)
        return -EINVAL;
    *out = a;
    return 0;
}

void address_format(const struct address *a, char *out, size_t size)
{
    snprintf(out, size, strchr(a->host, ':') ? "[%s]:%u" : "%s:%u", a->host, a->port);
}

int address_to_kernel(const struct address *a, struct sockaddr_storage *out, socklen_t *size)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(a->port) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(a->port) };

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, a->host, &four.sin_addr) == 1) {
        memcpy(out, &four, sizeof four);
        *size = sizeof four;
        return 0;
    }
    if (inet_pton(AF_INET6, a->host, &six.sin6_addr) == 1) {
        memcpy(out, &six, sizeof six);
        *size = sizeof six;
        return 0;
    }
    return -EINVAL;
}

void address_from_kernel(struct address *out, const struct sockaddr_storage *in)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    memset(out, 0, sizeof *out);
    if (in->ss_family == AF_INET) {
        memcpy(&four, in, sizeof four);
        inet_ntop(AF_INET, &four.sin_addr, out->host, sizeof out->host);
        out->port = ntohs(four.sin_port);
    } else if (in->ss_family == AF_INET6) {
        memcpy(&six, in, sizeof six);
        inet_ntop(AF_INET6, &six.sin6_addr, out->host, sizeof out->host);
        out->port = ntohs(six.sin6_port);
    }
}

void address_text(const struct sockaddr_storage *from, char *out, size_t size)
{
    struct address a;

    if (from->ss_family == AF_UNIX) {
        text_copy(out, size, TEXT("local"));
        return;
    }
    address_from_kernel(&a, from);
    address_format(&a, out, size);
}

int address_of_peer(int fd, char *out, size_t size)
{
    struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
    socklen_t n = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &n))
        return -errno;
    address_text(&peer, out, size);
    return 0;
}
