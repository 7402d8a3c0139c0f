/* One job: look a name up without waiting for longer than allowed; libpq itself would block in the resolver. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "sink/postgres_wire.h"

/* A thread asks, since the resolver has no deadline. Owned by both: who comes last frees it. */
struct sink_lookup {
    pthread_mutex_t lock;
    pthread_cond_t news;
    bool is_done, is_abandoned;
    int err;
    char host[256], address[64];
};

bool sink_host_is_here(const char *host)
{
    return !host || !host[0] || host[0] == '/' || host[0] == '@' || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 ||
           strcmp(host, "::1") == 0;
}

static void lookup_destroy(struct sink_lookup *l)
{
    pthread_cond_destroy(&l->news);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

void sink_lookup_free(struct sink_lookup *l)
{
    bool is_mine;

    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    is_mine = l->is_done;
    l->is_abandoned = true;
    pthread_mutex_unlock(&l->lock);
    if (is_mine)
        lookup_destroy(l);
}

static void *run(void *arg)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct sink_lookup *l = arg;
    struct addrinfo *list = NULL;
    bool is_mine, found = getaddrinfo(l->host, NULL, &hints, &list) == 0 && list &&
        getnameinfo(list->ai_addr, list->ai_addrlen, l->address, sizeof l->address, NULL, 0, NI_NUMERICHOST) == 0;

    if (list)
        freeaddrinfo(list);
    pthread_mutex_lock(&l->lock);
    l->err = found ? 0 : -EHOSTUNREACH;
    l->is_done = true;
    is_mine = l->is_abandoned;
    pthread_cond_signal(&l->news);
    pthread_mutex_unlock(&l->lock);
    if (is_mine)
        lookup_destroy(l);
    return NULL;
}

static int begin(struct sink_lookup **out, const char *host)
{
    struct sink_lookup *l = calloc(1, sizeof *l);
    pthread_condattr_t monotonic;
    pthread_attr_t detached;
    pthread_t thread;
    int err;

    if (!l)
        return -ENOMEM;
    text_copy(l->host, sizeof l->host, text_of(host));
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->news, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    err = -pthread_create(&thread, &detached, run, l);
    pthread_attr_destroy(&detached);
    if (err) {
        lookup_destroy(l);
        return err;
    }
    *out = l;
    return 0;
}

/* 0 when it is done, -EAGAIN when the time is over. */
static int wait_for(struct sink_lookup *l, const struct sink_patience *p, int64_t deadline_us)
{
    int ms, err;

    pthread_mutex_lock(&l->lock);
    while (!l->is_done && (ms = sink_slice_ms(p, deadline_us)) > 0) {
        const int64_t us = clock_mono_us() + ms * 1000;
        const struct timespec until = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

        pthread_cond_timedwait(&l->news, &l->lock, &until);
    }
    err = l->is_done ? 0 : -EAGAIN;
    pthread_mutex_unlock(&l->lock);
    return err;
}

int sink_resolve(struct sink_lookup **l, const char *host, char *out, size_t size, const struct sink_patience *p, int64_t deadline_us)
{
    unsigned char literal[16];
    int err;

    if (inet_pton(AF_INET, host, literal) == 1 || inet_pton(AF_INET6, host, literal) == 1) {
        text_copy(out, size, text_of(host));
        return 0;
    }
    if (*l && strcmp((*l)->host, host) != 0) {
        sink_lookup_free(*l);
        *l = NULL;
    }
    err = *l ? 0 : begin(l, host);
    if (!err)
        err = wait_for(*l, p, deadline_us);
    if (err)
        return err;             /* the one under way is asked again by the next attempt: never two */
    err = (*l)->err;
    text_copy(out, size, text_of((*l)->address));
    sink_lookup_free(*l);
    *l = NULL;
    return err;
}
