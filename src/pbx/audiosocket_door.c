/* Lets in AudioSocket connections whose UUID somebody waits for, each once. */
#include "pbx/audiosocket_door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utlist.h>

#include "base/log.h"
#include "wire/audiosocket.h"

enum {
    GREETING_BYTES = AUDIOSOCKET_HEAD + 16,
    GREETING_MS = 2000,            /* Asterisk sends it together with the connection */
    PENDING_MAX = 256,
};

struct door_ticket {
    struct door_ticket *prev, *next;
    struct audiosocket_door *door; /* NULL after door_close: then only the timer ends it */
    struct uuid id;
    struct timer *late;
    door_on_arrival *on_arrival;
    void *arg;
};

struct audiosocket_door {
    struct loop *loop;
    struct log log;
    struct greeter *greeter;
    struct door_ticket *tickets;   /* some hundreds at most: calls that are being set up */
    uint64_t strangers;
};

static void ticket_free(struct door_ticket *t)
{
    if (t->door)
        DL_DELETE(t->door->tickets, t);
    timer_free(t->late);
    free(t);
}

/* The ticket is gone before its handler runs, so the handler may do as it likes, even close the door. */
static void ticket_end(struct door_ticket *t, int fd_or_err, const char *peer)
{
    door_on_arrival *const on_arrival = t->on_arrival;
    void *const arg = t->arg;

    ticket_free(t);
    on_arrival(fd_or_err, peer, arg);
}

static void on_late(void *arg)
{
    ticket_end(arg, -ETIMEDOUT, NULL);
}

/* Looks at every ticket with a comparison of constant time: the UUID is the connection's only credential. */
static struct door_ticket *ticket_find(const struct audiosocket_door *d, const struct uuid *id)
{
    struct door_ticket *t, *found = NULL;

    DL_FOREACH(d->tickets, t) {
        if (uuid_equal(&t->id, id))
            found = t;
    }
    return found;
}

static void turn_away(struct audiosocket_door *d, int fd, const char *peer, const char *why)
{
    d->strangers++;
    log_warn(&d->log, "stranger", kv_str("peer", peer), kv_str("why", why));
    close(fd);
}

static void on_greeting(int fd, const uint8_t *bytes, const char *peer, void *arg)
{
    struct audiosocket_door *d = arg;
    uint8_t head[AUDIOSOCKET_HEAD];
    struct door_ticket *t;
    struct uuid id;

    audiosocket_put_head(head, AUDIOSOCKET_UUID, sizeof id.bytes);
    if (memcmp(bytes, head, sizeof head) != 0) {
        turn_away(d, fd, peer, "its first frame is not a UUID");
        return;
    }
    memcpy(id.bytes, bytes + sizeof head, sizeof id.bytes);
    t = ticket_find(d, &id);
    if (!t) {
        turn_away(d, fd, peer, "nobody expects its UUID");
        return;
    }
    ticket_end(t, fd, peer);
}

int door_open(struct audiosocket_door **out, struct loop *l, const struct address *at)
{
    const struct greeter_options opt = { .bytes = GREETING_BYTES, .deadline_ms = GREETING_MS, .max_pending = PENDING_MAX };
    struct audiosocket_door *d = calloc(1, sizeof *d);
    int err;

    if (!d)
        return -ENOMEM;
    d->loop = l;
    d->log = log_for(loop_log(l), "door");
    err = greeter_open(&d->greeter, l, at, &opt, on_greeting, d);
    if (err) {
        free(d);
        return err;
    }
    *out = d;
    return 0;
}

void door_address(const struct audiosocket_door *d, struct address *out)
{
    greeter_address(d->greeter, out);
}

/* Those who still wait are told by their own deadline that nobody came. */
void door_close(struct audiosocket_door *d)
{
    struct door_ticket *t, *next;

    if (!d)
        return;
    DL_FOREACH_SAFE(d->tickets, t, next)
        t->door = NULL;
    greeter_close(d->greeter);
    free(d);
}

int door_expect(struct door_ticket **out, struct audiosocket_door *d, const struct uuid *id, int64_t wait_ms,
                door_on_arrival *on_arrival, void *arg)
{
    struct door_ticket *t;
    int err;

    if (ticket_find(d, id))
        return -EEXIST;
    t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->id = *id;
    t->on_arrival = on_arrival;
    t->arg = arg;
    err = timer_new(&t->late, d->loop, on_late, t);
    if (err) {
        free(t);
        return err;
    }
    t->door = d;
    DL_APPEND(d->tickets, t);
    timer_start(t->late, wait_ms);
    *out = t;
    return 0;
}

void door_forget(struct door_ticket *t)
{
    if (t)
        ticket_free(t);
}

uint64_t door_strangers(const struct audiosocket_door *d)
{
    return d->strangers;
}
