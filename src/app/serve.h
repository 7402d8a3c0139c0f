/* The daemon, put together: opens everything that the configuration names, runs, and ends in order. */
#pragma once

#include "app/config.h"

/* Runs until SIGTERM or SIGINT. 0: ended in order; 1: could not start (one line each on stderr). */
int serve_run(const struct config *config);
