/* How scripts of a dialplan move behind agi://: which places can be changed by a patch, which are left to a person and why, in which order.
 * Reads only. Memory is the audit's. Thread: the audit's. */
#pragma once

#include <stdio.h>

#include "audit/inventory.h"
#include "base/buf.h"

enum plan_state {
    PLAN_PATCH,                    /* the patch has it */
    PLAN_DONE,                     /* the guard stands there already */
    PLAN_HAND,                     /* a person must do it: why */
    PLAN_LEAVE                     /* it stays as it is */
};

struct plan_route {                /* of each script that a patch moves */
    const struct inventory_script *script;
    const char *name;              /* [route NAME] */
    struct text target;            /* script = TARGET */
};

struct plan_move {                 /* of each use */
    const struct inventory_use *use;
    enum plan_state state;
    const char *why;               /* of PLAN_HAND and PLAN_LEAVE */
    const struct plan_route *route; /* of PLAN_PATCH */
};

struct plan {
    const struct audit *audit;
    const char *agi_dir;           /* as given; NULL: not */
    struct plan_move *moves;       /* in the order of the inventory */
    size_t move_count;
    struct plan_route *routes;
    size_t route_count;
};

/* agi_dir: what the inventory was made with, for the commands to paste; NULL passes. 0 or -ENOMEM. */
int plan_make(struct plan **out, struct audit *a, const struct inventory *v, const char *agi_dir) MUST_USE;
/* The ordered steps, with the lines to paste. */
void plan_write(const struct plan *p, FILE *to);
/* The [route] sections alone, low risk first. */
void plan_routes_write(const struct plan *p, FILE *to);
/* patch.c: a unified diff with names from the folder on. Lines are the files' own, secrets in them too. A file that cannot be read again as it was
 * is an error. 0, -ENOMEM, -ENOBUFS, what reading gave. */
int plan_patch(const struct plan *p, struct buf *out) MUST_USE;
/* patch.c: each file that the patch changes, whole, as it is and as it becomes; both end with the call. What on_file gives, if not 0, ends it. */
typedef int plan_file_fn(void *arg, const char *path, struct text before, struct text after);
int plan_files(const struct plan *p, plan_file_fn *on_file, void *arg) MUST_USE;
/* The text of a whole line as it is in the file is fit to be changed: its application stands where the step says. */
bool plan_line_fits(const struct dialplan_step *s, struct text line);
