/* Writes findings down for a person at a terminal, as a good compiler does. */
#include "audit/report.h"

#include <stdlib.h>
#include <string.h>

#include "audit/clean.h"
#include "audit/excerpt.h"
#include "audit/repeats.h"

enum { NUMBER_COLUMNS = 5 };

/* ---- colours ---- */

enum paint { PAINT_ERROR, PAINT_WARNING, PAINT_NOTE, PAINT_PLACE, PAINT_MARK, PAINT_DIM };

static void paint(const struct audit_report *r, FILE *to, enum paint p)
{
    static const char *const codes[] = { [PAINT_ERROR] = "1;31", [PAINT_WARNING] = "1;33", [PAINT_NOTE] = "1;36",
                                         [PAINT_PLACE] = "1",    [PAINT_MARK] = "1;32",    [PAINT_DIM] = "2" };

    if (r->has_colour)
        fprintf(to, "\x1b[%sm", codes[p]);
}

static void paint_end(const struct audit_report *r, FILE *to)
{
    if (r->has_colour)
        fputs("\x1b[0m", to);
}

static enum paint paint_of(enum audit_severity s)
{
    return s == AUDIT_ERROR ? PAINT_ERROR : s == AUDIT_WARNING ? PAINT_WARNING : PAINT_NOTE;
}

/* ---- a finding ---- */

static void put_place(const struct audit_report *r, FILE *to, const struct conf_place *p)
{
    paint(r, to, PAINT_PLACE);
    clean_put(text_of(p->file ? p->file : "?"), to);
    if (p->line)
        fprintf(to, ":%u:%u", p->line, p->column);
    paint_end(r, to);
    fputs(": ", to);
}

static void put_mark(const struct audit_report *r, FILE *to, const struct excerpt *x)
{
    fprintf(to, "%*s | %*s", NUMBER_COLUMNS, "", (int)x->mark, "");
    paint(r, to, PAINT_MARK);
    putc('^', to);
    for (unsigned i = 1; i < x->mark_width; i++)
        putc('~', to);
    paint_end(r, to);
    putc('\n', to);
}

static void put_line(const struct audit_report *r, FILE *to, const struct conf_place *p)
{
    struct excerpt x = { .state = EXCERPT_NONE };

    if (r->source)
        excerpt_make(&x, r->source, p);
    if (x.state == EXCERPT_NONE)
        return;
    fprintf(to, "%*u | ", NUMBER_COLUMNS, p->line);
    if (x.state == EXCERPT_HIDDEN) {
        paint(r, to, PAINT_DIM);
        fputs("(not shown: it may hold a secret)", to);
        paint_end(r, to);
    }
    fprintf(to, "%s\n", x.line);
    if (x.mark_width)
        put_mark(r, to, &x);
}

static bool is_same(const struct conf_place *a, const struct conf_place *b)
{
    return a->line == b->line && a->file && b->file && strcmp(a->file, b->file) == 0;
}

/* The lines of a way; one that has just been shown is not shown again. */
static void put_way(const struct audit_report *r, FILE *to, const struct audit_finding *f)
{
    const struct conf_place *shown = &f->place;

    for (size_t i = 0; i < f->path_count; i++) {
        const struct audit_step *const s = &f->path[i];

        fputs("    ", to);
        put_place(r, to, &s->place);
        clean_put(text_of(s->text), to);
        putc('\n', to);
        if (!is_same(&s->place, shown) && !is_same(&s->place, &f->place))
            put_line(r, to, &s->place);
        shown = &s->place;
    }
}

static void put_finding(const struct audit_report *r, FILE *to, const struct audit_finding *f)
{
    put_place(r, to, &f->place);
    paint(r, to, paint_of(f->severity));
    fputs(audit_severity_name(f->severity), to);
    paint_end(r, to);
    fprintf(to, " %s: ", f->rule->code);
    clean_put(text_of(f->message), to);
    putc('\n', to);
    put_line(r, to, &f->place);
    put_way(r, to, f);
    if (f->hint) {
        fputs("    hint: ", to);
        clean_put(text_of(f->hint), to);
        putc('\n', to);
    }
}

/* "and 286 more like it, down to a.conf:5012; --only ST121 shows each" */
static void put_repeats(const struct audit_report *r, FILE *to, const struct repeat *p)
{
    fputs("    ", to);
    paint(r, to, PAINT_DIM);
    fprintf(to, "and %zu more %s, down to ", p->untold, p->finding->severity == AUDIT_NOTE ? "of this rule" : "like it");
    clean_put(text_of(p->last->place.file ? p->last->place.file : "?"), to);
    fprintf(to, ":%u; --only %s shows each", p->last->place.line, p->finding->rule->code);
    paint_end(r, to);
    putc('\n', to);
}

static void put_findings(const struct audit_report *r, FILE *to)
{
    struct repeat *const list = calloc(r->audit->finding_count + 1, sizeof *list);
    const struct audit_finding *f;
    struct audit_report_walk w;
    bool is_grouped;
    size_t n = 0;

    audit_report_begin(r, &w);
    while ((f = audit_report_next(r, &w)) != NULL)
        if (!f->silenced_by && list)
            list[n++].finding = f;
        else if (!f->silenced_by)
            put_finding(r, to, f);
    is_grouped = n && !r->only && repeats_find(list, n) == 0; /* without memory each is told */
    for (size_t i = 0; i < n; i++) {
        if (is_grouped && list[i].is_left_out)
            continue;
        put_finding(r, to, list[i].finding);
        if (is_grouped && list[i].untold)
            put_repeats(r, to, list + i);
    }
    free(list);
}

/* ---- the end ---- */

static void put_rules(const struct audit_report *r, FILE *to)
{
    struct audit_rule_count *list = calloc(audit_rule_count, sizeof *list);
    const size_t n = list ? audit_count_rules(r->audit, list) : 0;

    if (n)
        putc('\n', to);
    for (size_t i = 0; i < n; i++) {
        paint(r, to, paint_of(list[i].worst));
        fprintf(to, "%-7s", audit_severity_name(list[i].worst));
        paint_end(r, to);
        fprintf(to, "  %s  %5zu  %s\n", list[i].rule->code, list[i].count, list[i].rule->summary);
    }
    if (n)
        putc('\n', to);
    free(list);
}

/* What the baseline expects and nobody found: mended, or moved to another section. */
static void put_stale(const struct audit_report *r, FILE *to)
{
    size_t n = 0;

    for (size_t i = 0; r->baseline && i < r->baseline->count; i++) {
        const struct baseline_entry *const e = &r->baseline->entries[i];

        if (!baseline_is_stale(e, r->only))
            continue;
        fputs("stale in the baseline: ", to);
        clean_put(text_of(e->code), to);
        putc(' ', to);
        clean_put(text_of(e->file), to);
        fputs(": ", to);
        clean_put(text_of(e->message), to);
        fprintf(to, " (%zu of %zu found)\n", e->met, e->count);
        n++;
    }
    if (n)
        putc('\n', to);
}

static const char *s_of(size_t n)
{
    return n == 1 ? "" : "s";
}

void audit_report_text(const struct audit_report *r, FILE *to)
{
    struct audit_counts n;
    const size_t untold = audit_report_untold(r);

    put_findings(r, to);
    put_rules(r, to);
    put_stale(r, to);
    audit_count(r->audit, &n);
    if (r->audit->opt.version_from) {
        fputs("judged as Asterisk ", to);
        clean_put(text_of(r->audit->opt.version), to);
        fputs(", from ", to);
        clean_put(text_of(r->audit->opt.version_from), to);
        putc('\n', to);
    }
    fprintf(to, "%zu error%s, %zu warning%s, %zu note%s", n.errors, s_of(n.errors), n.warnings, s_of(n.warnings), n.notes, s_of(n.notes));
    if (n.silenced)
        fprintf(to, ", %zu silenced", n.silenced);
    if (untold)
        fprintf(to, "; %zu of them not shown", untold);
    if (r->audit->findings_dropped)
        fprintf(to, "; more than fit, %zu are not told", r->audit->findings_dropped);
    fputs(n.errors + n.warnings + n.notes ? "; sidetone audit --explain CODE says why\n" : "\n", to);
}
