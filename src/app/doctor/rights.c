/* Looks up whose rights count, and judges a path by them. */
#include "app/doctor/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { STATUS_MAX = 32 << 10, ENTRY_MAX = 16 << 10 };

/* ---- who ---- */

static void group_add(struct doctor_person *p, gid_t group)
{
    if (p->group_count < DOCTOR_GROUPS_MAX)
        p->groups[p->group_count++] = group;
}

/* "Uid:\t0\t0\t0\t0": real, effective, saved, and the one that counts for files. */
static bool read_last(struct text words, int64_t *out)
{
    struct text word = TEXT_NONE;

    words = text_trim(words);
    while (text_cut(&words, '\t', &word))
        ;
    return text_to_i64(text_trim(word), out) == 0 && *out >= 0 && *out <= UINT32_MAX;
}

static void read_groups(struct doctor_person *p, struct text words)
{
    struct text word;
    int64_t id;

    words = text_trim(words);
    while (text_cut(&words, ' ', &word))
        if (text_to_i64(word, &id) == 0 && id >= 0 && id <= UINT32_MAX)
            group_add(p, (gid_t)id);
}

bool doctor_person_read(struct doctor_person *p, struct text status)
{
    bool has_user = false, has_group = false;
    struct text line;
    int64_t id;

    p->group_count = 0;
    while (text_cut(&status, '\n', &line)) {
        if (text_starts(line, TEXT("Uid:")) && read_last(text_skip(line, 4), &id)) {
            p->uid = (uid_t)id;
            has_user = true;
        } else if (text_starts(line, TEXT("Gid:")) && read_last(text_skip(line, 4), &id)) {
            group_add(p, (gid_t)id);
            has_group = true;
        } else if (text_starts(line, TEXT("Groups:"))) {
            read_groups(p, text_skip(line, 7));
        }
    }
    return has_user && has_group;
}

static void name_of(uid_t uid, char *out, size_t size)
{
    char store[ENTRY_MAX];
    struct passwd entry, *found = NULL;

    if (getpwuid_r(uid, &entry, store, sizeof store, &found) == 0 && found)
        text_copy(out, size, text_of(entry.pw_name));
    else
        snprintf(out, size, "user %u", (unsigned)uid);
}

int doctor_person_of_process(struct doctor_person *p, pid_t pid)
{
    char path[64], text[STATUS_MAX], name[64];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, text, sizeof text) : -1;
    if (fd >= 0)
        close(fd);
    if (n <= 0 || !doctor_person_read(p, text_make(text, (size_t)n)))
        return -ESRCH;
    name_of(p->uid, name, sizeof name);
    snprintf(p->name, sizeof p->name, "%s, as process %d runs", name, (int)pid);
    return 0;
}

static int group_named(const char *name, gid_t *out)
{
    char store[ENTRY_MAX];
    struct group entry, *found = NULL;

    if (getgrnam_r(name, &entry, store, sizeof store, &found) || !found)
        return -ENOENT;
    *out = entry.gr_gid;
    return 0;
}

int doctor_person_of_user(struct doctor_person *p, const char *user, const char *group)
{
    char store[ENTRY_MAX];
    struct passwd entry, *found = NULL;
    gid_t first;
    int n = DOCTOR_GROUPS_MAX;

    if (getpwnam_r(user, &entry, store, sizeof store, &found) || !found)
        return -ENOENT;
    first = entry.pw_gid;
    if (group && group_named(group, &first))
        return -ENOENT;
    p->uid = entry.pw_uid;
    if (getgrouplist(user, first, p->groups, &n) < 0)
        n = DOCTOR_GROUPS_MAX;
    p->group_count = (size_t)n;
    text_copy(p->name, sizeof p->name, text_of(user));
    return 0;
}

void doctor_person_self(struct doctor_person *p)
{
    gid_t beside[DOCTOR_GROUPS_MAX];
    const int n = getgroups(DOCTOR_GROUPS_MAX, beside);

    p->uid = geteuid();
    p->group_count = 0;
    group_add(p, getegid());
    for (int i = 0; i < n; i++)
        group_add(p, beside[i]);
    name_of(p->uid, p->name, sizeof p->name);
}

/* ---- may they ---- */

static bool is_member(const struct doctor_person *p, gid_t group)
{
    for (size_t i = 0; i < p->group_count; i++)
        if (p->groups[i] == group)
            return true;
    return false;
}

bool doctor_mode_allows(mode_t mode, uid_t owner, gid_t group, const struct doctor_person *p, unsigned bits)
{
    if (p->uid == 0)
        return !(bits & DOCTOR_RUN) || S_ISDIR(mode) || (mode & 0111);
    if (p->uid == owner)
        return ((mode >> 6) & bits) == bits;
    return ((is_member(p, group) ? mode >> 3 : mode) & bits) == bits;
}

/* ---- the way there ---- */

static enum doctor_way way_of_error(int err)
{
    return err == EACCES || err == EPERM ? DOCTOR_WAY_UNSEEN : DOCTOR_WAY_GONE;
}

/* Each folder above. path is changed and restored. */
static enum doctor_way pass_folders(const struct doctor_person *p, char *path, char **at)
{
    struct stat st;

    for (char *slash = path; (slash = strchr(slash, '/')); slash++) {
        const char kept = slash[1];
        enum doctor_way way = DOCTOR_WAY_GOOD;

        slash[slash == path] = '\0';
        if (stat(path, &st))
            way = way_of_error(errno);
        else if (!S_ISDIR(st.st_mode))
            way = DOCTOR_WAY_GONE;
        else if (!doctor_mode_allows(st.st_mode, st.st_uid, st.st_gid, p, DOCTOR_RUN))
            way = DOCTOR_WAY_CLOSED;
        if (way != DOCTOR_WAY_GOOD)
            *at = text_dup(text_of(path));
        slash[0] = '/';
        slash[1] = kept;
        if (way != DOCTOR_WAY_GOOD)
            return way;
    }
    return DOCTOR_WAY_GOOD;
}

static enum doctor_way judge_file(const struct doctor_person *p, const char *path, unsigned bits)
{
    struct statvfs v;
    struct stat st;

    if (stat(path, &st))
        return way_of_error(errno);
    if (!doctor_mode_allows(st.st_mode, st.st_uid, st.st_gid, p, bits))
        return DOCTOR_WAY_REFUSED;
    if ((bits & DOCTOR_RUN) && S_ISREG(st.st_mode) && statvfs(path, &v) == 0 && (v.f_flag & ST_NOEXEC))
        return DOCTOR_WAY_NOEXEC;
    return DOCTOR_WAY_GOOD;
}

enum doctor_way doctor_way_of(const struct doctor_person *p, const char *path, unsigned bits, char **at)
{
    char named[PATH_MAX], real[PATH_MAX];
    enum doctor_way way;

    *at = NULL;
    text_copy(named, sizeof named, text_of(path));
    way = pass_folders(p, named, at);
    if (way == DOCTOR_WAY_GOOD && realpath(named, real))
        way = pass_folders(p, real, at); /* a link leads through other folders */
    if (way != DOCTOR_WAY_GOOD)
        return way;
    way = judge_file(p, named, bits);
    if (way != DOCTOR_WAY_GOOD)
        *at = text_dup(text_of(path));
    return way;
}

char *doctor_way_open_to_all(const char *path)
{
    char real[PATH_MAX];
    struct stat st;
    char *slash;

    if (!realpath(path, real))
        return NULL;
    if (stat(real, &st) == 0 && (st.st_mode & S_IWOTH))
        return text_dup(text_of(real));
    while ((slash = strrchr(real, '/')) && slash != real) {
        *slash = '\0';
        if (stat(real, &st) == 0 && (st.st_mode & S_IWOTH) && !(st.st_mode & S_ISVTX))
            return text_dup(text_of(real));
    }
    return NULL;
}
