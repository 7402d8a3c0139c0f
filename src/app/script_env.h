/* What hosted scripts find around them: the environment variables, the directory of relative names, the working directory. */
#pragma once

#include <stddef.h>

#include "base/err.h"

struct script_env {
    const char *const *list;    /* NULL ends it */
    const char *agi_dir;        /* where AGI() looks for a relative name */
    const char *cwd;
    void *memory;               /* internal */
};

struct script_env_options {
    const char *asterisk_conf;  /* read for [directories]; what it lacks has Debian's value */
    const char *agi_dir, *cwd;  /* NULL: Asterisk's astagidir; astvarlibdir */
    const char *const *pass;    /* names of variables of ours that go on, beside those that carry no secrets (PATH, HOME, LANG, TZ...) */
    size_t pass_count;
};

/* 0, -ENOMEM. A file that cannot be read counts as empty. */
int script_env_new(struct script_env *out, const struct script_env_options *opt) MUST_USE;
void script_env_free(struct script_env *e);
