/* FastAGI routes of one call loop: agi://host/NAME?query goes to the route of that name, the rest to "default", and what fits none
 * goes back to the dialplan with SIDETONE_STATUS=ERROR. Thread: its loop. */
#pragma once

#include "base/hist.h"
#include "call/recording.h"
#include "call/timeline.h"
#include "net/listener.h"
#include "route/script.h"
#include "route/shadow.h"

struct routes;

struct route_options {
    const char *name;
    const char *handler;           /* absolute path of a Lua file */
    int64_t deadline_ms;
    bool record, record_masks;
    unsigned record_max;           /* recordings of this route that stay; 0 = 1000 */
    const char *shadow;            /* absolute path of a Lua file that runs beside; NULL: none */
};

struct routes_options {
    const struct route_options *routes;
    size_t count;
    const struct recording_sink *recordings; /* NULL: nothing is recorded */
    size_t sessions_max;           /* per loop; more get SIDETONE_STATUS=BUSY; 0 = 4096 */
};

struct route_figures {
    char name[64];
    uint64_t sessions, timeouts, errors, active;
    uint64_t recorded, record_dropped;
    struct shadow_figures shadow;
    struct hist command_us, session_us;
};

/* Every broken handler is told by problem (file:line: text), then -EINVAL. */
int routes_open(struct routes **out, struct loop *l, struct script_engine *e, const struct routes_options *opt,
                const struct timeline *timeline, const struct log *log,
                void (*problem)(const char *line, void *arg), void *arg) MUST_USE;
/* listener_on_accept: arg is the struct routes. */
void routes_accept(struct stream *s, void *arg);
/* Copies figures of route i; false past the end. */
bool routes_figures(const struct routes *r, size_t i, struct route_figures *out);
/* New sessions are refused (BUSY), running ones may finish within linger_ms, then they end with ERROR. on_closed is last. */
void routes_close(struct routes *r, int64_t linger_ms, void (*on_closed)(void *arg), void *arg);
