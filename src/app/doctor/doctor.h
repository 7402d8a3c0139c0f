/* Looks at the nodes of a configuration and at this machine, and says what is in the way. Blocking, for tools; changes nothing. */
#pragma once

#include "app/config.h"
#include "app/doctor/report.h"

struct doctor_options {
    const char *config_path;    /* NULL: CONFIG_DEFAULT_PATH */
    const char *node;           /* NULL: all */
    const char *asterisk_etc;   /* Asterisk's files; NULL: /etc/asterisk, for nodes on this machine */
    int64_t limit_ms;           /* a node; 0 = 12,000 */
};

/* 0 (whatever was found), -ENOENT (no node of that name; the report has the names), -ENOMEM. The configuration belongs to the report's
 * lines: it is handed out, and freed after them. */
int doctor_run(struct doctor_report *r, const struct doctor_options *opt, struct config **config) MUST_USE;
