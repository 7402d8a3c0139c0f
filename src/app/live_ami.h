/* What one node answers over AMI about itself: the loaded dialplan and, where its user may send Command, a few lines of its console.
 * Asks only what ListCommands says is allowed; changes nothing. Blocking, for tools. */
#pragma once

#include "app/config.h"
#include "base/buf.h"

enum live_output { LIVE_SETTINGS, LIVE_HTTP, LIVE_TRANSPORTS, LIVE_USERS, LIVE_OUTPUTS };

struct live_ami {
    bool is_in, has_rights, may_command; /* has_rights: may_command is known */
    char why[200];              /* why not in */
    char version[80];           /* "": not told */
    bool has_dialplan;          /* contexts is whole */
    bool has_steps;             /* so is steps */
    struct buf contexts, steps; /* lines of the live view (audit/live.h) */
    bool has_output[LIVE_OUTPUTS];
    struct buf outputs[LIVE_OUTPUTS]; /* as told, lines ended by LF */
    struct buf users;           /* lines of the live view; whole where has_users */
    bool has_users;
    size_t unasked;             /* users whose rights were not asked for */
    bool is_late;               /* the connection broke, or the time was up, before all was told */
};

/* Within limit_ms, all in all. 0 (whatever the node said), or what setting up gave. live_ami_free afterwards also on error. */
int live_ami_ask(struct live_ami *out, const struct config_node *n, int64_t limit_ms) MUST_USE;
void live_ami_free(struct live_ami *a);
