/* The steps of a rotation, the way back from each, and how one that was cut off is ended.
 *
 *   ours    theirs  in force   beside our file: the old one
 *   old     old     old        no         nothing has begun
 *   old     old     old        yes        prepared, or put back
 *   fresh   old     old        yes        our file is exchanged (first: whoever is refused from the reload on finds it at once)
 *   fresh   fresh   old        yes        Asterisk's file is, too
 *   fresh   fresh   fresh      yes        Asterisk has read it; a login proves it, the record is written
 *   fresh   fresh   fresh      no         done
 *
 * "Yes" says that one is under way; which line it is, the two files and a login tell. */
#include "app/rotate/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/file_set.h"
#include "app/init/files.h"
#include "app/rotate/asterisk.h"
#include "app/rotate/exchange.h"
#include "app/rotate/record.h"
#include "app/rotate/swap.h"
#include "base/clock.h"

enum { TRIES = 5, TRY_NS = 100000000 };

struct rotation_now {
    const struct rotate_options *opt;
    FILE *out, *problems;
    const char *user, *etc;
    int lock;                           /* Asterisk's folder; -1: not held */
    struct exchange_place at;           /* with what stands there: "theirs" */
    char ours[SECRET_MAX + 1];
    char kept[SECRET_MAX + 1];          /* beside our file; "": nothing was cut off */
    char fresh[SECRET_MAX + 1];
    const char *old;                    /* what to go back to */
    bool is_going_on;                   /* our file has the fresh one already */
    struct swap own, theirs;
    char *own_bytes, *back, *forth;     /* our file; Asterisk's with the old one, and with the fresh one */
    size_t own_n, back_n, forth_n;
};

static const struct door {
    const char *name, *option, *root, *key, *reload, *our_key;
} doors[ROTATE_DOORS] = {
    [ROTATE_TAP] = { "ami", "--ami", "manager.conf", "secret", "manager reload", "ami_secret" },
    [ROTATE_CONTROL] = { "ami", "--control", "manager.conf", "secret", "manager reload", "control_secret" },
    [ROTATE_ARI] = { "ari", "--ari", "ari.conf", "password", "module reload res_ari.so", "ari_secret" },
};

static const struct door *door_of(const struct rotation_now *r)
{
    return &doors[r->opt->door];
}

static int refuse(const struct rotation_now *r, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int refuse(const struct rotation_now *r, int err, const char *fmt, ...)
{
    va_list ap;

    fprintf(r->problems, "sidetone rotate: node %s, %s: ", r->opt->node->head.name, r->user ? r->user : door_of(r)->our_key);
    va_start(ap, fmt);
    vfprintf(r->problems, fmt, ap);
    va_end(ap);
    fprintf(r->problems, "\n");
    return err;
}

static const struct secret *secret_of_door(const struct config_node *n, enum rotate_door door)
{
    return door == ROTATE_TAP ? &n->ami_secret : door == ROTATE_CONTROL ? &n->control_secret : &n->ari_secret;
}

static int login(const struct rotation_now *r, const char *value)
{
    return asterisk_login(r->opt->node, r->opt->door, r->user, value);
}

static int reload(const struct rotation_now *r)
{
    return asterisk_tell(r->opt->asterisk ? r->opt->asterisk : "asterisk", r->etc, door_of(r)->reload);
}

/* ---- what is there ---- */

static const char *why_not_found(int err)
{
    switch (err) {
    case -EXDEV:
        return "its secret comes from a template, which other users may share: give the user a line of its own";
    case -EBADMSG:
        return "its secret is made of several lines (+=): write it in one";
    case -EINVAL:
        return "the file has mistakes; `sidetone audit` names them";
    default:
        return err == -ENOENT ? "there is no such section with a secret" : err_text(err);
    }
}

/* Two at once would take each other's files for their own. */
static int lock(struct rotation_now *r)
{
    r->lock = open(r->etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->lock < 0)
        return refuse(r, -errno, "%s: %s", r->etc, err_text(-errno));
    if (flock(r->lock, LOCK_EX | LOCK_NB))
        return refuse(r, -EBUSY, "another rotation, or `sidetone audit --apply`, is at work in %s; nothing was changed", r->etc);
    return 0;
}

static int find(struct rotation_now *r)
{
    const struct config_node *n = r->opt->node;
    char root[PATH_MAX];
    int err;

    r->user = r->opt->door == ROTATE_TAP ? n->ami_user : r->opt->door == ROTATE_CONTROL ? n->control_user : n->ari_user;
    r->etc = r->opt->asterisk_etc ? r->opt->asterisk_etc : "/etc/asterisk";
    if (!r->user || !secret_is_set(secret_of_door(n, r->opt->door)) || (r->opt->door == ROTATE_ARI ? !n->ari : !n->ami))
        return refuse(r, -ENOENT, "the node has no such user, or it is not we who connect");
    if (!secret_file(secret_of_door(n, r->opt->door)))
        return refuse(r, -EINVAL, "%s must be @file:PATH: what comes from elsewhere cannot be exchanged here", door_of(r)->our_key);
    err = lock(r);
    if (err)
        return err;
    snprintf(root, sizeof root, "%s/%s", r->etc, door_of(r)->root);
    err = exchange_find(&r->at, root, r->user, door_of(r)->key);
    return err ? refuse(r, err, "%s: %s", root, why_not_found(err)) : 0;
}

/* Before anything is touched: what could not be written later? */
static int open_files(struct rotation_now *r)
{
    const char *const own = secret_file(secret_of_door(r->opt->node, r->opt->door)), *const state = r->opt->config->sidetone.state_dir;
    int err = swap_open(&r->own, own);

    if (err)
        return refuse(r, err, "%s and its folder must be writable: %s", own, err_text(err));
    err = swap_open(&r->theirs, r->at.file);
    if (err)
        return refuse(r, err, "%s and its folder must be writable: %s", r->at.file, err_text(err));
    if (faccessat(AT_FDCWD, state, W_OK | X_OK, AT_EACCESS) && errno != ENOENT) /* before the daemon's first day it is not there */
        return refuse(r, -errno, "state_dir = %s must be writable, for the record: %s", state, err_text(-errno));
    return 0;
}

/* The one line of a file. */
static int read_value(char out[SECRET_MAX + 1], char **bytes, size_t *n, const char *path)
{
    const int err = file_grab(path, bytes, n, NULL);
    struct text t;

    if (err)
        return err;
    t = text_make(*bytes, *n);
    while (t.n && (t.p[t.n - 1] == '\n' || t.p[t.n - 1] == '\r'))
        t.n--;
    if (!t.n || t.n > SECRET_MAX || !text_is_one_line(t))
        return -EINVAL;
    text_copy(out, SECRET_MAX + 1, t);
    return 0;
}

static void wipe(char *bytes, size_t n)
{
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
}

/* Read under the lock: another run may have changed it since the configuration was read. */
static int read_ours(struct rotation_now *r)
{
    char *bytes = NULL;
    size_t n = 0;
    int err = read_value(r->ours, &r->own_bytes, &r->own_n, r->own.path);

    if (err)
        return refuse(r, err, "%s: %s", r->own.path, err_text(err));
    err = read_value(r->kept, &bytes, &n, r->own.before);
    wipe(bytes, n);
    return err && err != -ENOENT ? refuse(r, err, "%s: %s", r->own.before, file_set_why(err)) : 0;
}

/* ---- how far a rotation came ---- */

/* Which of them lets Asterisk in? */
static int ask_in_force(const struct rotation_now *r, const char **in_force)
{
    const char *const values[] = { r->ours, r->kept, r->at.value };

    for (size_t i = 0; i < (*r->kept ? sizeof values / sizeof *values : 1); i++) {
        int err = -EACCES;

        for (size_t k = 0; k < i; k++)
            if (!strcmp(values[k], values[i]))
                goto next;
        err = login(r, values[i]);
        if (!err)
            *in_force = values[i];
        if (err != -EACCES)
            return err;
next:;
    }
    return -EACCES;
}

static int find_in_force(const struct rotation_now *r, const char **in_force)
{
    int err = ask_in_force(r, in_force);

    if (err == -EACCES && *r->kept && !r->opt->is_dry && !reload(r)) /* the files may be right, and not read again */
        err = ask_in_force(r, in_force);
    if (err == -EACCES)
        return refuse(r, err, "Asterisk does not let it in now; `sidetone doctor` tells more");
    return err ? refuse(r, err, "Asterisk does not answer (%s): it must run; nothing was changed", err_text(err)) : 0;
}

static void tell_found(const struct rotation_now *r, const char *in_force)
{
    fprintf(r->out, "node %s: %s: a rotation was cut off ", r->opt->node->head.name, r->user);
    if (!r->is_going_on)
        fprintf(r->out, "before anything was exchanged, or was put back; it begins anew\n");
    else if (strcmp(r->at.value, r->fresh))
        fprintf(r->out, "before %s:%u was exchanged; it goes on\n", r->at.file, r->at.line);
    else if (strcmp(in_force, r->fresh))
        fprintf(r->out, "before Asterisk read %s again; it goes on\n", door_of(r)->root);
    else
        fprintf(r->out, "when the new secret was in force already; it ends now\n");
}

static int judge(struct rotation_now *r, bool *is_done)
{
    const char *in_force = NULL;
    int err;

    r->is_going_on = *r->kept && strcmp(r->ours, r->kept);
    if (!*r->kept && strcmp(r->at.value, r->ours))
        return refuse(r, -EBADMSG, "%s:%u: another value stands there than in %s: a hash, or one of both was edited", r->at.file, r->at.line, r->own.path);
    if (r->is_going_on && strcmp(r->at.value, r->ours) && strcmp(r->at.value, r->kept))
        return refuse(r, -EBADMSG, "a rotation was cut off, and %s:%u was edited since: put there what is in %s, or move %s away", r->at.file, r->at.line, r->own.path,
                      r->own.before);
    err = find_in_force(r, &in_force);
    if (err)
        return err;
    r->old = r->is_going_on ? r->kept : in_force;
    if (r->is_going_on)
        text_copy(r->fresh, sizeof r->fresh, text_of(r->ours));
    else if (init_secret_make(r->fresh, sizeof r->fresh))
        return refuse(r, -EIO, "the kernel gives no random numbers");
    if (*r->kept)
        tell_found(r, in_force);
    r->own.is_put = r->is_going_on;
    r->theirs.is_put = !strcmp(r->at.value, r->fresh);
    *is_done = r->theirs.is_put && !strcmp(in_force, r->fresh);
    return 0;
}

/* ---- there ---- */

static int make_texts(struct rotation_now *r)
{
    char *now = NULL;
    size_t n = 0;
    int err = file_grab(r->theirs.path, &now, &n, NULL);

    if (!err)
        err = exchange_text(&r->back, &r->back_n, text_make(now, n), &r->at, r->at.value, r->old);
    if (!err)
        err = exchange_text(&r->forth, &r->forth_n, text_make(now, n), &r->at, r->at.value, r->fresh);
    wipe(now, n);
    return err ? refuse(r, err, "%s:%u: %s", r->at.file, r->at.line, err == -EBADMSG ? "the line is not as it was read" : file_set_why(err)) : 0;
}

static int keep_and_prepare(struct rotation_now *r)
{
    char line[SECRET_MAX + 2];
    int err = swap_keep(&r->theirs, text_make(r->back, r->back_n));

    if (!err && !r->theirs.is_put)
        err = swap_prepare(&r->theirs, text_make(r->forth, r->forth_n));
    if (!err && !r->own.is_put) {
        snprintf(line, sizeof line, "%s\n", r->old);
        err = swap_keep(&r->own, strcmp(r->old, r->ours) ? text_of(line) : text_make(r->own_bytes, r->own_n));
    }
    if (!err && !r->own.is_put) {
        snprintf(line, sizeof line, "%s\n", r->fresh);
        err = swap_prepare(&r->own, text_of(line));
    }
    explicit_bzero(line, sizeof line);
    return err;
}

/* All that needs room on the disk is done here. */
static int prepare(struct rotation_now *r)
{
    const int err = keep_and_prepare(r);

    if (!err)
        return 0;
    swap_forget(&r->theirs);
    if (!*r->kept)
        swap_forget(&r->own);
    return refuse(r, err, "the new files cannot be prepared beside %s and %s (%s); nothing was changed", r->own.path, r->theirs.path, err_text(err));
}

static int change(struct rotation_now *r)
{
    int err = r->own.is_put ? 0 : swap_put(&r->own);

    if (err)
        return refuse(r, err, "%s: %s", r->own.path, err_text(err));
    err = r->theirs.is_put ? 0 : swap_put(&r->theirs);
    if (err)
        return refuse(r, err, "%s: %s", r->theirs.path, err_text(err));
    err = reload(r);
    return err ? refuse(r, err, "Asterisk could not be told to read %s again: %s", door_of(r)->root, err_text(err)) : 0;
}

/* The reload's answer comes when it is done, but the port may be slow to say so on a busy machine. */
static int prove(const struct rotation_now *r)
{
    int err = 0;

    for (int i = 0; i < TRIES; i++) {
        err = login(r, r->fresh);
        if (!err)
            return 0;
        nanosleep(&(struct timespec){ .tv_nsec = TRY_NS }, NULL);
    }
    return err == -EACCES ? refuse(r, err, "Asterisk does not take the new secret") : refuse(r, err, "Asterisk does not answer: %s", err_text(err));
}

static void finish(struct rotation_now *r)
{
    const struct rotation record = { .node = r->opt->node->head.name, .door = door_of(r)->name, .user = r->user, .at_us = clock_wall_us() };
    const char *const state = r->opt->config->sidetone.state_dir;
    const int err = rotation_write(state, &record);

    swap_forget(&r->theirs);
    swap_forget(&r->own);
    fprintf(r->out, "node %s: %s has a new secret in %s:%u and in %s; a login with it works\n", record.node, r->user, r->at.file, r->at.line, r->own.path);
    if (err)
        fprintf(r->problems, "sidetone rotate: the record %s/rotation.json cannot be written: %s\n", state, err_text(err));
}

/* ---- and back ---- */

static int put_back_files(struct rotation_now *r)
{
    const int err = swap_put_back(&r->theirs);
    int own_err = 0;

    /* When Asterisk's file stays as it is, ours is what is in force: that lets the daemon in. */
    if (!err || !login(r, r->old))
        own_err = swap_put_back(&r->own);
    if (err)
        (void)refuse(r, err, "%s cannot be put back: %s", r->theirs.path, err_text(err));
    if (own_err)
        (void)refuse(r, own_err, "%s cannot be put back: %s", r->own.path, err_text(own_err));
    return err ? err : own_err;
}

static void put_back(struct rotation_now *r)
{
    const bool was_read = r->theirs.is_put;
    char command[3 * PATH_MAX];
    int told = 0, err = put_back_files(r);

    if (!err && was_read)
        told = reload(r);
    if (!err) {
        err = login(r, r->old);
        if (err == -EACCES)
            (void)refuse(r, err, "both files are as they were, but Asterisk has not read its one again%s%s", told ? ": " : "", told ? err_text(told) : "");
        else if (err)
            (void)refuse(r, err, "both files are as they were; Asterisk does not answer (%s), and reads its one when it starts", err_text(err));
    }
    if (!err) {
        swap_forget(&r->theirs);
        swap_forget(&r->own);
        fprintf(r->problems, "sidetone rotate: everything is as it was\n");
    } else {
        rotate_command(r->opt, command, sizeof command);
        fprintf(r->problems, "sidetone rotate: not ended; this finds out what holds, and ends it: %s\n", command);
    }
}

/* ---- all of it ---- */

static int exchange(struct rotation_now *r)
{
    int err = prepare(r);

    if (err)
        return err;
    err = change(r);
    if (!err)
        err = prove(r);
    if (err)
        put_back(r);
    else
        finish(r);
    return err;
}

static int look(struct rotation_now *r, bool *is_done)
{
    int err = find(r);

    if (!err)
        err = open_files(r);
    if (!err)
        err = read_ours(r);
    if (!err)
        err = judge(r, is_done);
    return err ? err : make_texts(r);
}

int rotate_run(const struct rotate_options *opt, FILE *out, FILE *problems)
{
    struct rotation_now r = { .opt = opt, .out = out, .problems = problems, .lock = -1, .own.folder = -1, .theirs.folder = -1 };
    bool is_done = false;
    int err;

    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });    /* a core would hold secrets */
    err = look(&r, &is_done);
    if (!err && opt->is_dry)
        fprintf(out, "node %s: %s: would exchange %s:%u and %s, then \"%s\", then log in with the new one\n", opt->node->head.name, r.user, r.at.file, r.at.line,
                r.own.path, door_of(&r)->reload);
    else if (!err && is_done)
        finish(&r);
    else if (!err)
        err = exchange(&r);
    wipe(r.own_bytes, r.own_n);
    wipe(r.back, r.back_n);
    wipe(r.forth, r.forth_n);
    swap_close(&r.own);
    swap_close(&r.theirs);
    if (r.lock >= 0)
        close(r.lock);
    explicit_bzero(&r, sizeof r);
    return err;
}

bool rotate_is_unfinished(const struct config_node *node, enum rotate_door door)
{
    const char *const file = secret_file(secret_of_door(node, door));
    struct swap s;

    return file && !swap_names(&s, file) && access(s.before, F_OK) == 0;
}

const char *rotate_key(enum rotate_door door)
{
    return doors[door].our_key;
}

void rotate_command(const struct rotate_options *opt, char *out, size_t size)
{
    const char *const config = opt->config->path;
    const bool has_config = strcmp(config, CONFIG_DEFAULT_PATH) != 0;

    snprintf(out, size, "sidetone rotate %s %s%s%s%s%s%s%s", opt->node->head.name, doors[opt->door].option, has_config ? " --config " : "", has_config ? config : "",
             opt->asterisk_etc ? " --asterisk-etc " : "", opt->asterisk_etc ? opt->asterisk_etc : "", opt->asterisk ? " --asterisk " : "",
             opt->asterisk ? opt->asterisk : "");
}
