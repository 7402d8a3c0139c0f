/* What is to be set up between one Asterisk and us: the values that every file of `init` is written from. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "app/config.h"
#include "base/err.h"

enum init_part { INIT_TAP = 1, INIT_CONTROL = 2, INIT_ARI = 4, INIT_AGI = 8, INIT_ASYNCAGI = 16 };

enum init_secret_of { INIT_TAP_SECRET, INIT_CONTROL_SECRET, INIT_ARI_SECRET, INIT_SECRETS };

enum { INIT_SECRET_BYTES = 24, INIT_ROUTES_MAX = 32, INIT_NAME_MAX = 63 };

/* Texts are borrowed from the options or the configuration. */
struct init_plan {
    bool is_new;                        /* there is no configuration yet: it is written, too */
    const char *node, *app;
    unsigned parts;                     /* enum init_part */
    const char *ami, *ari;              /* "tcp://127.0.0.1:5038", "http://127.0.0.1:8088" */
    const char *from;                   /* our address, as Asterisk sees it */
    char fastagi[100];                  /* host:port */
    const char *audiosocket;
    const char *state_dir;
    const char *users[INIT_SECRETS];    /* of manager.conf, manager.conf, ari.conf; NULL: not wanted */
    const char *routes[INIT_ROUTES_MAX];
    size_t route_count;
    const char *agent;                  /* NULL: none */
};

struct init_options {
    const char *node, *ami, *ari, *from, *with, *fastagi, *audiosocket, *state_dir; /* NULL: the usual */
};

/* From options alone. 0, or -EINVAL and one sentence. memory keeps what was made; free() it after the plan. */
int init_plan_new(struct init_plan *p, const struct init_options *opt, char **memory, char *why, size_t size) MUST_USE;
/* From a configuration that is there: exactly what its node uses. 0, -ENOENT (no such node), -EINVAL. */
int init_plan_of(struct init_plan *p, const struct config *c, const struct init_options *opt, char *why, size_t size) MUST_USE;
