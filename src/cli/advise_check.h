/* Two sessions of one node beside each other: the facts made of both must be the same. */
#pragma once

#include "app/config.h"

/* Runs for seconds (or until Ctrl-C) with calls on the node, prints what it found; an exit code. */
int advise_check(const struct config_node *node, const char *user, const char *secret, int64_t seconds);
