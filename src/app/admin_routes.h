/* The admin verb `routes`: the figures of every route, gathered from all call loops. */
#pragma once

#include "app/admin.h"
#include "app/gather.h"

struct admin_routes {
    struct gather_from from;
    struct store *store;
};

/* arg: the struct admin_routes, which outlives the admin socket. */
struct admin_verb admin_routes_verb(struct admin_routes *r);
