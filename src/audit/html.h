/* What the parts of the HTML report share: escaping, and each part's own function. The report itself is audit_report_html in report.h. */
#pragma once

#include "audit/graph.h"
#include "audit/inventory.h"
#include "audit/report.h"

enum { HTML_FINDINGS_MAX = 2000, HTML_WORST = 5, HTML_NAMES_MAX = 300 };

/* Adds text of anybody: cleaned, and fit for an element and a quoted attribute. */
void html_add(struct buf *out, struct text t);
void html_adds(struct buf *out, const char *s);
/* The name of a context or a trunk. Behind a "=" stand settings that a generator put there, secrets among them: they are not shown. */
void html_add_name(struct buf *out, struct text t);
void html_add_place(struct buf *out, const struct audit_report *r, const struct conf_place *p);

/* html_summary.c: the verdict, the counts, the five worst in plain words. */
void html_summary(struct buf *out, const struct audit_report *r, const struct audit_rule_count *rules, size_t rule_count);
/* html_findings.c: the table with its filter; what each rule means. */
void html_findings(struct buf *out, const struct audit_report *r, const struct audit_rule_count *rules, size_t rule_count);
void html_rules(struct buf *out, const struct audit_rule_count *rules, size_t rule_count);
/* html_graph.c: the drawing, its legend, and what is not drawn. */
void html_graph(struct buf *out, const struct audit_report *r, const struct graph *g);

/* html_inventory.c: a section (struct audit_report_section) about AGI. */
struct html_inventory_part {
    const struct audit_report *report;
    const struct inventory *inventory;
};
void html_inventory(struct buf *out, const void *part);
