/* The manager's users that the running system has, of the live view. */
#pragma once

#include "audit/live.h"

struct live_user {
    struct text name;
    struct conf_place place;
    bool is_told;                  /* what follows is known */
    bool has_secret, has_acl;
    struct text read, write;
};

/* *out NULL and *count 0: they were not told. 0 or -ENOMEM; memory is the audit's. */
int live_users_read(struct live_user **out, size_t *count, struct audit *a) MUST_USE;
const struct live_user *live_user_of(const struct live_user *users, size_t count, struct text name);
