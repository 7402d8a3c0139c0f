/* Which contexts people outside reach without proving who they are. Pure. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan.h"

enum { OUTSIDERS_MAX = 256 };

struct outsider {
    const struct dialplan_context *context;
    struct conf_place place;       /* of the line that lets them in */
    const char *why;
};

/* SIP endpoints without auth= (a trunk is one too: its callers are outsiders), anonymous ones, IAX guests, and contexts that bear the names
 * which sample configurations and front ends give to the way in. Each context once. Returns how many. */
size_t outsiders_find(const struct audit *a, struct outsider out[OUTSIDERS_MAX]);
