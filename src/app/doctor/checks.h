/* The checks of the doctor: tables of small functions that look at values and say a line each. */
#pragma once

#include "app/doctor/asked.h"
#include "app/doctor/report.h"

/* Asterisk's own files, as far as they are here and may be read; NULL where not. */
struct doctor_etc {
    const char *folder;         /* NULL: the node is not on this machine */
    struct conf *manager, *ari, *http;
};

struct doctor_context {
    const struct config *config;
    const struct doctor_asked *asked;   /* NULL for checks of this machine */
    const struct doctor_etc *etc;
    struct doctor_report *report;
    int64_t now_s;              /* since 1970 */
};

struct doctor_check {
    const char *name;
    void (*run)(const struct doctor_context *x, const char *name);
};

struct doctor_checks {
    const struct doctor_check *list;
    size_t count;
};

extern const struct doctor_checks doctor_ami_checks, doctor_ari_checks, doctor_tls_checks, doctor_module_checks, doctor_limit_checks;

void doctor_checks_run(const struct doctor_checks *checks, const struct doctor_context *x);

/* Of the tap's eventfilter lines in manager.conf: says what they may keep away that facts need. true: something was said. */
bool doctor_filters_check(const struct doctor_context *x, const char *name);
/* Adds ami_filter as lines of manager.conf. true: they stand there already. */
bool doctor_filters_moved(const struct doctor_context *x, struct buf *lines);
/* The lines of [general] that open a port for url, whose key in that file is port_key ("port", "bindport"); with TLS where url says so. */
const char *doctor_door_lines(const char *url, const char *port_key, char *out, size_t size);
/* Did it fail because the host's name is not known? why: what the dialer said. */
bool doctor_is_name_unknown(int err, const char *why);
/* Known to be no longer good at that time? */
bool doctor_has_run_out(const struct doctor_certificate *c, int64_t now_s);

/* Descriptors that Asterisk may need for so many sessions and talks. */
int64_t doctor_asterisk_files_needed(const struct config *c, const struct config_node *n);

/* What doctor_ask is to ask for, NULL-terminated: all that any part of us needs. */
extern const char *const doctor_modules[];

/* The path of one of Asterisk's files, for a fix: "/etc/asterisk/manager.conf", or of the folder that was named. */
const char *doctor_etc_path(const struct doctor_etc *e, const char *name, char *out, size_t size);
void doctor_etc_load(struct doctor_etc *e, const char *folder);
void doctor_etc_free(struct doctor_etc *e);
