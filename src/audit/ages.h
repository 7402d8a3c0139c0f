/* How old secrets are, beside the files: sidetone-ages.conf, as `audit` makes it of the files' times and the record of `rotate`. Pure.
 *
 *   [limit]      days = N         older secrets are told
 *   [files]      file = NAME, days = N              so long ago it was changed last
 *   [exchanged]  door = ami|ari, user = NAME, days = N    so long ago `rotate` gave that user another secret
 *
 * Evidence is of one kind only: a file that nobody has touched since holds a secret that is at least as old. One that was touched
 * yesterday says nothing about the secret in it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"

struct age {
    int64_t days;               /* at least; -1: nothing is known */
    bool is_exchanged;          /* by the record; else by the file's time */
};

/* Days from which a secret is told; 0: never. */
int64_t age_limit(const struct audit *a);
/* place: of the secret. The record of an exchange stands above the file's time, which is that of the last change of any line. */
struct age age_of_secret(const struct audit *a, const char *door, struct text user, struct conf_place place);
/* A finding when it is older than the limit. whose: "manager user"; 0 or -ENOMEM. */
int age_find(struct audit *a, const struct audit_rule *rule, const char *door, const char *whose, struct text user, struct conf_place place) MUST_USE;
