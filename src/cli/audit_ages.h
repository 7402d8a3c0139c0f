/* How old the folder's files and secrets are, given to the auditor as one more file of the folder (audit/ages.h). */
#pragma once

#include <limits.h>
#include <stdint.h>

#include "base/buf.h"
#include "wire/conf.h"

struct audit_ages {
    const char *folder;
    const struct conf_source *below;    /* where the other files come from */
    int64_t now_s, limit_days;          /* 0: ages are not told */
    struct buf files, exchanged;
    struct conf_source source;          /* for audit_options; arg points here, so it does not move */
};

/* The record of exchanges is looked up where our configuration says; without one (NULL: the default path) there is none. */
void audit_ages_begin(struct audit_ages *g, const char *folder, const struct conf_source *below, const char *config_path, int64_t limit_days, int64_t now_s);
void audit_ages_end(struct audit_ages *g);
