/* What the files of the NATS sink share: one connection with its stream, made on a thread of its own because libnats blocks while connecting. */
#pragma once

#include <nats/nats.h>

#include "sink/sink_parts.h"

struct nats_plan {                  /* copies: a link that is given up outlives the sink's settings */
    char url[512], host[256], user[256], secret[512], ca[512], stream[128], subject[128];
    uint16_t port;
    bool has_user, has_secret, has_ca, is_tls, is_insecure;
    int64_t timeout_ms;             /* of each step of connecting */
};

struct nats_link {
    natsConnection *conn;
    natsSubscription *acks;
    char inbox[64];                 /* acknowledgements come to inbox.* */
    struct sink_seen seen;          /* keys of the stream's last messages */
    unsigned batch;                 /* tells late acknowledgements of an earlier batch apart */
};

enum { NATS_TAIL = 4096 };          /* messages of the stream's end are asked for their keys at each connection */

/* Connects, makes sure of the stream, learns its last keys; at most until the deadline. 0, -EAGAIN with why. */
int nats_link_open(struct nats_link **out, const struct nats_plan *plan, const struct sink_patience *patience, int64_t deadline_us, char *why,
                   size_t why_size) MUST_USE;
void nats_link_close(struct nats_link *l);      /* NULL passes */
