/* FastAGI routes of one call loop: agi://host/NAME?query goes to the route of that name, the rest to "default", and what fits none
 * goes back to the dialplan with SIDETONE_STATUS=ERROR. Thread: its loop. */
#pragma once

#include "base/hist.h"
#include "call/recording.h"
#include "call/timeline.h"
#include "net/listener.h"
#include "route/admission.h"
#include "route/hosted.h"
#include "route/script.h"
#include "route/shadow.h"

struct routes;

struct route_options {
    const char *name;
    const char *handler;           /* absolute path of a Lua file; NULL: the route has a script */
    const struct hosted_options *script; /* NULL: the route has a handler; what it points at outlives the routes */
    int64_t deadline_ms;           /* from the end of the environment, a wait in the queue included */
    int64_t idle_ms;               /* longest wait for one reply; 0 = 60,000 */
    struct gate *gate;             /* sessions at a time, on all loops; NULL: no ceiling. Outlives the routes */
    size_t queue;                  /* that may wait for a place, on this loop */
    int64_t queue_wait_ms;
    const char *http_hosts;        /* NULL: none */
    struct route_place {           /* where a call goes on that found no place; context NULL: behind AGI(). The texts are kept by the caller */
        const char *context, *extension, *priority;
    } when_full;
    bool record, record_masks;
    unsigned record_max;           /* recordings of this route that stay; 0 = 1000 */
    const char *shadow;            /* absolute path of a Lua file that runs beside; NULL: none */
};

struct routes_options {
    const struct route_options *routes;
    size_t count;
    const struct recording_sink *recordings; /* NULL: nothing is recorded */
    size_t sessions_max;           /* per loop; more get SIDETONE_STATUS=BUSY; 0 = 4096 */
    struct gate *gate;             /* sessions of all loops together; NULL: no ceiling */
    int64_t env_ms;                /* whole environment within; 0 = 2000 */
};

struct route_figures {
    char name[64];
    uint64_t sessions, timeouts, errors, active;
    uint64_t busy;                 /* found no place */
    uint64_t queued, waiting;      /* ever; now */
    uint64_t recorded, record_dropped;
    struct shadow_figures shadow;
    struct hist command_us, session_us;
};

/* Connections that never came to a route. */
struct routes_doors {
    uint64_t bare;                 /* closed without a byte: health checks */
    uint64_t unfinished;           /* no complete environment: nonsense, too slow, too long */
    uint64_t crowded_out;          /* unfinished ones that had to go for newer ones */
    uint64_t cut_off;              /* a flood over every ceiling: closed without a word */
    size_t arriving;               /* now within their environment */
    size_t sessions;               /* now at a handler, in a queue, or at their farewell */
};

/* Every broken handler is told by problem (file:line: text), then -EINVAL. */
int routes_open(struct routes **out, struct loop *l, struct script_engine *e, const struct routes_options *opt,
                const struct timeline *timeline, const struct log *log,
                void (*problem)(const char *line, void *arg), void *arg) MUST_USE;
/* Copies what the script host counted for route i; false when that has no script, or there is no such route. */
bool routes_hosted(const struct routes *r, size_t i, struct hosted_figures *out);
/* listener_on_accept: arg is the struct routes. */
void routes_accept(struct stream *s, void *arg);
/* The same for a channel in AsyncAGI: on success the carrier is the session's, on error it stays the caller's. */
int routes_take(struct routes *r, struct agi_carrier *c) MUST_USE;
/* Copies figures of route i; false past the end. */
bool routes_figures(const struct routes *r, size_t i, struct route_figures *out);
/* Reads the handlers again, for new sessions only. A broken one stays as it was; problem tells (route NAME: file:line: text).
 * Returns how many are new. */
size_t routes_reload(struct routes *r, void (*problem)(const char *line, void *arg), void *arg);
void routes_doors(const struct routes *r, struct routes_doors *out);
/* New sessions are refused (BUSY), running ones may finish within linger_ms, then they end with ERROR. on_closed is last;
 * inside it routes_figures may still be asked, after it r is gone. */
void routes_close(struct routes *r, int64_t linger_ms, void (*on_closed)(void *arg), void *arg);
