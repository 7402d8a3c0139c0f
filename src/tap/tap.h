/* The tap: a thread that reads the AMI events of every node, stamps them and hands them over. It does nothing else: a reader that is late
 * slows Asterisk's calls (measured: by a third), and one that stalls past writetimeout is cut off. */
#pragma once

#include "base/log.h"
#include "pbx/secret_again.h"
#include "tap/queue.h"

struct tap;

struct tap_node_options {
    const char *name;
    const char *url;                    /* tcp:// or tls:// */
    const char *user, *secret;          /* needs read= only */
    struct secret_again again, control_again;   /* as of ami_options */
    const char *ca, *pin;               /* NULL: the system's authorities; sha256//... of the public key */
    bool is_insecure, is_plain;         /* is_insecure is said in every log line of the node */
    const char *events;                 /* classes, or NULL: all that the user may read */
    const char *const *filters;         /* Action: Filter lines (legacy or advanced form), installed by the control user's rights on the tap's own session if it may, and verified by observation */
    size_t filter_count;
    const char *control_user, *control_secret;  /* write=reporting; a second session for actions (CoreShowChannels at resynchronising); NULL: none */
    struct tap_queue *queue;
};

struct tap_options {
    const struct tap_node_options *nodes;
    size_t count;
    /* A Ping was answered with a time (wall microseconds). Tap loop. */
    void (*on_clock)(uint32_t node, int64_t sent_us, int64_t got_us, int64_t node_us, void *arg);
    void *arg;
    const struct log *log;
    int64_t ping_ms, action_ms, retry_max_ms;  /* as of ami_options; 0 = its own */
    int64_t control_ms, settle_ms;      /* resynchronising: wait for the control session, pause behind the list; 0 = 10,000 and 250 */
};

struct tap_node_figures {               /* any thread */
    bool is_up, has_times;              /* has_times: events carry Timestamp */
    bool filters_hold;                  /* false: an event came that a filter should have kept away; it was said in the log */
    uint64_t connects, events, bytes, forged, duplicates, cut, resyncs, filter_misses;
    int64_t up_since_us, last_event_us;
    char asterisk[64], last_problem[160];
};

/* Starts the thread; nodes connect by themselves and again. */
int tap_open(struct tap **out, const struct tap_options *opt, char **problem) MUST_USE;
/* Logs off, joins. No queue is touched after that. NULL passes. */
void tap_close(struct tap *t);
void tap_node_figures_of(struct tap *t, uint32_t node, struct tap_node_figures *out);
