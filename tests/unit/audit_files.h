/* A configuration folder in memory, cut out of one text: a line ";; file NAME" begins another file. */
#pragma once

#include "audit/audit.h"

struct audit_files {
    const char *first, *text; /* the name and content of the first file */
    struct conf_source source;
};

/* Fills f->source; the folder is "/etc/asterisk". */
void audit_files_init(struct audit_files *f, const char *first, const char *text);
/* Opens and runs; codes as in audit_run. */
int audit_files_run(struct audit **out, struct audit_files *f, const char *const *codes, size_t count) MUST_USE;
