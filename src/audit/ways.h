/* Every place that people from outside get to, and by which way: includes, jumps, Local channels, options of Dial, transfers, forwarding, DISA.
 * Who calls in, or can dial on (WaitExten, a transfer, a jump that is computed of what he sends), runs any extension of the context; a jump to one
 * extension leads to that one only. Steps behind one that asks for a code are not reached. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan.h"
#include "audit/flow.h"
#include "audit/outsiders.h"
#include "audit/taint.h"

struct way_node {
    const struct dialplan_context *context;
    const struct dialplan_extension *extension; /* NULL: all of the context */
    size_t from;                   /* index of the node that led here; SIZE_MAX: the way in */
    struct conf_place place;       /* of the include or the jump */
    const char *how;
    bool is_fixed;                 /* a subroutine, and on this way no caller chose its arguments */
};

struct ways {                      /* from one way in */
    struct audit *audit;
    const struct outsider *entry;
    const struct taint_world *world;
    struct arena *scratch, *stations;
    struct taint_state taint;      /* of the extension followed, in that node, before the step followed_to */
    const struct dialplan_extension *followed;
    size_t followed_node;
    const struct dialplan_step *followed_to;
    struct way_node *nodes;
    size_t count;
    unsigned char *seen;           /* by number of the context: all of it */
    unsigned char *fits;           /* by number of the context: looked at for one jump */
    unsigned char *seen_alone;     /* by number of the extension: SEEN_FIXED, or SEEN */
};

typedef int ways_visit_step(struct ways *w, const struct audit_rule *self, size_t node, const struct dialplan_step *s);
typedef int ways_visit(struct ways *w, const struct audit_rule *self, size_t node);

/* Calls visit for each node of each way in, until one gives an error. No dialplan: 0. */
int ways_each(struct audit *a, const struct audit_rule *self, ways_visit *visit) MUST_USE;
/* The extensions of a node: calls it with i from 0 until it gives NULL. */
const struct dialplan_extension *ways_extension(const struct ways *w, size_t node, size_t i);
/* Calls visit for each step of the node that is reached without a code. */
int ways_each_step(struct ways *w, const struct audit_rule *self, size_t node, ways_visit_step *visit) MUST_USE;
/* What callers decide in that extension when they come by this way. */
void ways_taint(const struct ways *w, size_t node, const struct dialplan_extension *e, struct taint_state *out);
/* Gives the finding made last the way to the node, and as its end the step and what its extension does there. */
int ways_show(struct ways *w, size_t node, const struct dialplan_step *at, const char *deed) MUST_USE;
/* Has Dial or Queue that option letter? Letters inside of (), ${} are something else. */
bool ways_has_option(const struct flow_call *c, char letter);
/* From here on the caller has proved who he is. */
bool ways_is_gate(const struct dialplan_step *s);
