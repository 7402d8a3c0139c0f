/* What the files of the routes share: routes.c opens, reports and closes, routes_visit.c carries one connection from accept to its
 * closed end. Nobody else includes this. */
#pragma once

#include "route/recorder.h"
#include "route/routes.h"

enum { ROUTES_CALL_ID_MAX = FACT_CALL_MAX - 1 };

struct route {
    struct script *script;    /* one of both */
    struct hosted_pool *host;
    struct route_options opt; /* its name, handler and shadow are not kept */
    struct admission *admission;
    struct recorder_options record;
    bool records;
    struct shadow *shadow;  /* NULL: none */
    struct route_figures figures;
};

/* One connection, from accept to its closed end. */
struct visit {
    struct routes *routes;
    struct route *route;    /* NULL until chosen, and for those who fit none */
    struct agi_session *session;
    struct script_run *run; /* one of both, once begun */
    struct hosted *hosted;
    struct recorder *recorder; /* also what a shadow reads; NULL: nobody looks on */
    enum { ARRIVING, ADMITTED, REFUSED, LEAVING } counted; /* in which list and count it stands */
    struct ticket ticket;   /* of the route */
    bool waits;             /* in the route's queue */
    bool has_place;         /* in the gate of all sessions */
    int64_t ready_us;       /* environment complete; 0: never */
    bool is_told;           /* by an agi.start */
    const char *answer;     /* reason told without a handler; NULL: none */
    enum agi_end status;
    int64_t started_us;
    char call[ROUTES_CALL_ID_MAX + 1];
    struct visit *prev, *next;
};

struct routes {
    struct loop *loop;
    struct script_engine *engine;
    const struct timeline *timeline;
    const struct recording_sink *recordings;
    struct log log;
    struct route *list;     /* count of them, then one for visitors who fit none */
    size_t count, sessions_max, active, refusals, arriving;
    struct gate *gate;
    int64_t env_ms;
    struct routes_doors doors;
    int64_t told_us;
    uint64_t untold;
    struct visit *visits;   /* environment complete */
    struct visit *arrivals; /* not yet, in order of arrival */
    struct visit *untold_from; /* of visits: the first that may yet be told by an agi.start */
    struct timer *starts;
    struct timer *linger;
    bool closing;
    void (*on_closed)(void *arg);
    void *closed_arg;
};

/* ---- routes.c ---- */
/* A visit or a shadow has gone: the last one ends a routes_close. */
void routes_close_check(struct routes *rs);

/* ---- routes_visit.c ---- */
/* Tells of the sessions that are open for a second by now; the timer of routes calls it. */
void routes_tell_starts(void *arg);
/* All visits are told to end: ERROR for those who run, BUSY for those who wait, not a word to the unfinished. */
void routes_stop_all(struct routes *rs);
