/* What `sidetone audit` gives out of an audit that has run: the form that was asked for, files, and the exit code. */
#pragma once

#include <stdint.h>

#include "audit/audit.h"

enum audit_form { AUDIT_FORM_TEXT, AUDIT_FORM_JSON, AUDIT_FORM_SARIF };

struct audit_request {
    const char *folder, *only;
    enum audit_form form;
    enum audit_severity least, fail_on;
    bool never_fails;
    size_t max;
    const char *baseline, *write_baseline, *html; /* files; NULL: none */
    bool wants_inventory, wants_plan, wants_patch, wants_apply;
    const char *version, *version_from; /* NULL: as audit_options has it */
    const char *agi_dir;           /* NULL: as asterisk.conf says */
    bool with_talks;               /* the plan's */
    const char *config, *node;     /* ours; the one that was asked; NULL: none given */
    int64_t secret_age;            /* days from which a secret is old; 0: never told */
};

/* A code of enum cli_exit; what went wrong is said on stderr. */
int audit_output(struct audit *a, const struct audit_request *q);
