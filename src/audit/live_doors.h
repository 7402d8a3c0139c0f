/* The doors that the files open (AMI, HTTP, SIP transports) beside the addresses on which the running system listens. */
#pragma once

#include <stdint.h>

#include "audit/live.h"
#include "audit/reach.h"

enum { LIVE_HOST_MAX = 64 };

struct live_address {
    char host[LIVE_HOST_MAX];      /* a number as inet_ntop writes it, without brackets, or a name; "::", "0.0.0.0": every address */
    uint16_t port;                 /* 0: no address at all */
};

struct live_door {
    const char *what, *key;        /* "AMI"; "manager" in [listens] */
    struct text name;              /* of a transport; else absent */
    bool is_udp, is_on;            /* is_on: the files open it */
    bool is_shared;                /* other doors have the same key: only the port tells which is which */
    struct live_address at;        /* where it is on, or would be */
    struct conf_place place;       /* of the address, or of what switches it off */
};

struct live_doors {
    struct live_door *doors;
    size_t count;
};

/* "127.0.0.1:5038", "[::]:5060", "::", "pbx.example": port where none stands there. False: nothing of the kind. Pure. */
bool live_address_read(struct live_address *out, struct text t, uint16_t port);
/* "[::]:5060" */
void live_address_write(const struct live_address *a, char *out, size_t size);
enum reach live_address_reach(const struct live_address *a);

/* Of manager.conf, http.conf and pjsip.conf, as far as they are there. 0 or -ENOMEM; memory is the audit's. */
int live_doors_read(struct live_doors *out, struct audit *a) MUST_USE;

struct live_look {
    bool is_known;                 /* somebody told about doors of this kind */
    bool is_heard;                 /* the running system listens where the files want it to, or on more addresses */
    struct live_address at;        /* where it listens, of several the one that most can reach; port 0: nowhere */
};
/* By what Asterisk says and by what its process does: that counts more, since a bind that failed is told as one that did not. */
void live_door_look(struct live_look *out, const struct audit *a, const struct live_door *d);
