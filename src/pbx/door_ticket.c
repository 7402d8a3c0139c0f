/* Keeps the list of those who are expected. */
#include "pbx/door_ticket.h"

#include <errno.h>
#include <stdlib.h>
#include <utlist.h>

struct door_ticket {
    struct door_ticket *prev, *next;
    struct door_tickets *list;     /* NULL after door_tickets_leave: then only the timer ends it */
    struct uuid id;
    struct timer *late;
    door_on_arrival *on_arrival;
    void *arg;
};

void door_forget(struct door_ticket *t)
{
    if (!t)
        return;
    if (t->list)
        DL_DELETE(t->list->first, t);
    timer_free(t->late);
    free(t);
}

/* The ticket is gone before its handler runs, so the handler may do as it likes. */
static void ticket_end(struct door_ticket *t, int fd_or_err, const char *peer)
{
    door_on_arrival *const on_arrival = t->on_arrival;
    void *const arg = t->arg;

    door_forget(t);
    on_arrival(fd_or_err, peer, arg);
}

static void on_late(void *arg)
{
    ticket_end(arg, -ETIMEDOUT, NULL);
}

/* Looks at every ticket with a comparison of constant time: the UUID is the connection's only credential. */
static struct door_ticket *ticket_find(const struct door_tickets *list, const struct uuid *id)
{
    struct door_ticket *t, *found = NULL;

    DL_FOREACH(list->first, t) {
        if (uuid_equal(&t->id, id))
            found = t;
    }
    return found;
}

bool door_tickets_has(const struct door_tickets *list, const struct uuid *id)
{
    return ticket_find(list, id) != NULL;
}

bool door_tickets_arrived(struct door_tickets *list, const struct uuid *id, int fd, const char *peer)
{
    struct door_ticket *const t = ticket_find(list, id);

    if (!t)
        return false;
    ticket_end(t, fd, peer);
    return true;
}

void door_tickets_leave(struct door_tickets *list)
{
    struct door_ticket *t, *next;

    DL_FOREACH_SAFE(list->first, t, next)
        t->list = NULL;
    list->first = NULL;
}

int door_tickets_add(struct door_ticket **out, struct door_tickets *list, const struct uuid *id, int64_t wait_ms,
                     door_on_arrival *on_arrival, void *arg)
{
    struct door_ticket *t;
    int err;

    if (ticket_find(list, id))
        return -EEXIST;
    t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    t->id = *id;
    t->on_arrival = on_arrival;
    t->arg = arg;
    err = timer_new(&t->late, list->loop, on_late, t);
    if (err) {
        free(t);
        return err;
    }
    t->list = list;
    DL_APPEND(list->first, t);
    timer_start(t->late, wait_ms);
    *out = t;
    return 0;
}
