/* What a running Asterisk has loaded, as a text that the auditor reads beside its files (sidetone-live.conf, audit/live.h). Blocking, for tools. */
#pragma once

#include "app/config.h"
#include "base/buf.h"

#define LIVE_VIEW_FILE "sidetone-live.conf"

struct live_view {
    struct buf text;
    char version[80];           /* of the running Asterisk; "": not told */
    const char *version_by;     /* "AMI", "ARI" */
    struct buf notes;           /* what was left out and why, a line each */
};

/* By the node's control user (ShowDialPlan, write = reporting; users and doors where it has command), its ARI user (modules, the last reload), and, of
 * an Asterisk on this machine, /proc. What cannot be asked is left out, with a note. folder: of Asterisk's files, for which are newer.
 * 0, -EACCES (nothing could be asked), -ENOMEM or the text's error; live_view_free afterwards also on error. */
int live_view_collect(struct live_view *out, const struct config_node *n, const char *folder) MUST_USE;
void live_view_free(struct live_view *v);
