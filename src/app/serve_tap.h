/* The daemon's tap: the thread that reads the nodes' events, the writer behind it, and the sinks behind that. Control loop. */
#pragma once

#include "app/config.h"
#include "app/serve_console.h"
#include "base/metrics.h"
#include "sink/sink.h"
#include "store/store.h"
#include "store/tap_writer.h"
#include "tap/tap.h"

struct serve_tap;

struct serve_tap_options {
    const struct config *config;        /* all of these outlive it */
    struct store *store;                /* gaps are told on its timeline */
    struct metrics *metrics;
    const struct log *log;
};

/* NULL in *out when no node is tapped. Problems: one line each. */
int serve_tap_open(struct serve_tap **out, const struct serve_tap_options *opt, void (*problem)(const char *line, void *arg), void *arg) MUST_USE;
/* Every tapped node is logged in. NULL: true. */
bool serve_tap_is_up(const struct serve_tap *t);
/* For /ready, one check a tapped node. NULL passes. */
int serve_tap_checks(struct serve_tap *t, struct serve_console *c) MUST_USE;
/* Reads no more, lets the writer finish, lets the sinks deliver for linger_ms together. Blocks. NULL passes. */
void serve_tap_close(struct serve_tap *t, int64_t linger_ms);

/* For the admin socket and the like: index of a tapped node, its name, and what there is to know. False past the end. */
struct serve_tap_node {
    const char *name;
    struct tap_node_figures session;
    struct tap_writer_node writer;
};
bool serve_tap_node_at(const struct serve_tap *t, size_t i, struct serve_tap_node *out);
struct serve_tap_sink {
    const char *name, *driver;
    struct sink_figures figures;
};
bool serve_tap_sink_at(const struct serve_tap *t, size_t i, struct serve_tap_sink *out);
