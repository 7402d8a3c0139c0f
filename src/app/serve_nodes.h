/* The nodes of the daemon: one Stasis application a node, and the choice of a call loop for each talk. Control loop. */
#pragma once

#include "app/agents.h"
#include "app/call_loop.h"
#include "app/config.h"

struct serve_nodes;

struct serve_nodes_options {
    const struct config *config;
    const struct agents *agents;
    struct call_loop *const *loops;
    size_t loop_count;
    struct loop *control;
    const struct timeline *timeline;
    const struct log *log;
};

/* Opens the AudioSocket door (only when a node has ARI, or unannounced calls are taken) and every node. Problems: one line each. */
int serve_nodes_open(struct serve_nodes **out, const struct serve_nodes_options *opt,
                     void (*problem)(const char *line, void *arg), void *arg) MUST_USE;
/* One node's state, for monitoring: names live as long as the configuration. False past the end. */
struct serve_node_state {
    const char *name;
    bool has_ari, has_asyncagi, ari_is_up, asyncagi_is_up;
    size_t calls;
};
bool serve_nodes_state(const struct serve_nodes *n, size_t i, struct serve_node_state *out);
/* Voices are taken. NULL: false. */
bool serve_nodes_has_door(const struct serve_nodes *n);
bool serve_nodes_are_up(const struct serve_nodes *n);
size_t serve_nodes_calls(const struct serve_nodes *n);
/* Hands every call back, then closes; on_closed is last. */
void serve_nodes_close(struct serve_nodes *n, int64_t linger_ms, void (*on_closed)(void *arg), void *arg);
void serve_nodes_free(struct serve_nodes *n); /* after on_closed, or instead of it when open failed */
