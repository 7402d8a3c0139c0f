/* What time it is on a node, from Pings: offset and drift of its clock against ours. Pure.
 * The node's time stands somewhere between our sending and our getting, so a sample is worth as much as its round trip is short. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { NODE_CLOCK_SAMPLES = 64 };

struct node_clock {                     /* plain value; zero is a clock that nobody has asked */
    struct node_clock_sample {
        int64_t mid_us, offset_us, rtt_us;
    } samples[NODE_CLOCK_SAMPLES];      /* a ring; only those of the window count */
    size_t count, next;
    uint64_t seen;                      /* since the start */
    uint64_t steps;                     /* the clock jumped: samples before it were dropped */
    /* The line: offset = base_us + drift * (t - at_us). */
    int64_t at_us, base_us, error_us;
    double drift;                       /* microseconds a microsecond */
    double base_variance, drift_variance, covariance;
};

/* sent_us, got_us: our wall clock; node_us: the node's, told between them. Nonsense (got before sent, times before 1970) is left out. */
void node_clock_add(struct node_clock *c, int64_t sent_us, int64_t got_us, int64_t node_us);
bool node_clock_is_known(const struct node_clock *c);
/* The node's clock minus ours at our moment t_us. */
int64_t node_clock_offset(const struct node_clock *c, int64_t t_us);
