/* One order out of many nodes: events by the moment Asterisk emitted them, by our clock, behind a watermark. Pure: time is handed in.
 * Within a node the order of arrival is never changed, so that what belongs to one call stays causal. One node alone is handed through at once. */
#pragma once

#include "tap/event.h"

struct merge;

struct merge_options {
    size_t nodes;
    int64_t hold_us;            /* longest wait for the others: 0 = 30,000 */
    size_t events_max;          /* held at one time, all nodes; more are let out at once and counted: 0 = 65,536 */
};

struct merge_clock {
    bool is_known;
    int64_t offset_us;          /* node's clock minus ours, now */
    double drift_ppm;           /* how the offset grows, microseconds a second */
    int64_t error_us;           /* half of the shortest round trip in use */
    uint64_t samples;
};

struct merge_figures {
    uint64_t late, forced;      /* labelled TAP_LATE; let out because events_max was met */
    size_t held;
};

int merge_new(struct merge **out, const struct merge_options *opt) MUST_USE;
void merge_free(struct merge *m);               /* frees what it holds; NULL passes */
/* A Ping and its answer: wall clock before and after by us, Asterisk's Timestamp between. The shortest round trips of a window of minutes
 * count; a line through them gives offset and drift; a step of the node's clock (NTP, suspend) is noticed and starts anew. */
void merge_clock_sample(struct merge *m, uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us);
void merge_clock_of(const struct merge *m, uint32_t node, struct merge_clock *out);
/* Takes ownership; sets order_us (emit_us less the offset; recv_us when the node tells no time, or no clock is known; notes: recv_us). */
void merge_put(struct merge *m, struct tap_event *e, int64_t now_us);
/* A node that is down or silent does not hold up the others: say so. A node that is up and silent holds them for hold_us at most. */
void merge_node_up(struct merge *m, uint32_t node, bool is_up);
/* The next in order that may go now (now_us: wall clock), or NULL. The caller owns it. */
struct tap_event *merge_take(struct merge *m, int64_t now_us);
/* When merge_take is to be asked again, wall clock; INT64_MAX: nothing is held. */
int64_t merge_next_us(const struct merge *m);
void merge_figures_of(const struct merge *m, struct merge_figures *out);
