/* `audit --live NODE`: the folder's files, with what the running node told put beside them. */
#pragma once

#include <limits.h>

#include "base/buf.h"
#include "wire/conf.h"

struct audit_live {
    char path[PATH_MAX];        /* where the view would lie */
    struct buf text;
    char version[80], from[160]; /* of the running Asterisk, and who told it; "": nobody did */
    struct conf_source source;  /* for audit_options; arg points here, so it does not move */
};

/* Asks. 0, or an exit code after a sentence on stderr. audit_live_free afterwards also on error. */
int audit_live_ask(struct audit_live *l, const char *node, const char *config_path, const char *folder);
void audit_live_free(struct audit_live *l);
