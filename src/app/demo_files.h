/* The files of the demo: configuration, dialplan, look-up table, caller's script, all under one private folder. Blocking. */
#pragma once

#include <limits.h>
#include <stdint.h>

#include "base/err.h"

struct demo_files {
    char dir[64];                  /* short: a private Asterisk lives below it */
    char share[PATH_MAX];          /* handlers/ and agents/ that are shipped */
    char config[PATH_MAX], dialplan[PATH_MAX], csv[PATH_MAX], store[PATH_MAX], log[PATH_MAX], pbx[PATH_MAX];
    uint16_t fastagi_port, media_port;
};

/* Makes a new folder under /tmp, finds share (the source tree that this program was built in, or the installed one) and two free
 * ports. *problem: one line, malloc'ed. */
int demo_files_prepare(struct demo_files *f, const char *share, char **problem) MUST_USE;
/* Writes dialplan and look-up table. */
int demo_files_write(const struct demo_files *f, char **problem) MUST_USE;
/* Writes the daemon's configuration, once the PBX's port and user are known. The secret goes by the environment. */
int demo_files_write_config(const struct demo_files *f, uint16_t http_port, const char *ari_user, char **problem) MUST_USE;

extern const char demo_caller_script[];
#define DEMO_CALLER_NUMBER "1001"
#define DEMO_CALLER_NAME "Ada Lovelace"
#define DEMO_QUESTION "what are your opening hours"
#define DEMO_REQUEST "connect me with the operator"
enum { DEMO_LOOKUPS = 200 };
