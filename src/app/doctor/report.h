/* What the doctor found: a line a check, with what to paste where something is wrong. */
#pragma once

#include <stddef.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"

enum doctor_verdict { DOCTOR_OK, DOCTOR_WARN, DOCTOR_FAIL, DOCTOR_SKIP, DOCTOR_VERDICTS };

struct doctor_line {
    enum doctor_verdict verdict;
    const char *node;           /* "": this machine */
    const char *check;          /* "ami login"; static */
    char *said;                 /* one sentence */
    char *fix_in;               /* the file that the lines go into, or "shell"; NULL: nothing to do */
    char *fix;                  /* lines to paste */
};

struct doctor_report {
    struct doctor_line *lines;
    size_t count, room;
    size_t totals[DOCTOR_VERDICTS];
    const char *node;           /* of the lines that are added next; outlives the report */
    int err;                    /* sticks: -ENOMEM */
};

void doctor_report_init(struct doctor_report *r);
void doctor_report_free(struct doctor_report *r);

/* A line more. */
void doctor_say(struct doctor_report *r, enum doctor_verdict verdict, const char *check, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* The line said last: what to paste, and where. */
void doctor_fix(struct doctor_report *r, const char *file, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same for a command of the shell about one path. */
void doctor_fix_command(struct doctor_report *r, const char *command, const char *path);

/* Blockers first among the headings of one node, in order of the checks; then a summary. */
void doctor_print(const struct doctor_report *r, FILE *out);
/* {"ok":true,"failed":0,...,"checks":[...]} */
int doctor_json(const struct doctor_report *r, struct buf *out) MUST_USE;
