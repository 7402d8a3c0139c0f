/* What makes a finding the same finding tomorrow: rule, file, section and the words of its line; not the line's number, and no secret. */
#pragma once

#include "audit/audit.h"
#include "audit/source.h"

enum { FINGERPRINT_HEX = 32 };

/* The file's name within the folder: "extensions.conf". Borrowed from the finding. */
const char *fingerprint_file(const struct audit *a, const char *file);
/* Lowercase hex digits, terminated. 0 or -ENOMEM. */
int fingerprint_make(char out[FINGERPRINT_HEX + 1], const struct audit *a, struct source *s, const struct audit_finding *f) MUST_USE;
