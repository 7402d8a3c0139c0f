/* One rotation under way: what is there, and what is to be. Within this folder. */
#pragma once

#include "app/rotate/exchange.h"
#include "app/rotate/rotate.h"
#include "app/rotate/swap.h"

struct door {
    const char *name, *option, *root, *key, *reload, *our_key;
};

extern const struct door rotation_doors[ROTATE_DOORS];

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

/* Takes the lock, reads the files, logs in, and finds out how far it came; says why not. is_done: nothing but the record is missing.
 * rotation_end afterwards also on error. */
int rotation_look(struct rotation_now *r, bool *is_done) MUST_USE;
/* Closes, wipes, frees. */
void rotation_end(struct rotation_now *r);

const struct secret *rotation_secret(const struct config_node *n, enum rotate_door door);
const struct door *rotation_door(const struct rotation_now *r);
/* One sentence; gives err back. */
int rotation_refuse(const struct rotation_now *r, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
int rotation_login(const struct rotation_now *r, const char *value) MUST_USE;
int rotation_reload(const struct rotation_now *r) MUST_USE;
