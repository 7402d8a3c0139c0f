/* What one node answered to the doctor: plain values, so that the checks are pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "app/config.h"
#include "base/buf.h"

enum doctor_known { DOCTOR_UNKNOWN, DOCTOR_NO, DOCTOR_YES };

/* One login of manager.conf. */
struct doctor_ami {
    const char *user;           /* NULL: not configured */
    const char *user_key, *secret_key; /* keys of sidetone.conf */
    bool is_in;                 /* really logged in */
    int err;                    /* else why not; -EACCES: refused */
    char why[200];
    bool saw_booted;            /* FullyBooted came: read has system, and no filter keeps it away */
    enum doctor_known stamps;   /* of an event that came */
    struct buf actions;         /* "\nPing\nEvents\n...": what the user may send (ListCommands) */
    struct buf rights;          /* "\nsystem\ncall\n": the classes with which those may be sent */
    bool has_actions;
    char version[80], system_name[80]; /* "" when it may not ask */
    bool has_clock;
    int64_t ahead_us, doubt_us; /* Asterisk's clock before ours, and how far off that may be */
};

struct doctor_ari {
    bool is_configured;
    int err, status;            /* of GET asterisk/info; err 0: status is set */
    char why[200];
    char version[80], last_reload[48];  /* as ARI writes times; "": not told */
    int app_status;             /* of GET applications/APP; 0: no answer */
    int write_status;           /* of a DELETE of a channel that nobody has; 0: no answer */
    int64_t max_open_files;     /* of asterisk.conf; 0: not told */
};

struct doctor_certificate {
    bool is_asked, is_known;
    int64_t not_after;          /* seconds since 1970 */
    char why[200];
};

enum { DOCTOR_TAP, DOCTOR_CONTROL, DOCTOR_LOGINS };

struct doctor_asked {
    const struct config_node *node;
    struct doctor_ami ami[DOCTOR_LOGINS];
    struct doctor_ari ari;
    struct doctor_certificate ami_certificate, ari_certificate;
    struct buf modules;         /* "\napp_stasis\nres_agi\n": those that run */
    bool has_modules;           /* the list is whole (ARI) */
    struct buf asked_modules;   /* those asked for one by one (ModuleCheck), when it is not */
    bool is_late;               /* not all answers came within the time */
};

/* "\nA\nB\n" holds name? */
bool doctor_list_has(const struct buf *list, const char *name);
void doctor_list_add(struct buf *list, struct text name);
enum doctor_known doctor_has_module(const struct doctor_asked *a, const char *module);

/* Asks over the node's own users, within limit_ms all in all. names: modules to ask for, NULL-terminated. 0 (whatever the node
 * said), or what setting up gave. Blocking; doctor_asked_free afterwards also on error. */
int doctor_ask(struct doctor_asked *out, const struct config_node *node, const char *const *modules, int64_t limit_ms) MUST_USE;
void doctor_asked_free(struct doctor_asked *a);
