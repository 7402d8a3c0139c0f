/* Whose rights count, and what the mode bits of a file and of every folder above it let that user do. ACLs and SELinux are not looked at. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/text.h"

enum { DOCTOR_GROUPS_MAX = 1024 };

enum { DOCTOR_READ = 4, DOCTOR_WRITE = 2, DOCTOR_RUN = 1 }; /* as in a mode's digit */

struct doctor_person {
    uid_t uid;
    gid_t groups[DOCTOR_GROUPS_MAX];    /* the first one, and those beside it */
    size_t group_count;
    char name[160];                     /* "asterisk, as process 4711 runs" */
};

/* Of the text of /proc/PID/status: the ids that count for files. false: it is none. Pure; name is left alone. */
bool doctor_person_read(struct doctor_person *p, struct text status);
/* 0, or -ESRCH: no such process, or it may not be seen. */
int doctor_person_of_process(struct doctor_person *p, pid_t pid) MUST_USE;
/* A user of this machine; group NULL: the user's own, else only that group and those beside it. 0 or -ENOENT: no such user or group. */
int doctor_person_of_user(struct doctor_person *p, const char *user, const char *group) MUST_USE;
/* Whoever runs this. */
void doctor_person_self(struct doctor_person *p);

/* May that user do what bits say with something of this mode, owner and group? One of the three digits counts, as for the kernel; root may
 * all, but run what nobody may run (folders apart). Pure. */
bool doctor_mode_allows(mode_t mode, uid_t owner, gid_t group, const struct doctor_person *p, unsigned bits);

enum doctor_way { DOCTOR_WAY_GOOD, DOCTOR_WAY_GONE, DOCTOR_WAY_UNSEEN, DOCTOR_WAY_CLOSED, DOCTOR_WAY_REFUSED, DOCTOR_WAY_NOEXEC };

/* May p get there and do what bits say? path is absolute. CLOSED: a folder (in *at) cannot be passed; REFUSED: the mode of the file itself;
 * NOEXEC: nothing is run from its file system; UNSEEN: whoever asks may not look. *at: malloced, what is in the way; NULL for GOOD, or without memory. */
enum doctor_way doctor_way_of(const struct doctor_person *p, const char *path, unsigned bits, char **at);
/* Could everyone exchange it? The file or the first folder above it that everyone may write to (one with the sticky bit protects what is in it);
 * malloced; NULL: no. */
char *doctor_way_open_to_all(const char *path);
