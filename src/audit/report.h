/* What the auditor found, as text for a terminal and as JSON. Text of the configuration is hostile: control characters do not reach a terminal, and
 * of its lines only what is no secret is shown (mask.h). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "audit/audit.h"
#include "audit/baseline.h"
#include "audit/source.h"
#include "base/buf.h"

struct audit_counts {
    size_t errors, warnings, notes, silenced;  /* silenced ones are in none of the first three */
};

/* A part of the HTML page that somebody else writes: a <section>, by html_add where text comes from files. */
struct audit_report_section {
    void (*write)(struct buf *out, const void *arg);
    const void *arg;
};

/* What is told, the same for every form. */
struct audit_report {
    const struct audit *audit;
    struct source *source;         /* its lines; NULL: none is shown */
    enum audit_severity least;     /* findings below it are counted, but not shown */
    size_t max;                    /* findings shown at most, the worst first to stay; 0: all */
    bool has_colour;
    const struct baseline *baseline; /* NULL: none was given */
    const char *only;              /* the one rule that ran; NULL: all */
    const char *made;              /* when, for the page; NULL: not told */
    const struct audit_report_section *sections; /* more parts of the page */
    size_t section_count;
};

/* Goes through the findings that are told, in order; silenced ones are among them. */
struct audit_report_walk {
    size_t next, room[AUDIT_ERROR + 1];
};

void audit_report_begin(const struct audit_report *r, struct audit_report_walk *w);
const struct audit_finding *audit_report_next(const struct audit_report *r, struct audit_report_walk *w); /* NULL: that was all */
/* How many that count are not told, because of max and least. */
size_t audit_report_untold(const struct audit_report *r);
/* The findings of one rule that count; list must have room for audit_rule_count. Worst severity first, then code. Returns how many rules found something. */
struct audit_rule_count {
    const struct audit_rule *rule;
    enum audit_severity worst;
    size_t count;
};
size_t audit_count_rules(const struct audit *a, struct audit_rule_count *list);
void audit_count(const struct audit *a, struct audit_counts *out);
/* "error", "warning", "note" */
const char *audit_severity_name(enum audit_severity s);
/* FILE:LINE:COLUMN: severity CODE: sentence; the line with a mark under the place; the way to it; a hint. Then how often each rule found something,
 * and one line that sums up. */
void audit_report_text(const struct audit_report *r, FILE *to);
/* One JSON object. 0 or out's sticky error. */
int audit_report_json(const struct audit_report *r, struct buf *out);
/* SARIF 2.1.0. 0, -ENOMEM or out's sticky error. */
int audit_report_sarif(const struct audit_report *r, struct buf *out);
/* One page of HTML that needs nothing from outside and runs nothing but its own filter. 0, -ENOMEM or out's sticky error. */
int audit_report_html(const struct audit_report *r, struct buf *out);
/* What one rule is about, why, and what to do; its examples. */
void audit_report_rule(const struct audit_rule *r, FILE *to);
/* Likewise as one object, without a line's end. 0 or the buffer's error. */
int audit_report_rule_json(const struct audit_rule *r, struct buf *out) MUST_USE;
