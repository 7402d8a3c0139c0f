/* Starts the process of a private Asterisk, as nobody when we are root. */
#pragma once

#include <stdbool.h>

#include <sys/types.h>

#include "sim/pbx_config.h"

/* Makes the directory if needed and gives it to the user that Asterisk gets; refuses one that is neither empty nor ours.
 * real: its absolute path (PATH_MAX). */
int pbx_dir_make(const char *dir, char *real, char **problem) MUST_USE;
/* Forks; the child drops its rights, writes the configuration and becomes Asterisk. It dies with the calling thread.
 * Returns once Asterisk runs, or with what went wrong. */
int pbx_spawn(pid_t *out, const struct pbx_config *c, char **problem) MUST_USE;
/* Waits for the end of pid. 0 (*status set), -ETIMEDOUT, -ECHILD. */
int pbx_reap(pid_t pid, int *status, int64_t timeout_ms) MUST_USE;

/* False when we shall run Asterisk as nobody, and nobody cannot enter this folder. */
bool pbx_user_enters(const char *folder);
