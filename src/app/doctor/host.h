/* What this machine is like: plain values, so that the checks are pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "app/config.h"
#include "app/doctor/rights.h"

enum { DOCTOR_PORTS_MAX = 64, DOCTOR_FILES_MAX = 512 };

enum doctor_port_state { DOCTOR_PORT_FREE, DOCTOR_PORT_OURS, DOCTOR_PORT_TAKEN, DOCTOR_PORT_REFUSED };

struct doctor_port {
    const char *key;            /* "fastagi/listen" */
    char where[100];
    enum doctor_port_state state;
    int err;                    /* of REFUSED: no such address here, or not allowed */
    char owner[64];             /* of TAKEN: "nginx (pid 12)", or "" */
};

enum doctor_file_fault {
    DOCTOR_FILE_GOOD, DOCTOR_FILE_GONE, DOCTOR_FILE_UNSEEN, DOCTOR_FILE_FOLDER_CLOSED, DOCTOR_FILE_UNREADABLE, DOCTOR_FILE_NOT_RUNNABLE, DOCTOR_FILE_NOEXEC,
    DOCTOR_FILE_NO_INTERPRETER, DOCTOR_FILE_CARRIAGE_RETURN, DOCTOR_FILE_INTERPRETER_GONE, DOCTOR_FILE_INTERPRETER_REFUSED,
    DOCTOR_FILE_WRITABLE, DOCTOR_FOLDER_WRITABLE
};

struct doctor_file {
    const char *what;           /* "route", "agent", "tool" */
    const char *name;           /* of the section */
    const char *path;
    const char *who;            /* whose rights were looked at */
    bool is_run;                /* not only read */
    enum doctor_file_fault fault;
    char *at;                   /* malloced: the folder or file that is to be changed; NULL: none */
};

struct doctor_host {
    pid_t daemon;               /* 0: it does not run, as far as can be seen */
    struct doctor_person who;   /* the daemon's user; while it does not run, the service's (where root asks), else ours */
    int64_t open_files;         /* its limit; ours while it does not run */
    int64_t open_files_needed;
    struct doctor_port ports[DOCTOR_PORTS_MAX];
    size_t port_count;
    size_t rtp_taken;           /* of the UDP ports of [rtp]; not looked at while the daemon runs */
    bool has_rtp;
    struct doctor_file files[DOCTOR_FILES_MAX];
    size_t file_count;
    int state_err;              /* of state_dir: 0, or why it cannot be written */
    bool state_is_there;
    int64_t disk_free, disk_size;   /* bytes; -1: not known */
};

/* Looks. Nothing stays bound or open. c outlives it. */
void doctor_host_look(struct doctor_host *h, const struct config *c);
void doctor_host_free(struct doctor_host *h);

/* Fills fault, at and who of f. needs: DOCTOR_READ, DOCTOR_RUN. p outlives f. */
void doctor_file_judge(struct doctor_file *f, const struct doctor_person *p, unsigned needs);
/* How many files that process may have open; -1: not known. */
int64_t doctor_limit_of(pid_t pid);
/* Descriptors that so many sessions and talks may need. */
int64_t doctor_files_needed(const struct config *c);
