/* Who can reach a door: the address that it is bound to, and the networks that its lists let in. Pure. */
#pragma once

#include <stdbool.h>

#include "audit/settings.h"

enum reach { REACH_LOOPBACK, REACH_PRIVATE, REACH_OPEN };

/* Of a bind address: absent and "0.0.0.0", "::" are all addresses; a name that is no number counts as open. */
enum reach reach_of(struct text host);
bool reach_has_ipv6(struct text host);  /* does a peer get there by IPv6 as well? */

struct reach_lists {
    bool is_named;                      /* acl=: acl.conf decides, which is taken for a list */
    bool lets_all4, lets_all6;          /* any address of that kind is let in */
    bool lets_others;                   /* a permit names more than this machine, or an acl may */
    unsigned count;                     /* of deny, permit and acl lines */
};
/* deny and permit in file order, the last match wins (main/acl.c of 22.10.1, ast_apply_acl). */
void reach_lists_read(struct reach_lists *out, const struct settings_group *g);
