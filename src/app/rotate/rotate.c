/* The steps of a rotation, and the way back from each. */
#include "app/rotate/rotate.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <fcntl.h>

#include "app/doctor/asked.h"
#include "app/init/files.h"
#include "app/rotate/exchange.h"
#include "app/rotate/record.h"
#include "base/clock.h"

enum { LOGIN_MS = 8000, RELOAD_US = 15000000, STEP_NS = 20000000, TRIES = 5 };

struct rotation_now {
    const struct rotate_options *opt;
    FILE *out, *problems;
    const char *user, *old, *own_file;  /* own_file: what @file: refers to */
    char fresh[2 * INIT_SECRET_BYTES + 1];
    struct exchange_place at;
    char *before, *after;               /* of Asterisk's file */
    size_t before_n, after_n;
    char *own_before;
    size_t own_before_n;
    bool own_changed, theirs_changed;
};

static const struct door {
    const char *name, *root, *key, *reload, *our_key;
} doors[ROTATE_DOORS] = {
    [ROTATE_TAP] = { "ami", "manager.conf", "secret", "manager reload", "ami_secret" },
    [ROTATE_CONTROL] = { "ami", "manager.conf", "secret", "manager reload", "control_secret" },
    [ROTATE_ARI] = { "ari", "ari.conf", "password", "module reload res_ari.so", "ari_secret" },
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

/* ---- a login as this user alone ---- */

static bool lets_in(const struct rotation_now *r, const char *value)
{
    static const char *const none[] = { NULL };
    const bool is_ari = r->opt->door == ROTATE_ARI;
    struct config_node n = *r->opt->node;
    struct doctor_asked asked;
    struct secret secret = { NULL };
    bool is_in = false;

    if (secret_from(&secret, text_of(value)))
        return false;
    n.ami_user = is_ari ? NULL : r->user;
    n.ami_secret = secret;
    n.control_user = NULL;
    n.ari = is_ari ? n.ari : NULL;
    n.ari_secret = secret;
    if (doctor_ask(&asked, &n, none, LOGIN_MS) == 0)
        is_in = is_ari ? asked.ari.status == 200 : asked.ami[DOCTOR_TAP].is_in;
    doctor_asked_free(&asked);
    secret_free(&secret);
    return is_in;
}

/* ---- Asterisk reads its file again ---- */

static int wait_for(pid_t pid)
{
    const int64_t began = clock_mono_us();
    int status;

    for (;;) {
        const pid_t done = waitpid(pid, &status, WNOHANG);

        if (done == pid)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
        if (done < 0 && errno != EINTR)
            return -errno;
        if (clock_mono_us() - began > RELOAD_US) {
            kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            return -ETIMEDOUT;
        }
        nanosleep(&(struct timespec){ .tv_nsec = STEP_NS }, NULL);
    }
}

static const char *etc_of(const struct rotation_now *r)
{
    return r->opt->asterisk_etc ? r->opt->asterisk_etc : "/etc/asterisk";
}

static int reload(const struct rotation_now *r)
{
    char conf[PATH_MAX];
    char *const argv[] = { (char *)(r->opt->asterisk ? r->opt->asterisk : "asterisk"), "-C", conf, "-rx", (char *)door_of(r)->reload, NULL };
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int err;

    snprintf(conf, sizeof conf, "%s/asterisk.conf", etc_of(r));
    if (posix_spawn_file_actions_init(&quiet))
        return -ENOMEM;
    err = -posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDWR, 0);
    if (!err)
        err = -posix_spawn_file_actions_adddup2(&quiet, 0, 1);
    if (!err)
        err = -posix_spawn_file_actions_adddup2(&quiet, 0, 2);
    if (!err)
        err = -posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    return err ? err : wait_for(pid);
}

/* ---- what must be so before anything is touched ---- */

static const char *why_not_found(int err)
{
    switch (err) {
    case -EXDEV:
        return "its secret comes from a template, which other users may share: give the user a line of its own";
    case -EBADMSG:
        return "another value stands there than the one we use: a hash, or a file that Asterisk has not read again";
    case -EINVAL:
        return "the file has mistakes; `sidetone audit` names them";
    default:
        return err == -ENOENT ? "there is no such section with a secret" : err_text(err);
    }
}

static int find(struct rotation_now *r)
{
    const struct config_node *n = r->opt->node;
    const struct secret *s = secret_of_door(n, r->opt->door);
    char root[PATH_MAX];
    int err;

    r->user = r->opt->door == ROTATE_TAP ? n->ami_user : r->opt->door == ROTATE_CONTROL ? n->control_user : n->ari_user;
    r->old = secret_reveal(s);
    r->own_file = secret_file(s);
    if (!r->user || !r->old || (r->opt->door == ROTATE_ARI ? !n->ari : !n->ami))
        return refuse(r, -ENOENT, "the node has no such user, or it is not we who connect");
    if (!r->own_file)
        return refuse(r, -EINVAL, "%s must be @file:PATH: what comes from elsewhere cannot be exchanged here", door_of(r)->our_key);
    snprintf(root, sizeof root, "%s/%s", etc_of(r), door_of(r)->root);
    err = exchange_find(&r->at, root, r->user, door_of(r)->key, r->old);
    return err ? refuse(r, err, "%s: %s", root, why_not_found(err)) : 0;
}

static int prepare(struct rotation_now *r)
{
    int err = exchange_read(&r->before, &r->before_n, r->at.file);

    if (err)
        return refuse(r, err, "%s: %s", r->at.file, err_text(err));
    if (init_secret_make(r->fresh, sizeof r->fresh))
        return refuse(r, -EIO, "the kernel gives no random numbers");
    err = exchange_text(&r->after, &r->after_n, text_make(r->before, r->before_n), &r->at, r->old, r->fresh);
    if (err)
        return refuse(r, err, "%s:%u: the line is not as it was read", r->at.file, r->at.line);
    err = exchange_read(&r->own_before, &r->own_before_n, r->own_file);
    if (err)
        return refuse(r, err, "%s: %s", r->own_file, err_text(err));
    if (access(r->own_file, W_OK) || access(r->at.file, W_OK))
        return refuse(r, -EACCES, "%s and %s must both be writable", r->own_file, r->at.file);
    return lets_in(r, r->old) ? 0 : refuse(r, -EACCES, "Asterisk does not let it in now; `sidetone doctor` tells more");
}

/* ---- there and back ---- */

/* Ours first: whoever is refused from the reload on finds the new one at once. */
static int change(struct rotation_now *r)
{
    char line[sizeof r->fresh + 1];
    int err = exchange_backup(r->at.file, text_make(r->before, r->before_n));

    if (err)
        return refuse(r, err, "no copy of %s can be made: %s", r->at.file, err_text(err));
    snprintf(line, sizeof line, "%s\n", r->fresh);
    err = exchange_write(r->own_file, text_of(line));
    explicit_bzero(line, sizeof line);
    if (err)
        return refuse(r, err, "%s: %s", r->own_file, err_text(err));
    r->own_changed = true;
    err = exchange_write(r->at.file, text_make(r->after, r->after_n));
    if (err)
        return refuse(r, err, "%s: %s", r->at.file, err_text(err));
    r->theirs_changed = true;
    err = reload(r);
    return err ? refuse(r, err, "Asterisk could not be told to read %s again: %s", door_of(r)->root, err_text(err)) : 0;
}

/* The reload's answer comes when it is done, but the port may be slow to say so on a busy machine. */
static int prove(const struct rotation_now *r)
{
    for (int i = 0; i < TRIES; i++) {
        if (lets_in(r, r->fresh))
            return 0;
        nanosleep(&(struct timespec){ .tv_nsec = 5L * STEP_NS }, NULL);
    }
    return refuse(r, -EACCES, "Asterisk does not take the new secret");
}

static void put_back(struct rotation_now *r)
{
    int err = 0;

    if (r->theirs_changed)
        err = exchange_write(r->at.file, text_make(r->before, r->before_n));
    if (!err && r->own_changed)
        err = exchange_write(r->own_file, text_make(r->own_before, r->own_before_n));
    if (!err && r->theirs_changed)
        err = reload(r);
    if (!err && r->theirs_changed && !lets_in(r, r->old))
        err = -EACCES;
    if (err)
        (void)refuse(r, err, "putting the old secret back failed as well (%s); the file as it was: %s.before-rotation", err_text(err), r->at.file);
    else if (r->own_changed)
        fprintf(r->problems, "sidetone rotate: everything is as it was\n");
}

static void tell(const struct rotation_now *r)
{
    const struct rotation record = { .node = r->opt->node->head.name, .door = door_of(r)->name, .user = r->user, .at_us = clock_wall_us() };
    const int err = rotation_write(r->opt->config->sidetone.state_dir, &record);

    fprintf(r->out, "node %s: %s has a new secret in %s:%u and in %s; a login with it works\n", record.node, r->user, r->at.file, r->at.line, r->own_file);
    if (err)
        fprintf(r->problems, "sidetone rotate: the record %s/rotation.json cannot be written: %s\n", r->opt->config->sidetone.state_dir, err_text(err));
}

static void wipe(char *bytes, size_t n)
{
    if (bytes)
        explicit_bzero(bytes, n);
    free(bytes);
}

int rotate_run(const struct rotate_options *opt, FILE *out, FILE *problems)
{
    struct rotation_now r = { .opt = opt, .out = out, .problems = problems };
    int err = find(&r);

    if (!err)
        err = prepare(&r);
    if (!err && opt->is_dry) {
        fprintf(out, "node %s: %s: would exchange %s:%u and %s, then \"%s\", then log in with the new one\n", opt->node->head.name, r.user, r.at.file, r.at.line,
                r.own_file, door_of(&r)->reload);
    } else if (!err) {
        err = change(&r);
        if (!err)
            err = prove(&r);
        if (err)
            put_back(&r);
        else
            tell(&r);
    }
    explicit_bzero(r.fresh, sizeof r.fresh);
    wipe(r.before, r.before_n);
    wipe(r.after, r.after_n);
    wipe(r.own_before, r.own_before_n);
    return err;
}
