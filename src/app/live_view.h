/* What a running Asterisk has loaded, as a text that the auditor reads beside its files (sidetone-live.conf). Blocking, for tools. */
#pragma once

#include "app/config.h"
#include "base/buf.h"

#define LIVE_VIEW_FILE "sidetone-live.conf"

/* By the node's control user (ShowDialPlan, write = reporting) and its ARI user (modules, the last reload). What cannot be asked is left out,
 * with a line in why. folder: of Asterisk's files, for which are newer. 0, -EACCES (nothing could be asked), -ENOMEM or the buffer's error. */
int live_view_collect(struct buf *out, const struct config_node *n, const char *folder, char *why, size_t size) MUST_USE;
