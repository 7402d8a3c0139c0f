/* The part of the page that a manager reads. */
#include "audit/html.h"

#include <stdlib.h>
#include <string.h>

enum { KINDS_FROM = 20 };          /* from more errors than that on their number alone says little */

static const char *s_of(size_t n)
{
    return n == 1 ? "" : "s";
}

static bool has_rule(const struct audit_rule_count *rules, size_t n, const char *code)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(rules[i].rule->code, code) == 0)
            return true;
    return false;
}

/* Thousands of errors may be one cause: how many rules told them. */
static size_t kinds_of(const struct audit_rule_count *rules, size_t n)
{
    size_t kinds = 0;

    for (size_t i = 0; i < n; i++)
        kinds += rules[i].worst == AUDIT_ERROR;
    return kinds;
}

static void add_verdict(struct buf *out, const struct audit_counts *n, const struct audit_rule_count *rules, size_t rule_count)
{
    if (n->errors) {
        buf_addf(out, "<p class=\"verdict error\" id=\"verdict\"><strong>Not safe as it is.</strong> %zu error%s", n->errors,
                 s_of(n->errors));
        if (n->errors > KINDS_FROM)
            buf_addf(out, " of %zu kind%s", kinds_of(rules, rule_count), s_of(kinds_of(rules, rule_count)));
        buf_add_text(out, TEXT(" should be mended soon"));
        if (n->warnings)
            buf_addf(out, ", and %zu warning%s looked at", n->warnings, s_of(n->warnings));
        buf_add_char(out, '.');
    } else if (n->warnings) {
        buf_addf(out, "<p class=\"verdict warning\" id=\"verdict\"><strong>Should be looked at.</strong> No error was found, but %zu warning%s.", n->warnings,
                 s_of(n->warnings));
    } else if (n->notes) {
        buf_addf(out, "<p class=\"verdict note\" id=\"verdict\"><strong>Nothing dangerous was found.</strong> There %s %zu remark%s.", n->notes == 1 ? "is" : "are",
                 n->notes, s_of(n->notes));
    } else {
        buf_add_text(out, TEXT("<p class=\"verdict good\" id=\"verdict\"><strong>Nothing was found.</strong>"));
    }
    if (has_rule(rules, rule_count, "ST210"))
        buf_add_text(out, TEXT(" People from outside can make calls at your cost."));
    buf_add_text(out, TEXT("</p>\n"));
}

static void add_count(struct buf *out, const char *kind, const char *name, size_t n)
{
    buf_addf(out, "<li class=\"count %s\"><b>%zu</b> %s</li>", kind, n, name);
}

/* What can be misused comes before what does not work: callers' data and trunks, then doors, then the dialplan's shape. */
static int danger(const struct audit_rule_count *c)
{
    static const char order[] = "015432";  /* the digit behind "ST", least dangerous first */
    const char *const at = strchr(order, c->rule->code[0] ? c->rule->code[2] : '0');

    return (int)c->worst * 100 + (strcmp(c->rule->code, "ST210") == 0 ? 50 : at ? (int)(at - order) : 0);
}

/* The places of one rule: the first one is named. */
static void add_worst(struct buf *out, const struct audit_report *r, const struct audit_rule_count *c)
{
    const struct audit_finding *first = NULL;

    for (size_t i = 0; !first && i < r->audit->finding_count; i++)
        if (r->audit->findings[i].rule == c->rule && !r->audit->findings[i].silenced_by && r->audit->findings[i].severity == c->worst)
            first = &r->audit->findings[i];
    buf_addf(out, "<li><span class=\"sev %s\">%s</span> <strong>", audit_severity_name(c->worst), audit_severity_name(c->worst));
    html_adds(out, c->rule->summary);
    buf_add_text(out, TEXT("</strong> "));
    html_adds(out, c->rule->why);
    buf_addf(out, "<br><span class=\"dim\">%zu place%s", c->count, s_of(c->count));
    if (first && first->place.file) {
        buf_add_text(out, c->count == 1 ? TEXT(": <span class=\"place\">") : TEXT(", the first is <span class=\"place\">"));
        html_add_place(out, r, &first->place);
        buf_add_text(out, TEXT("</span>"));
    }
    buf_add_text(out, TEXT(". What to do: "));
    html_adds(out, c->rule->fix);
    buf_addf(out, " (<a href=\"#%s\">%s</a>)</span></li>\n", c->rule->code, c->rule->code);
}

static void add_worst_five(struct buf *out, const struct audit_report *r, const struct audit_rule_count *rules, size_t count)
{
    size_t told[HTML_WORST], n = 0;

    for (; n < HTML_WORST && n < count; n++) {
        size_t best = SIZE_MAX;

        for (size_t i = 0; i < count; i++) {
            bool is_told = false;

            for (size_t k = 0; k < n; k++)
                is_told |= told[k] == i;
            if (!is_told && (best == SIZE_MAX || danger(&rules[i]) > danger(&rules[best])))
                best = i;
        }
        told[n] = best;
    }
    if (!n)
        return;
    buf_addf(out, "<section id=\"worst\"><h2>%s</h2>\n<ol class=\"worst\">\n", n == 1 ? "The worst, in plain words" : "The worst ones, in plain words");
    for (size_t i = 0; i < n; i++)
        add_worst(out, r, &rules[told[i]]);
    buf_add_text(out, TEXT("</ol></section>\n"));
}

void html_summary(struct buf *out, const struct audit_report *r, const struct audit_rule_count *rules, size_t rule_count)
{
    struct audit_counts n;

    audit_count(r->audit, &n);
    add_verdict(out, &n, rules, rule_count);
    buf_add_text(out, TEXT("<ul class=\"counts\">"));
    add_count(out, "error", n.errors == 1 ? "error" : "errors", n.errors);
    add_count(out, "warning", n.warnings == 1 ? "warning" : "warnings", n.warnings);
    add_count(out, "note", n.notes == 1 ? "note" : "notes", n.notes);
    add_count(out, "silenced", "silenced", n.silenced);
    if (r->audit->dialplan) {
        add_count(out, "size", "contexts", r->audit->dialplan->context_count);
        add_count(out, "size", "dialplan steps", r->audit->dialplan->step_count);
    }
    buf_add_text(out, TEXT("</ul>\n"));
    if (r->audit->findings_dropped)
        buf_addf(out, "<p>%zu findings more than fit are not told.</p>\n", r->audit->findings_dropped);
    add_worst_five(out, r, rules, rule_count);
}
