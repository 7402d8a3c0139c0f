/* The daemon's monitoring: the console port, what /ready asks about, and the figures of nodes and store. Control loop. */
#pragma once

#include "app/config.h"
#include "app/console.h"
#include "app/serve_nodes.h"
#include "store/store.h"

struct serve_console;

struct serve_console_options {
    const struct config *config;
    struct loop *control;
    const struct gather_from *from;     /* all of these outlive it */
    const struct serve_nodes *nodes;
    struct store *store;
    struct metrics *metrics;
    const struct log *log;
};

/* NULL in *out when the configuration names no console. Problems: one line each. */
int serve_console_open(struct serve_console **out, const struct serve_console_options *opt, void (*problem)(const char *line, void *arg),
                       void *arg) MUST_USE;
/* For /ready, beside the nodes' ARI and AsyncAGI sessions. NULL passes. */
int serve_console_check(struct serve_console *c, const char *name, bool (*is_ready)(void *arg), void *arg) MUST_USE;
void serve_console_close(struct serve_console *c);      /* NULL passes */
