/* Who is expected at a door, by the UUID that was given to Asterisk: each once, for a while. Loop thread. */
#pragma once

#include "base/uuid.h"
#include "net/loop.h"

struct door_ticket;

/* Runs once: fd >= 0 is the handler's; -ETIMEDOUT when nobody came within wait_ms. */
typedef void door_on_arrival(int fd_or_err, const char *peer, void *arg);
void door_forget(struct door_ticket *t); /* before arrival only; NULL passes */

/* For doors: */
struct door_tickets {
    struct loop *loop;
    struct door_ticket *first;     /* some hundreds at most: calls that are being set up */
};

/* -EEXIST when that UUID is announced already. */
int door_tickets_add(struct door_ticket **out, struct door_tickets *list, const struct uuid *id, int64_t wait_ms,
                     door_on_arrival *on_arrival, void *arg) MUST_USE;
bool door_tickets_has(const struct door_tickets *list, const struct uuid *id);
/* Hands fd over; false: nobody expects it, fd is still the caller's. The handler may do as it likes, even close the door. */
bool door_tickets_arrived(struct door_tickets *list, const struct uuid *id, int fd, const char *peer);
/* The door closes: those who still wait are told by their own deadline that nobody came. */
void door_tickets_leave(struct door_tickets *list);
