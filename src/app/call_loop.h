/* One call loop: a thread with its FastAGI listener and routes, its Lua state, its audio clock and its talks.
 * Made and ended by the daemon's main thread; what runs in it talks to the control loop by posts only. */
#pragma once

#include "app/agents.h"
#include "call/stasis.h"
#include "net/listener.h"
#include "route/routes.h"
#include "store/store.h"

struct call_loop;
struct call_talk;
struct talk_files;

struct call_loop_options {
    unsigned index;
    struct address fastagi;               /* shared by all loops (SO_REUSEPORT) */
    const struct allow_list *allow;       /* who may connect to it */
    const char *http_hosts;               /* that tools may reach; NULL: none */
    const char *ca;                       /* who signs for services; NULL: the system's authorities */
    bool has_fastagi;
    struct routes_options routes;
    const struct agents *agents;
    struct store *store;
    struct synthesiser *voice;
    struct worker_pool *speech;
    struct talk_files *files;
    const struct talk_meters *meters;     /* NULL: nobody counts */
    struct loop *control;                 /* where talk ends are told */
    const struct log *log;
};

/* Sets everything up on the calling thread; nothing runs yet. Problems: one line each. */
int call_loop_new(struct call_loop **out, const struct call_loop_options *opt, void (*problem)(const char *line, void *arg),
                  void *arg) MUST_USE;
int call_loop_start(struct call_loop *c) MUST_USE;     /* starts the thread */
void call_loop_address(const struct call_loop *c, struct address *fastagi);
/* Reads handlers and tools again, for new calls only; a broken one stays as it was, and the log says so. Any thread, once started. */
void call_loop_reload(struct call_loop *c);
/* Refuses new sessions, lets running ones end within linger_ms, then the thread ends. Any thread; then join. */
void call_loop_stop(struct call_loop *c, int64_t linger_ms);
void call_loop_join(struct call_loop *c);
/* After join (or instead of start). */
void call_loop_free(struct call_loop *c);
/* Runs fn once on this loop, with its routes, or NULL when they are closed. Any thread. 0, -ENOBUFS, -ENOMEM. Not before start has
 * succeeded, not after join. */
int call_loop_ask(struct call_loop *c, void (*fn)(struct routes *routes, void *arg), void *arg) MUST_USE;
/* After join: figures of its routes. */
bool call_loop_figures(const struct call_loop *c, size_t i, struct route_figures *out);

/* Where sessions over another carrier than FastAGI's live: its loop, and who takes them there (place is the call_loop; on its loop). */
struct loop *call_loop_loop(const struct call_loop *c);
int call_loop_take(void *place, struct agi_carrier *carrier) MUST_USE;

/* Talks. Called on the control loop; the talk runs on this loop, on_end comes back on the control loop, once.
 * fd is the talk's from now on, also on error. */
int call_loop_talk(struct call_talk **out, struct call_loop *c, const struct stasis_talk_request *req,
                   stasis_on_talk_end *on_end, void *arg) MUST_USE;
/* Ends it early: on_end does not run any more. */
void call_loop_talk_stop(struct call_talk *t);
/* Talks that were begun and have not been told as ended. Control loop. */
size_t call_loop_talks(const struct call_loop *c);
