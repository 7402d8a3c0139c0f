/* One kept FastAGI session, on its way from the loop that held it to whoever keeps it.
 * Thread: any; the sink takes or drops a recording at once and counts what it dropped. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "call/timeline.h"

enum { RECORDING_ROUTE_MAX = 64, RECORDING_STATUS_MAX = 16, RECORDING_REASON_MAX = 201 };

struct recording {
    int64_t wall_us;                       /* when it began */
    int64_t us;                            /* how long it took */
    char route[RECORDING_ROUTE_MAX];
    char call[FACT_CALL_MAX];              /* as facts of the same call say it */
    char status[RECORDING_STATUS_MAX];     /* SIDETONE_STATUS */
    char reason[RECORDING_REASON_MAX];
    unsigned commands;
    unsigned keep;                         /* recordings of this route that stay; the oldest go */
    bool is_masked, is_cut;                /* cut: the transcript met its ceiling and lacks its end */
    char *bytes;                           /* the transcript (route/tape.h); malloc'ed */
    size_t n;
};

static inline void recording_free(struct recording *r)
{
    if (r)
        free(r->bytes);
    free(r);
}

struct recording_sink {
    /* Takes ownership of r, also when it returns false (dropped: full). Never blocks. */
    bool (*keep)(void *arg, struct recording *r);
    void *arg;
};
