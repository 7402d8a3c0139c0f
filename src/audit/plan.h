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
    const char *name;              /* [route NAME], or [agent NAME] */
    struct text target;            /* script = TARGET */
    bool is_talk;                  /* Stasis() to an agent instead of AGI() to a route */
    bool is_there;                 /* our configuration has the section already */
};

struct plan_move {                 /* of each use */
    const struct inventory_use *use;
    enum plan_state state;
    const char *why;               /* of PLAN_HAND and PLAN_LEAVE */
    const struct plan_route *route; /* of PLAN_PATCH, and of PLAN_HAND where lines are told that a person may paste */
    const char *label;             /* of PLAN_PATCH: of the line behind the old one */
};

struct plan_known {                /* a section that our configuration has */
    const char *name, *script;     /* script: as written; NULL: it runs none */
    bool is_agent;
};

struct plan_options {
    const char *agi_dir;           /* what the inventory was made with, for the commands to paste; NULL passes */
    const char *config;            /* our configuration, likewise */
    const char *agi;               /* where Asterisk finds our FastAGI, HOST:PORT; NULL: 127.0.0.1:4573 */
    const char *app;               /* the application for Stasis(); NULL: sidetone */
    const struct plan_known *known;
    size_t known_count;
    bool with_talks;               /* scripts that listen become agents: the patch has them, too */
};

enum { PLAN_GUARD_SECONDS = 3600 };   /* what a call in Stasis() may last: longer than any talk, max_duration of its agent */

struct plan {
    const struct audit *audit;
    struct plan_options opt;       /* agi and app are set */
    struct plan_move *moves;       /* in the order of the inventory */
    size_t move_count;
    struct plan_route *routes;
    size_t route_count;
    size_t *order;                 /* of the routes, as they are told */
};

/* opt: its texts are borrowed for as long as the plan lives. 0 or -ENOMEM. */
int plan_make(struct plan **out, struct audit *a, const struct inventory *v, const struct plan_options *opt) MUST_USE;
enum { PLAN_COMMAND_MAX = 16384 };

bool plan_has_patch(const struct plan *p);
bool plan_has_section(const struct plan *p, bool is_talk); /* one that is not there yet */
/* The sections in the order in which they are told: routes, low risk first, then agents likewise. i: below route_count. */
const struct plan_route *plan_section(const struct plan *p, size_t i);
/* What is typed behind the sections: look at the patch, make it, have it loaded. i: below the count. */
size_t plan_command_count(const struct plan *p);
void plan_command(const struct plan *p, size_t i, struct buf *out);
/* plan_json.c: one object; docs/audit.md has its keys. 0, -ENOMEM, -ENOBUFS. */
int plan_json(const struct plan *p, struct buf *out) MUST_USE;
/* plan_write.c: the ordered steps, with the lines to paste. */
void plan_write(const struct plan *p, FILE *to);
/* plan_write.c: the sections alone that are not there yet. */
void plan_sections_write(const struct plan *p, FILE *to);
/* patch.c: a unified diff with names from the folder on. Lines are the files' own, secrets in them too. A file that cannot be read again as it was
 * is an error. 0, -ENOMEM, -ENOBUFS, what reading gave. */
int plan_patch(const struct plan *p, struct buf *out) MUST_USE;
/* patch.c: each file that the patch changes, whole, as it is and as it becomes; both end with the call. What on_file gives, if not 0, ends it. */
typedef int plan_file_fn(void *arg, const char *path, struct text before, struct text after);
int plan_files(const struct plan *p, plan_file_fn *on_file, void *arg) MUST_USE;
