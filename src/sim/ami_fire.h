/* A firehose that plays the AMI side of one or many Asterisks: login (plain, MD5), pings, channel lists, and the events of plain calls at a rate or
 * as fast as they are read. On a thread of its own. Nothing is ever left out: who does not read makes it wait. For tools only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct ami_fire;

struct ami_fire_options {
    unsigned nodes;             /* a port each; 0 = 1 */
    uint16_t port;              /* of the first node, the others follow; 0: any free ones */
    unsigned rate;              /* events a second of each session; 0: as fast as they are read */
    uint64_t events_max;        /* of each session; 0: no end */
    bool ends;                  /* after events_max: Shutdown, and the connection is closed */
    unsigned calls;             /* open at one time: 0 = 64 */
    const char *user, *secret;
    int64_t clock_ahead_us;     /* of all nodes, against ours */
    /* Firehose's thread, before each piece of work: false makes a pause. NULL: always. For who wants to send as fast as something behind the reader takes it. */
    bool (*may_send)(unsigned node, void *arg);
    void *arg;
};

struct ami_fire_figures {
    uint64_t sent, calls;       /* events handed to the kernel; calls that ended */
    unsigned sessions;          /* that receive events now */
    uint64_t logins, refused;
};

int ami_fire_open(struct ami_fire **out, const struct ami_fire_options *opt) MUST_USE;
void ami_fire_close(struct ami_fire *f);                        /* NULL passes */
uint16_t ami_fire_port(const struct ami_fire *f, unsigned node);
/* Any thread. */
void ami_fire_hold(struct ami_fire *f);                         /* no new events from now on; sessions stay */
bool ami_fire_is_held(const struct ami_fire *f);                /* and all that was begun is with the kernel */
void ami_fire_figures_of(const struct ami_fire *f, unsigned node, struct ami_fire_figures *out);
