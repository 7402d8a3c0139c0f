/* Runs a new handler beside the live one, on the live call's replies, and counts where it differs. It has a Lua state of its own (its
 * own memory ceiling), reads the store, and touches nothing else. Thread: the routes' loop. */
#pragma once

#include "route/mask.h"
#include "route/script.h"
#include "route/tape.h"

enum { SHADOW_ACTIVE_MAX = 64, SHADOW_STRIKES_MAX = 3, SHADOW_LAST_MAX = 240 };

struct shadow_figures {
    uint64_t sessions;             /* compared to the end */
    uint64_t differing;            /* of these, not the same */
    uint64_t differences;          /* commands more, less or other, and other outcomes */
    uint64_t skipped;              /* not compared: too many at once, no memory, too long, or switched off */
    uint64_t active;
    bool is_off;                   /* it ran over its budget or its memory SHADOW_STRIKES_MAX times in a row */
    char last[SHADOW_LAST_MAX];    /* the last difference, one line; "" when there was none */
};

struct shadow;

/* live: whose store look-ups it uses. on_idle: the last session has ended, after shadow_stop. Broken file: -EINVAL and *problem. */
int shadow_open(struct shadow **out, struct loop *l, const struct script_engine *live, const char *path, const char *route,
                const struct log *log, void (*on_idle)(void *arg), void *arg, char **problem) MUST_USE;
/* The live session begins; its tape grows with it, and tells its end. hide: for the line that is kept; NULL: nothing is hidden. */
void shadow_begin(struct shadow *s, struct tape *tape, int64_t deadline_ms, const struct mask *hide);
/* Reads the file again, for new sessions, and switches the shadow on again; a broken one stays as it was, and *problem tells. */
int shadow_reload(struct shadow *s, char **problem) MUST_USE;
void shadow_figures(const struct shadow *s, struct shadow_figures *out);
bool shadow_is_idle(const struct shadow *s);
/* No more sessions; those under way end soon, and are not counted. */
void shadow_stop(struct shadow *s);
void shadow_free(struct shadow *s); /* idle; NULL passes */
