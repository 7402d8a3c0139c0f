/* The configuration of a private Asterisk: texts with @NAME@ marks, filled and written under one directory. */
#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "sim/pbx_place.h"

/* The control socket is DIR/run/asterisk.ctl, and its path must stay under 108 bytes: over it Asterisk runs without one,
 * silently. */
enum { PBX_DIR_MAX = 107 - (int)sizeof "/run/asterisk.ctl" + 1, PBX_CONF_MAX = 4 << 20, PBX_CONFIGS_MAX = 64 };

/* One text of the user's, filled already; it is added at the end of ours with the same name. */
struct pbx_extra {
    char name[64];
    struct buf text;
};

struct pbx_config {
    const struct pbx_place *place;
    const char *dir;          /* absolute */
    const char *const *marks; /* "NAME=value", NULL-terminated: ours */
    const struct pbx_extra *extras;
    size_t extra_count;
};

/* Copies in to out with each @NAME@ replaced (NAME: A-Z, then A-Z 0-9 _). Lists are searched in order; either may be NULL.
 * -ENOENT: a mark without a value; *problem then says "file:line: ...". -ENOBUFS, -ENOMEM. */
int pbx_marks_fill(struct text in, const char *file, const char *const *first, const char *const *second, struct buf *out,
                   char **problem) MUST_USE;
/* "NAME=value", the name of the right form, the value one line. 0 or -EINVAL. */
int pbx_mark_check(const char *mark, char **problem) MUST_USE;
/* "name.conf": no folder, nothing hidden. */
bool pbx_conf_name_ok(struct text name);
/* Length, and no byte that Asterisk's configuration gives a meaning. 0, -ENAMETOOLONG, -EINVAL. */
int pbx_dir_check(const char *dir, char **problem) MUST_USE;

/* Makes the folders and writes every file, replacing what an earlier start wrote. Run it as the user that Asterisk gets. */
int pbx_config_write(const struct pbx_config *c, char **problem) MUST_USE;
