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
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/rotate/now.h"
#include "app/rotate/record.h"
#include "base/clock.h"

enum { TRIES = 5, TRY_NS = 100000000 };

/* ---- there ---- */

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
    return rotation_refuse(r, err, "the new files cannot be prepared beside %s and %s (%s); nothing was changed", r->own.path, r->theirs.path, err_text(err));
}

static int change(struct rotation_now *r)
{
    int err = r->own.is_put ? 0 : swap_put(&r->own);

    if (err)
        return rotation_refuse(r, err, "%s: %s", r->own.path, err_text(err));
    err = r->theirs.is_put ? 0 : swap_put(&r->theirs);
    if (err)
        return rotation_refuse(r, err, "%s: %s", r->theirs.path, err_text(err));
    err = rotation_reload(r);
    return err ? rotation_refuse(r, err, "Asterisk could not be told to read %s again: %s", rotation_door(r)->root, err_text(err)) : 0;
}

/* The reload's answer comes when it is done, but the port may be slow to say so on a busy machine. */
static int prove(const struct rotation_now *r)
{
    int err = 0;

    for (int i = 0; i < TRIES; i++) {
        err = rotation_login(r, r->fresh);
        if (!err)
            return 0;
        nanosleep(&(struct timespec){ .tv_nsec = TRY_NS }, NULL);
    }
    if (err == -EACCES)
        return rotation_refuse(r, err, "Asterisk does not take the new secret");
    return rotation_refuse(r, err, "Asterisk does not answer: %s", err_text(err));
}

static void finish(struct rotation_now *r)
{
    const struct rotation record = { .node = r->opt->node->head.name, .door = rotation_door(r)->name, .user = r->user, .at_us = clock_wall_us() };
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
    if (!err || !rotation_login(r, r->old))
        own_err = swap_put_back(&r->own);
    if (err)
        (void)rotation_refuse(r, err, "%s cannot be put back: %s", r->theirs.path, err_text(err));
    if (own_err)
        (void)rotation_refuse(r, own_err, "%s cannot be put back: %s", r->own.path, err_text(own_err));
    return err ? err : own_err;
}

static void put_back(struct rotation_now *r)
{
    const bool was_read = r->theirs.is_put;
    char command[3 * PATH_MAX];
    int told = 0, err = put_back_files(r);

    if (!err && was_read)
        told = rotation_reload(r);
    if (!err) {
        err = rotation_login(r, r->old);
        if (err == -EACCES)
            (void)rotation_refuse(r, err, "both files are as they were, but Asterisk has not read its one again%s%s", told ? ": " : "",
                                  told ? err_text(told) : "");
        else if (err)
            (void)rotation_refuse(r, err, "both files are as they were; Asterisk does not answer (%s), and reads its one when it starts", err_text(err));
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

int rotate_run(const struct rotate_options *opt, FILE *out, FILE *problems)
{
    struct rotation_now r = { .opt = opt, .out = out, .problems = problems, .lock = -1, .own.folder = -1, .theirs.folder = -1 };
    bool is_done = false;
    int err;

    (void)setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });    /* a core would hold secrets */
    err = rotation_look(&r, &is_done);
    if (!err && opt->is_dry)
        fprintf(out, "node %s: %s: would exchange %s:%u and %s, then \"%s\", then log in with the new one\n", opt->node->head.name, r.user, r.at.file, r.at.line,
                r.own.path, rotation_door(&r)->reload);
    else if (!err && is_done)
        finish(&r);
    else if (!err)
        err = exchange(&r);
    rotation_end(&r);
    return err;
}

bool rotate_is_unfinished(const struct config_node *node, enum rotate_door door)
{
    const char *const file = secret_file(rotation_secret(node, door));
    struct swap s;

    return file && !swap_names(&s, file) && access(s.before, F_OK) == 0;
}

const char *rotate_key(enum rotate_door door)
{
    return rotation_doors[door].our_key;
}

void rotate_command(const struct rotate_options *opt, char *out, size_t size)
{
    const char *const config = opt->config->path;
    const bool has_config = strcmp(config, CONFIG_DEFAULT_PATH) != 0;

    snprintf(out, size, "sidetone rotate %s %s%s%s%s%s%s%s", opt->node->head.name, rotation_doors[opt->door].option, has_config ? " --config " : "", has_config ? config : "",
             opt->asterisk_etc ? " --asterisk-etc " : "", opt->asterisk_etc ? opt->asterisk_etc : "", opt->asterisk ? " --asterisk " : "",
             opt->asterisk ? opt->asterisk : "");
}
