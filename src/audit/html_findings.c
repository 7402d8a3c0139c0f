/* The table of findings, its filter, and what the rules mean. */
#include "audit/html.h"

#include <errno.h>
#include <stdlib.h>

#include "audit/excerpt.h"
#include "audit/repeats.h"

static void add_filter(struct buf *out, const struct audit_rule_count *rules, size_t count)
{
    buf_add_text(out, TEXT("<form id=\"filter\" hidden><label>Severity<select name=\"severity\"><option value=\"\">all</option><option>error</option>"
                           "<option>warning</option><option>note</option></select></label>\n"
                           "<label>Rule<select name=\"code\"><option value=\"\">all</option>"));
    for (size_t i = 0; i < count; i++) {
        buf_addf(out, "<option value=\"%s\">%s ", rules[i].rule->code, rules[i].rule->code);
        html_adds(out, rules[i].rule->name);
        buf_addf(out, " (%zu)</option>", rules[i].count);
    }
    buf_add_text(out, TEXT("</select></label>\n<label>Text<input name=\"words\" type=\"search\" autocomplete=\"off\"></label>"
                           "<output id=\"told\" class=\"dim\"></output></form>\n"));
}

static void add_line(struct buf *out, const struct audit_report *r, const struct conf_place *p)
{
    struct excerpt x = { .state = EXCERPT_NONE };

    if (r->source)
        excerpt_make(&x, r->source, p);
    if (x.state == EXCERPT_HIDDEN)
        buf_add_text(out, TEXT("<p class=\"dim\">(The line is not shown: it may hold a secret.)</p>"));
    if (x.state != EXCERPT_SHOWN)
        return;
    buf_add_text(out, TEXT("<pre class=\"mark\">"));
    html_adds(out, x.line);
    if (x.mark_width) {
        buf_addf(out, "\n%*s<b>^", (int)x.mark, "");
        for (unsigned i = 1; i < x.mark_width; i++)
            buf_add_char(out, '~');
        buf_add_text(out, TEXT("</b>"));
    }
    buf_add_text(out, TEXT("</pre>"));
}

static void add_way(struct buf *out, const struct audit_report *r, const struct audit_finding *f)
{
    buf_addf(out, "<details><summary>The way: %zu steps</summary><ol>", f->path_count);
    for (size_t i = 0; i < f->path_count; i++) {
        buf_add_text(out, TEXT("<li><span class=\"place\">"));
        html_add_place(out, r, &f->path[i].place);
        buf_add_text(out, TEXT("</span> "));
        html_adds(out, f->path[i].text);
        add_line(out, r, &f->path[i].place);
        buf_add_text(out, TEXT("</li>"));
    }
    buf_add_text(out, TEXT("</ol></details>"));
}

static void add_row(struct buf *out, const struct audit_report *r, const struct repeat *p)
{
    const struct audit_finding *const f = p->finding;
    const char *const severity = audit_severity_name(f->severity);

    buf_addf(out, "<tr data-severity=\"%s\" data-code=\"%s\"><td class=\"inline\"><span class=\"sev %s\">%s</span></td><td class=\"inline\"><a href=\"#%s\">%s</a></td>"
                  "<td class=\"place\">", severity, f->rule->code, severity, severity, f->rule->code, f->rule->code);
    html_add_place(out, r, &f->place);
    buf_add_text(out, TEXT("</td><td><p>"));
    html_adds(out, f->message);
    buf_add_text(out, TEXT("</p>"));
    add_line(out, r, &f->place);
    if (f->path_count)
        add_way(out, r, f);
    if (f->hint) {
        buf_add_text(out, TEXT("<p class=\"dim\">Hint: "));
        html_adds(out, f->hint);
        buf_add_text(out, TEXT("</p>"));
    }
    if (p->untold) {
        buf_addf(out, "<p class=\"dim\">And %zu more %s, down to <span class=\"place\">", p->untold, f->severity == AUDIT_NOTE ? "of this rule" : "like it");
        html_add_place(out, r, &p->last->place);
        buf_add_text(out, TEXT("</span></p>"));
    }
    buf_add_text(out, TEXT("</td></tr>\n"));
}

/* The findings that are told, the worst first; of those alike the first few. */
static struct repeat *list_findings(const struct audit_report *r, size_t *count)
{
    struct repeat *const list = calloc(r->audit->finding_count + 1, sizeof *list);
    const struct audit_finding *f;
    size_t n = 0;

    if (!list)
        return NULL;
    for (int severity = AUDIT_ERROR; severity >= AUDIT_NOTE; severity--) {
        struct audit_report_walk w;

        audit_report_begin(r, &w);
        while ((f = audit_report_next(r, &w)) != NULL)
            if (!f->silenced_by && (int)f->severity == severity)
                list[n++].finding = f;
    }
    if (!r->only && repeats_find(list, n)) {
        free(list);
        return NULL;
    }
    *count = n;
    return list;
}

static size_t rows_of(const struct repeat *list, size_t count)
{
    size_t n = 0;

    for (size_t i = 0; i < count; i++)
        n += !list[i].is_left_out;
    return n;
}

void html_findings(struct buf *out, const struct audit_report *r, const struct audit_rule_count *rules, size_t rule_count)
{
    size_t count = 0, rows, untold, told = 0;
    struct repeat *list;

    if (!rule_count)
        return;
    list = list_findings(r, &count);
    if (!list) {
        out->err = -ENOMEM;
        return;
    }
    rows = rows_of(list, count);
    untold = audit_report_untold(r) + (rows > HTML_FINDINGS_MAX ? rows - HTML_FINDINGS_MAX : 0);
    buf_add_text(out, TEXT("<section><h2>Findings</h2>\n"));
    add_filter(out, rules, rule_count);
    if (untold)
        buf_addf(out, "<p>%zu findings are not in this page; the ones here are the worst.</p>\n", untold);
    buf_add_text(out, TEXT("<table id=\"findings\"><thead><tr><th>Severity</th><th>Rule</th><th>Place</th><th>What</th></tr></thead><tbody>\n"));
    for (size_t i = 0; i < count && told < HTML_FINDINGS_MAX; i++)
        if (!list[i].is_left_out) {
            add_row(out, r, list + i);
            told++;
        }
    buf_add_text(out, TEXT("</tbody></table></section>\n"));
    free(list);
}

void html_rules(struct buf *out, const struct audit_rule_count *rules, size_t rule_count)
{
    if (!rule_count)
        return;
    buf_add_text(out, TEXT("<section><h2>What the rules mean</h2>\n"));
    for (size_t i = 0; i < rule_count; i++) {
        const struct audit_rule *const rule = rules[i].rule;

        buf_addf(out, "<h3 id=\"%s\">%s ", rule->code, rule->code);
        html_adds(out, rule->name);
        buf_add_text(out, TEXT("</h3><p>"));
        html_adds(out, rule->summary);
        buf_add_char(out, ' ');
        html_adds(out, rule->why);
        buf_add_text(out, TEXT("</p><p>What to do: "));
        html_adds(out, rule->fix);
        buf_add_text(out, TEXT("</p>\n"));
    }
    buf_add_text(out, TEXT("</section>\n"));
}
