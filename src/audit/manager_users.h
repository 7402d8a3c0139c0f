/* Who can log in at AMI: users of manager.conf, and those of users.conf that have a manager's rights. */
#pragma once

#include "audit/audit.h"
#include "audit/settings.h"

struct manager_user {
    struct text name;
    struct conf_place place;
    const struct settings_group *own;   /* in manager.conf; NULL: in users.conf only */
    const struct settings_group *phone; /* in users.conf, with hasmanager; NULL */
    struct text secret, read, write;    /* in force; "all" where users.conf leaves rights out */
};

struct manager {
    bool is_enabled;
    const struct settings_group *general;   /* NULL: no such section */
    struct settings sections, phones;
    struct text bind;                   /* absent: all addresses */
    struct manager_user *users;
    size_t user_count;
};

/* 0 or -ENOMEM. Without manager.conf it is not enabled. */
int manager_read(struct manager *out, struct audit *a) MUST_USE;
/* Is each user let in from this machine only, whatever the port is bound to? */
bool manager_is_local(const struct manager *m);
/* Where a setting of that user is written, else where the user is. */
struct conf_place manager_user_place(const struct manager_user *u, const char *name);
const struct conf_item *manager_user_item(const struct manager_user *u, const char *name);
enum { MANAGER_CLASSES = 19 };
extern const char *const manager_classes[MANAGER_CLASSES];
/* Is that class among the rights ("read" or "write" of a user)? "all" has each. */
bool manager_has(struct text rights, const char *class);
