/* Looks into the files that a configuration names, as the daemon does when it starts: handlers, shadows, tools and agent files.
 * Nothing is bound, opened for calls, or left behind. Blocking: for tools. */
#pragma once

#include "app/config.h"

/* Every mistake is told with the named file's own place, in the order of the configuration. 0, -EINVAL after mistakes, -ENOMEM. */
int config_files_check(const struct config *c, config_on_problem *on_problem, void *arg) MUST_USE;
