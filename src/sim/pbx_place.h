/* Where an Asterisk lives: the installed one, or one unpacked under a folder and run with its own loader. Blocking. */
#pragma once

#include <limits.h>

#include "base/err.h"

enum { PBX_VERSION_MAX = 48, PBX_OLDEST = 20 };

struct pbx_place {
    char binary[PATH_MAX];
    char loader[PATH_MAX];    /* empty: started directly */
    char libraries[PATH_MAX]; /* for the loader */
    char modules[PATH_MAX];
    char data[PATH_MAX];           /* sounds, documentation, rest-api */
    char version[PBX_VERSION_MAX]; /* "22.10.1" */
    char base[PATH_MAX];        /* of an unpacked one: its folder */
    char mount[PATH_MAX];       /* not empty: base is mounted here, for the child alone, since its user cannot enter base */
};

/* An unpacked Asterisk. 0, or -ENOENT, -ENOEXEC (does not start), -ENOTSUP (too old); *problem is one line, malloc'ed. */
int pbx_place_unpacked(struct pbx_place *out, const char *root, char **problem) MUST_USE;
/* Lets the child see base at another path: every path below base now begins with `at`. 0 or -ENAMETOOLONG. */
int pbx_place_mount_at(struct pbx_place *p, const char *at) MUST_USE;
/* The one on PATH, or in the usual system folders. Same results. */
int pbx_place_installed(struct pbx_place *out, char **problem) MUST_USE;
/* Takes "22.10.1" out of "Asterisk 22.10.1+dfsg-1". 0 or -EINVAL; *major is 22. */
int pbx_version_parse(const char *line, char *out, size_t size, int *major) MUST_USE;
