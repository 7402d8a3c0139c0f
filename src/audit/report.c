/* Counts findings, chooses which are told, and explains a rule. */
#include "audit/report.h"

#include <stdlib.h>
#include <string.h>

void audit_count(const struct audit *a, struct audit_counts *out)
{
    *out = (struct audit_counts){ 0 };
    for (size_t i = 0; i < a->finding_count; i++) {
        const struct audit_finding *const f = &a->findings[i];

        if (f->silenced_by)
            out->silenced++;
        else if (f->severity == AUDIT_ERROR)
            out->errors++;
        else if (f->severity == AUDIT_WARNING)
            out->warnings++;
        else
            out->notes++;
    }
}

const char *audit_severity_name(enum audit_severity s)
{
    static const char *const names[] = { [AUDIT_NOTE] = "note", [AUDIT_WARNING] = "warning", [AUDIT_ERROR] = "error" };

    return names[s];
}

void audit_report_begin(const struct audit_report *r, struct audit_report_walk *w)
{
    struct audit_counts n;
    size_t rest = r->max ? r->max : SIZE_MAX;

    audit_count(r->audit, &n);
    *w = (struct audit_report_walk){ .room = { [AUDIT_ERROR] = n.errors, [AUDIT_WARNING] = n.warnings, [AUDIT_NOTE] = n.notes } };
    for (int s = AUDIT_ERROR; s >= AUDIT_NOTE; s--) {
        if (w->room[s] > rest || s < (int)r->least)
            w->room[s] = s < (int)r->least ? 0 : rest;
        rest -= w->room[s];
    }
}

const struct audit_finding *audit_report_next(const struct audit_report *r, struct audit_report_walk *w)
{
    while (w->next < r->audit->finding_count) {
        const struct audit_finding *const f = &r->audit->findings[w->next++];

        if (f->severity < r->least)
            continue;
        if (f->silenced_by)
            return f;
        if (w->room[f->severity] == 0)
            continue;
        w->room[f->severity]--;
        return f;
    }
    return NULL;
}

size_t audit_report_untold(const struct audit_report *r)
{
    struct audit_report_walk w;
    struct audit_counts n;

    audit_report_begin(r, &w);
    audit_count(r->audit, &n);
    return n.errors + n.warnings + n.notes - w.room[AUDIT_ERROR] - w.room[AUDIT_WARNING] - w.room[AUDIT_NOTE];
}

static int compare_counts(const void *x, const void *y)
{
    const struct audit_rule_count *a = x, *b = y;

    return a->worst != b->worst ? (int)b->worst - (int)a->worst : strcmp(a->rule->code, b->rule->code);
}

size_t audit_count_rules(const struct audit *a, struct audit_rule_count *list)
{
    size_t n = 0;

    for (size_t i = 0; i < a->finding_count; i++) {
        const struct audit_finding *const f = &a->findings[i];
        size_t k = 0;

        if (f->silenced_by)
            continue;
        while (k < n && list[k].rule != f->rule)
            k++;
        if (k == n)
            list[n++] = (struct audit_rule_count){ .rule = f->rule, .worst = f->severity };
        list[k].count++;
        if (f->severity > list[k].worst)
            list[k].worst = f->severity;
    }
    if (n)
        qsort(list, n, sizeof *list, compare_counts);
    return n;
}

/* ---- a rule ---- */

static void put_example(FILE *to, const struct audit_rule_example *x)
{
    fprintf(to, "\n%s, in %s:\n", x->is_bad ? "Found" : "Good", x->file);
    for (const char *p = x->text; *p;) {
        const size_t n = strcspn(p, "\n");

        fprintf(to, "    %.*s\n", (int)n, p);
        p += n + (p[n] == '\n');
    }
}

void audit_report_rule(const struct audit_rule *r, FILE *to)
{
    fprintf(to, "%s %s (%s)\n\n%s\n\n%s\n\nWhat to do: %s\n", r->code, r->name, audit_severity_name(r->severity), r->summary, r->why, r->fix);
    for (size_t i = 0; i < r->example_count; i++)
        put_example(to, &r->examples[i]);
}
