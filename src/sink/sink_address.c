/* One job: look a name up without waiting for longer than allowed; libpq itself would block in the resolver. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sink/postgres_wire.h"

/* The resolver's thread writes into this until it is done: an abandoned lookup stays allocated as long. */
struct sink_lookup {
    struct gaicb request;
    struct addrinfo hints;
    char host[256];
};

bool sink_host_is_here(const char *host)
{
    return !host || !host[0] || host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

static void release(struct sink_lookup *l)
{
    if (l->request.ar_result)
        freeaddrinfo(l->request.ar_result);
    free(l);
}

void sink_lookup_free(struct sink_lookup *l)
{
    if (!l)
        return;
    /* What cannot be cancelled is under way: its memory is given up rather than freed under the resolver (at most one a closed sink). */
    if (gai_cancel(&l->request) != EAI_NOTCANCELED)
        release(l);
}

static int begin(struct sink_lookup **out, const char *host)
{
    struct sink_lookup *l = calloc(1, sizeof *l);
    struct gaicb *list[1];

    if (!l)
        return -ENOMEM;
    text_copy(l->host, sizeof l->host, text_of(host));
    l->hints.ai_socktype = SOCK_STREAM;
    l->request.ar_name = l->host;
    l->request.ar_request = &l->hints;
    list[0] = &l->request;
    if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL)) {
        free(l);
        return -EAGAIN;
    }
    *out = l;
    return 0;
}

int sink_resolve(struct sink_lookup **l, const char *host, char *out, size_t size, const struct sink_patience *p, int64_t deadline_us)
{
    unsigned char literal[16];
    int err, ms;

    if (inet_pton(AF_INET, host, literal) == 1 || inet_pton(AF_INET6, host, literal) == 1) {
        text_copy(out, size, text_of(host));
        return 0;
    }
    if (*l && strcmp((*l)->host, host) != 0) {
        sink_lookup_free(*l);
        *l = NULL;
    }
    err = *l ? 0 : begin(l, host);
    if (err)
        return err;
    while (gai_error(&(*l)->request) == EAI_INPROGRESS) {
        const struct gaicb *const list[1] = { &(*l)->request };
        struct timespec t;

        ms = sink_slice_ms(p, deadline_us);
        if (ms == 0)
            return -EAGAIN;
        t = (struct timespec){ .tv_nsec = ms * 1000000L };
        (void)gai_suspend(list, 1, &t);
    }
    err = gai_error(&(*l)->request) == 0 && (*l)->request.ar_result &&
                  getnameinfo((*l)->request.ar_result->ai_addr, (*l)->request.ar_result->ai_addrlen, out, (socklen_t)size, NULL, 0,
                              NI_NUMERICHOST) == 0 ? 0 : -EHOSTUNREACH;
    release(*l);
    *l = NULL;
    return err;
}
