/* What `sidetone audit --plan` and `--patch` print, and `--apply` writes. */
#pragma once

#include "audit/audit.h"
#include "cli/audit_output.h"

/* A code of enum cli_exit; what went wrong is said on stderr. */
int audit_plan(struct audit *a, const struct audit_request *q);
