/* The steps of extensions.conf beside those that the running system has loaded from it: what is there only, or otherwise, on one side. */
#pragma once

#include "audit/live.h"

enum { LIVE_NAMED_MAX = 3 };

struct live_example {
    struct text extension;
    unsigned priority;             /* 0: the whole extension */
};

/* Of one context that both sides have. */
struct live_difference {
    struct text context;
    struct conf_place place;       /* files' side: of the first step that is not loaded; else of the context */
    size_t extensions;             /* whole ones */
    size_t steps;                  /* of extensions that both sides have */
    struct live_example named[LIVE_NAMED_MAX]; /* the first ones */
    size_t named_count;
};

struct live_differences {
    struct live_difference *loaded_only;  /* in no file; by context */
    size_t loaded_only_count;
    struct live_difference *file_only;    /* not loaded, or other arguments are; by context */
    size_t file_only_count;
};

/* Contexts that one side does not have at all are left out. No [steps]: nothing. Made once for an audit: what the first call gave is given again.
 * 0 or -ENOMEM; memory is the audit's. */
int live_steps_compare(const struct live_differences **out, struct audit *a) MUST_USE;
/* "2 extensions (100, 101) and 1 step (5 priority 2)": how it is told. */
void live_difference_write(const struct live_difference *d, char *out, size_t size);
