/* AsyncAGI of one node: channels that wait in AGI(agi:async,ROUTE,args...) are served by the same sessions as FastAGI's, each on a
 * call loop, while their AMI session stays on the control loop. docs/internals/ami.md draws it.
 * Thread: the control loop, except where said. Handlers never run from inside a call you make. */
#pragma once

#include "pbx/agi_carrier.h"
#include "pbx/ami_client.h"

struct asyncagi;

struct asyncagi_places {
    /* Control loop: where the next session is to live; *place is given to accept. NULL: nowhere, the channel is given back. */
    struct loop *(*choose)(void *arg, void **place);
    /* On that loop: takes the carrier by agi_session_over, or refuses: -EBUSY and the like; the channel is then given back. */
    int (*accept)(void *place, struct agi_carrier *c);
    void *arg;
};

struct asyncagi_options {
    struct ami_options ami;        /* events is set here */
    size_t channels_max;           /* 0 = 4096; more are given back with BUSY */
};

struct asyncagi_figures {
    uint64_t started, refused, lost, rescued; /* lost: by the AMI session's end; rescued: found waiting and given back */
    size_t channels;
};

int asyncagi_open(struct asyncagi **out, struct loop *control, struct dialer *d, const struct asyncagi_options *opt,
                  const struct asyncagi_places *places, const struct log *log) MUST_USE;
bool asyncagi_is_up(const struct asyncagi *a);
void asyncagi_figures(const struct asyncagi *a, struct asyncagi_figures *out);
/* New channels are given back; running sessions may end within linger_ms, then they are ended with SIDETONE_STATUS=ERROR, reason
 * "shutdown". The loops of the sessions must still run. on_closed is last; a is gone then. */
void asyncagi_close(struct asyncagi *a, int64_t linger_ms, void (*on_closed)(void *arg), void *arg);
