/* Finds out what is there before a rotation, and how far one came that was cut off. */
#include "app/rotate/now.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/file_set.h"
#include "app/init/files.h"
#include "app/rotate/asterisk.h"

const struct door rotation_doors[ROTATE_DOORS] = {
    [ROTATE_TAP] = { "ami", "--ami", "manager.conf", "secret", "manager reload", "ami_secret" },
    [ROTATE_CONTROL] = { "ami", "--control", "manager.conf", "secret", "manager reload", "control_secret" },
    [ROTATE_ARI] = { "ari", "--ari", "ari.conf", "password", "module reload res_ari.so", "ari_secret" },
};

const struct door *rotation_door(const struct rotation_now *r)
{
    return &rotation_doors[r->opt->door];
}

int rotation_refuse(const struct rotation_now *r, int err, const char *fmt, ...)
{
    va_list ap;

    fprintf(r->problems, "sidetone rotate: node %s, %s: ", r->opt->node->head.name, r->user ? r->user : rotation_door(r)->our_key);
    va_start(ap, fmt);
    vfprintf(r->problems, fmt, ap);
    va_end(ap);
    fprintf(r->problems, "\n");
    return err;
}

const struct secret *rotation_secret(const struct config_node *n, enum rotate_door door)
{
    return door == ROTATE_TAP ? &n->ami_secret : door == ROTATE_CONTROL ? &n->control_secret : &n->ari_secret;
}

int rotation_login(const struct rotation_now *r, const char *value)
{
    return asterisk_login(r->opt->node, r->opt->door, r->user, value);
}

int rotation_reload(const struct rotation_now *r)
{
    return asterisk_tell(r->opt->asterisk ? r->opt->asterisk : "asterisk", r->etc, rotation_door(r)->reload);
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

static const char *user_of(const struct config_node *n, enum rotate_door door)
{
    return door == ROTATE_TAP ? n->ami_user : door == ROTATE_CONTROL ? n->control_user : n->ari_user;
}

static bool is_one_file(const char *a, const char *b)
{
    struct stat one, other;

    return a && b && (!strcmp(a, b) || (!stat(a, &one) && !stat(b, &other) && one.st_dev == other.st_dev && one.st_ino == other.st_ino));
}

/* An exchange would shut out whoever else goes by this file, or by this user with another file. */
static int look_for_sharers(const struct rotation_now *r)
{
    const struct config *c = r->opt->config;
    const char *const file = secret_file(rotation_secret(r->opt->node, r->opt->door));

    for (size_t i = 0; i < c->node_count; i++)
        for (int d = 0; d < ROTATE_DOORS; d++) {
            const struct config_node *n = &c->nodes[i];
            const char *const user = user_of(n, (enum rotate_door)d), *const other = secret_file(rotation_secret(n, (enum rotate_door)d));
            const bool is_same = n == r->opt->node && (d == ROTATE_ARI) == (r->opt->door == ROTATE_ARI) && user && !strcmp(user, r->user);

            if (!is_same && is_one_file(file, other))
                return rotation_refuse(r, -EBUSY, "%s is the file of %s of node %s as well: give each its own", file, rotation_doors[d].our_key, n->head.name);
            if (is_same && !is_one_file(file, other))
                return rotation_refuse(r, -EBUSY, "%s is the same user with another secret: let both name one file", rotation_doors[d].our_key);
        }
    return 0;
}

/* Two at once would take each other's files for their own. */
static int lock(struct rotation_now *r)
{
    r->lock = open(r->etc, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (r->lock < 0)
        return rotation_refuse(r, -errno, "%s: %s", r->etc, err_text(-errno));
    if (flock(r->lock, LOCK_EX | LOCK_NB))
        return rotation_refuse(r, -EBUSY, "another rotation, or `sidetone audit --apply`, is at work in %s; nothing was changed", r->etc);
    return 0;
}

static int find(struct rotation_now *r)
{
    const struct config_node *n = r->opt->node;
    char root[PATH_MAX];
    int err;

    r->user = user_of(n, r->opt->door);
    r->etc = r->opt->asterisk_etc ? r->opt->asterisk_etc : "/etc/asterisk";
    if (!r->user || !secret_is_set(rotation_secret(n, r->opt->door)) || (r->opt->door == ROTATE_ARI ? !n->ari : !n->ami))
        return rotation_refuse(r, -ENOENT, "the node has no such user, or it is not we who connect");
    if (!secret_file(rotation_secret(n, r->opt->door)))
        return rotation_refuse(r, -EINVAL, "%s must be @file:PATH: what comes from elsewhere cannot be exchanged here", rotation_door(r)->our_key);
    err = look_for_sharers(r);
    if (!err)
        err = lock(r);
    if (err)
        return err;
    snprintf(root, sizeof root, "%s/%s", r->etc, rotation_door(r)->root);
    err = exchange_find(&r->at, root, r->user, rotation_door(r)->key);
    return err ? rotation_refuse(r, err, "%s: %s", root, why_not_found(err)) : 0;
}

/* Before anything is touched: what could not be written later? */
static int open_files(struct rotation_now *r)
{
    const char *const own = secret_file(rotation_secret(r->opt->node, r->opt->door)), *const state = r->opt->config->sidetone.state_dir;
    int err = swap_open(&r->own, own);

    if (err)
        return rotation_refuse(r, err, "%s and its folder must be writable: %s", own, err_text(err));
    err = swap_open(&r->theirs, r->at.file);
    if (err)
        return rotation_refuse(r, err, "%s and its folder must be writable: %s", r->at.file, err_text(err));
    if (faccessat(AT_FDCWD, state, W_OK | X_OK, AT_EACCESS) && errno != ENOENT) /* before the daemon's first day it is not there */
        return rotation_refuse(r, -errno, "state_dir = %s must be writable, for the record: %s", state, err_text(-errno));
    return 0;
}

static void wipe(char *bytes, size_t n)
{
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
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

/* Read under the lock: another run may have changed it since the configuration was read. */
static int read_ours(struct rotation_now *r)
{
    char *bytes = NULL;
    size_t n = 0;
    int err = read_value(r->ours, &r->own_bytes, &r->own_n, r->own.path);

    if (err)
        return rotation_refuse(r, err, "%s: %s", r->own.path, err_text(err));
    err = read_value(r->kept, &bytes, &n, r->own.before);
    wipe(bytes, n);
    return err && err != -ENOENT ? rotation_refuse(r, err, "%s: %s", r->own.before, file_set_why(err)) : 0;
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
        err = rotation_login(r, values[i]);
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

    if (err == -EACCES && *r->kept && !r->opt->is_dry && !rotation_reload(r)) /* the files may be right, and not read again */
        err = ask_in_force(r, in_force);
    if (err == -EACCES)
        return rotation_refuse(r, err, "Asterisk does not let it in now; `sidetone doctor` tells more");
    return err ? rotation_refuse(r, err, "Asterisk does not answer (%s): it must run; nothing was changed", err_text(err)) : 0;
}

static void tell_found(const struct rotation_now *r, const char *in_force)
{
    fprintf(r->out, "node %s: %s: a rotation was cut off ", r->opt->node->head.name, r->user);
    if (!r->is_going_on)
        fprintf(r->out, "before anything was exchanged, or was put back; it begins anew\n");
    else if (strcmp(r->at.value, r->fresh))
        fprintf(r->out, "before %s:%u was exchanged; it goes on\n", r->at.file, r->at.line);
    else if (strcmp(in_force, r->fresh))
        fprintf(r->out, "before Asterisk read %s again; it goes on\n", rotation_door(r)->root);
    else
        fprintf(r->out, "when the new secret was in force already; it ends now\n");
}

static int judge(struct rotation_now *r, bool *is_done)
{
    const char *in_force = NULL;
    int err;

    r->is_going_on = *r->kept && strcmp(r->ours, r->kept);
    if (!*r->kept && strcmp(r->at.value, r->ours))
        return rotation_refuse(r, -EBADMSG, "%s:%u: another value stands there than in %s: a hash, or one of both was edited", r->at.file, r->at.line,
                               r->own.path);
    if (r->is_going_on && strcmp(r->at.value, r->ours) && strcmp(r->at.value, r->kept))
        return rotation_refuse(r, -EBADMSG, "a rotation was cut off, and %s:%u was edited since: put there what is in %s, or move %s away", r->at.file,
                               r->at.line, r->own.path, r->own.before);
    err = find_in_force(r, &in_force);
    if (err)
        return err;
    r->old = r->is_going_on ? r->kept : in_force;
    if (r->is_going_on)
        text_copy(r->fresh, sizeof r->fresh, text_of(r->ours));
    else if (init_secret_make(r->fresh, sizeof r->fresh))
        return rotation_refuse(r, -EIO, "the kernel gives no random numbers");
    if (*r->kept)
        tell_found(r, in_force);
    r->own.is_put = r->is_going_on;
    r->theirs.is_put = !strcmp(r->at.value, r->fresh);
    *is_done = r->theirs.is_put && !strcmp(in_force, r->fresh);
    return 0;
}

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
    return err ? rotation_refuse(r, err, "%s:%u: %s", r->at.file, r->at.line, err == -EBADMSG ? "the line is not as it was read" : file_set_why(err)) : 0;
}

int rotation_look(struct rotation_now *r, bool *is_done)
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

void rotation_end(struct rotation_now *r)
{
    wipe(r->own_bytes, r->own_n);
    wipe(r->back, r->back_n);
    wipe(r->forth, r->forth_n);
    swap_close(&r->own);
    swap_close(&r->theirs);
    if (r->lock >= 0)
        close(r->lock);
    explicit_bzero(r, sizeof *r);
}
