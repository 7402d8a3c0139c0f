/* Every context that people from outside get to, and by which way: includes, jumps, Local channels, options of Dial, transfers, forwarding, DISA.
 * Whoever is in a context is taken to run any extension of it, up to a step that asks for a code. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan.h"
#include "audit/outsiders.h"

struct way_node {
    const struct dialplan_context *context;
    size_t from;                   /* index of the node that led here; SIZE_MAX: the way in */
    struct conf_place place;       /* of the include or the jump */
    const char *how;
};

struct ways {                      /* from one way in */
    struct audit *audit;
    const struct outsider *entry;
    struct way_node *nodes;
    size_t count;
    unsigned char *seen;           /* by number of the context */
};

typedef int ways_visit(struct ways *w, const struct audit_rule *self, size_t node);

/* Calls visit for each node of each way in, until one gives an error. No dialplan: 0. */
int ways_each(struct audit *a, const struct audit_rule *self, ways_visit *visit) MUST_USE;
/* Gives the finding made last the way to the node, and as its end the step and what its extension does there. */
int ways_show(struct ways *w, size_t node, const struct dialplan_step *at, const char *deed) MUST_USE;
/* From here on the caller has proved who he is. */
bool ways_is_gate(const struct dialplan_step *s);
