/* `audit --live NODE`: the folder's files, with what the running node told put beside them. */
#pragma once

#include <limits.h>

#include "app/live_view.h"
#include "wire/conf.h"

struct audit_live {
    char path[PATH_MAX];        /* where the view would lie */
    struct live_view view;
    const char *version;        /* of the running Asterisk; NULL: nobody told it */
    char from[160];             /* who told it */
    struct conf_source source;  /* for audit_options; arg points here, so it does not move */
};

/* Asks. 0, or an exit code after a sentence on stderr. audit_live_free afterwards also on error. */
int audit_live_ask(struct audit_live *l, const char *node, const char *config_path, const char *folder);
void audit_live_free(struct audit_live *l);
