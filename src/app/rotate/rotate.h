/* Exchanges one secret that Asterisk and we share, without a session lost: established ones stay, and a client that is refused reads
 * the file again. Asterisk must be on this machine. Blocking; for tools. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "app/config.h"

enum rotate_door { ROTATE_TAP, ROTATE_CONTROL, ROTATE_ARI, ROTATE_DOORS };

struct rotate_options {
    const struct config *config;
    const struct config_node *node;
    enum rotate_door door;
    const char *asterisk_etc;       /* NULL: /etc/asterisk */
    const char *asterisk;           /* the program that reloads: PROGRAM -C ETC/asterisk.conf -rx "..."; NULL: asterisk */
    bool is_dry;                    /* look at everything, change nothing */
};

/* Tells on out what is done, and on problems in one sentence why not; never any part of a secret. 0: exchanged and proven by a login; else
 * everything is as it was (or the sentence says what is not, and how to end it). May be killed at any moment: the next run finds out from
 * what is left, and from logins, how far it came, and ends it. */
int rotate_run(const struct rotate_options *opt, FILE *out, FILE *problems) MUST_USE;

/* Was one cut off? As far as we may see. */
bool rotate_is_unfinished(const struct config_node *node, enum rotate_door door);
/* "ami_secret" */
const char *rotate_key(enum rotate_door door);
/* The command line that ends it. */
void rotate_command(const struct rotate_options *opt, char *out, size_t size);
