/* One handshake, for the end date of the certificate that is shown. */
#include "net/certificate.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Timeouts of the socket bound connecting, too (Linux: SO_SNDTIMEO). */
static int connect_one(const struct addrinfo *at, int64_t timeout_ms)
{
    const struct timeval wait = { .tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000 };
    const int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    int err;

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, at->ai_addr, at->ai_addrlen) == 0)
        return fd;
    err = errno == EINPROGRESS ? -ETIMEDOUT : -errno;
    close(fd);
    return err;
}

static int connect_to(const char *host, uint16_t port, int64_t timeout_ms)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
    struct addrinfo *list;
    char service[8];
    int fd = -EHOSTUNREACH;

    snprintf(service, sizeof service, "%u", port);
    if (getaddrinfo(host, service, &hints, &list))
        return -EHOSTUNREACH;
    for (const struct addrinfo *at = list; at && fd < 0; at = at->ai_next)
        fd = connect_one(at, timeout_ms);
    freeaddrinfo(list);
    return fd;
}

static int read_end(const SSL *ssl, int64_t *not_after)
{
    X509 *shown = SSL_get1_peer_certificate(ssl);
    struct tm when;
    int err = -EPROTO;

    if (shown && ASN1_TIME_to_tm(X509_get0_notAfter(shown), &when) == 1) {
        *not_after = timegm(&when);
        err = 0;
    }
    X509_free(shown);
    return err;
}

int certificate_end(const char *host, uint16_t port, int64_t timeout_ms, int64_t *not_after)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL *ssl = ctx ? SSL_new(ctx) : NULL;
    int fd = -1, err = ssl ? 0 : -ENOMEM;

    if (!err) {
        fd = connect_to(host, port, timeout_ms);
        err = fd < 0 ? fd : 0;
    }
    if (!err && (SSL_set_fd(ssl, fd) != 1 || SSL_set_tlsext_host_name(ssl, host) != 1))
        err = -ENOMEM;
    if (!err)
        err = SSL_connect(ssl) == 1 ? read_end(ssl, not_after) : -EPROTO;
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    if (fd >= 0)
        close(fd);
    return err;
}
