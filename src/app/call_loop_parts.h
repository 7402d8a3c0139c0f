/* What call_loop.c and call_talk.c share; nobody else includes this. */
#pragma once

#include <pthread.h>

#include "app/call_loop.h"
#include "call/conversation.h"
#include "net/ticker.h"

struct loop_agent {                /* this loop's compiled tools of one agent, side by side with agent->tools */
    struct script **tools;
    size_t count;
};

struct call_loop {
    unsigned index;
    struct loop *loop;
    struct log log;
    pthread_t thread;
    bool is_started;
    struct script_services services; /* what the engine asks of us */
    struct dialer *dialer;           /* of scripts */
    struct script_engine *engine;
    struct routes *routes;
    struct listener *fastagi;
    struct ticker *ticker;
    const struct agents *agents;
    struct loop_agent *own;
    struct store *store;
    struct synthesiser *voice;
    struct worker_pool *speech;
    struct talk_files *files;
    const struct talk_meters *meters;
    struct loop *control;
    size_t talks;                  /* control loop's count */
    struct call_talk *live;        /* loop side: talks that have a conversation */
    bool is_closing, routes_closed;
    struct route_figures *figures; /* taken when the routes closed */
    size_t route_count, figure_count;
    int64_t linger_ms;
};

/* Loop side: ends every conversation. */
void call_talk_stop_all(struct call_loop *c);
/* Loop side: the last talk or the routes ended while closing. */
void call_loop_check_done(struct call_loop *c);
