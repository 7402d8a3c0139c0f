/* The listening AudioSocket port: lets in only connections whose UUID was announced, each once, and hands their
 * descriptor to the one who expects it (who may live on another loop). Thread: its loop (the control loop). */
#pragma once

#include "base/uuid.h"
#include "net/listener.h"
#include "pbx/door_ticket.h"

struct audiosocket_door;

int door_open(struct audiosocket_door **out, struct loop *l, const struct address *at) MUST_USE;
void door_address(const struct audiosocket_door *d, struct address *out);
void door_close(struct audiosocket_door *d);

/* -EEXIST when that UUID is announced already. */
int door_expect(struct door_ticket **out, struct audiosocket_door *d, const struct uuid *id, int64_t wait_ms,
                door_on_arrival *on_arrival, void *arg) MUST_USE;
/* For connections with an unknown UUID: NULL takes fd over; else a sentence why not, and it is turned away. May not close the door.
 * NULL, as at first: all are turned away. */
typedef const char *door_on_stranger(int fd, const struct uuid *id, const char *peer, void *arg);
void door_welcome(struct audiosocket_door *d, door_on_stranger *on_stranger, void *arg);
uint64_t door_strangers(const struct audiosocket_door *d); /* connections with an unknown UUID, closed */
