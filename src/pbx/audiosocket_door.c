/* Lets in AudioSocket connections whose UUID somebody waits for, each once. */
#include "pbx/audiosocket_door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "wire/audiosocket.h"

enum {
    GREETING_BYTES = AUDIOSOCKET_HEAD + 16,
    GREETING_MS = 2000,            /* Asterisk sends it together with the connection */
    PENDING_MAX = 256,
};

struct audiosocket_door {
    struct log log;
    struct greeter *greeter;
    struct door_tickets tickets;
    door_on_stranger *on_stranger; /* NULL: none is let in */
    void *stranger_arg;
    uint64_t strangers;
};

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
    const char *why;
    struct uuid id;

    audiosocket_put_head(head, AUDIOSOCKET_UUID, sizeof id.bytes);
    if (memcmp(bytes, head, sizeof head) != 0) {
        turn_away(d, fd, peer, "its first frame is not a UUID");
        return;
    }
    memcpy(id.bytes, bytes + sizeof head, sizeof id.bytes);
    if (door_tickets_arrived(&d->tickets, &id, fd, peer))
        return;
    why = d->on_stranger ? d->on_stranger(fd, &id, peer, d->stranger_arg) : "nobody expects its UUID";
    if (why)
        turn_away(d, fd, peer, why);
}

int door_open(struct audiosocket_door **out, struct loop *l, const struct address *at)
{
    const struct greeter_options opt = { .bytes = GREETING_BYTES, .deadline_ms = GREETING_MS, .max_pending = PENDING_MAX };
    struct audiosocket_door *d = calloc(1, sizeof *d);
    int err;

    if (!d)
        return -ENOMEM;
    d->tickets.loop = l;
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
    if (!d)
        return;
    door_tickets_leave(&d->tickets);
    greeter_close(d->greeter);
    free(d);
}

int door_expect(struct door_ticket **out, struct audiosocket_door *d, const struct uuid *id, int64_t wait_ms,
                door_on_arrival *on_arrival, void *arg)
{
    return door_tickets_add(out, &d->tickets, id, wait_ms, on_arrival, arg);
}

void door_welcome(struct audiosocket_door *d, door_on_stranger *on_stranger, void *arg)
{
    d->on_stranger = on_stranger;
    d->stranger_arg = arg;
}

uint64_t door_strangers(const struct audiosocket_door *d)
{
    return d->strangers;
}
