/* An Asterisk version as people and packages write it: "22", "22.4.1", "1:22.10.1~dfsg+~cs6.17-1", "22.9.0-rc1". Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

struct audit_version {
    unsigned parts[3];
    unsigned count;                /* of parts that are told: 1 is the line alone */
    bool is_before;                /* a release candidate or the like: before the release of that number */
};

/* False, and *out untouched: no version. A word "Asterisk" before it and an epoch are passed over; so is what a package puts behind it. */
bool audit_version_read(struct audit_version *out, struct text t);
/* Grows with the version. */
int64_t audit_version_number(const struct audit_version *v);
