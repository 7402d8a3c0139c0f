/* Writes findings down. */
#include "audit/report.h"

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

/* ---- text ---- */

static void put_clean(FILE *to, const char *words)
{
    for (const char *p = words; *p; p++)
        putc((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p, to);
}

static void put_place(FILE *to, const struct conf_place *p)
{
    put_clean(to, p->file ? p->file : "?");
    if (p->line)
        fprintf(to, ":%u:%u", p->line, p->column);
    fputs(": ", to);
}

static void put_finding(FILE *to, const struct audit_finding *f)
{
    put_place(to, &f->place);
    fprintf(to, "%s %s: ", audit_severity_name(f->severity), f->rule->code);
    put_clean(to, f->message);
    putc('\n', to);
    for (size_t i = 0; i < f->path_count; i++) {
        fputs("    ", to);
        put_place(to, &f->path[i].place);
        put_clean(to, f->path[i].text);
        putc('\n', to);
    }
    if (f->hint) {
        fputs("    hint: ", to);
        put_clean(to, f->hint);
        putc('\n', to);
    }
}

void audit_report_text(const struct audit *a, FILE *to)
{
    struct audit_counts n;

    for (size_t i = 0; i < a->finding_count; i++)
        if (!a->findings[i].silenced_by)
            put_finding(to, &a->findings[i]);
    audit_count(a, &n);
    fprintf(to, "%zu errors, %zu warnings, %zu notes", n.errors, n.warnings, n.notes);
    if (n.silenced)
        fprintf(to, ", %zu silenced", n.silenced);
    if (a->findings_dropped)
        fprintf(to, "; more than fit, %zu are not told", (size_t)a->findings_dropped);
    fputs(n.errors + n.warnings + n.notes ? "; sidetone audit --explain CODE says why\n" : "\n", to);
}

/* ---- JSON ---- */

static void add_text(struct buf *b, const char *name, const char *value)
{
    buf_addf(b, ",\"%s\":\"", name);
    buf_add_json(b, text_of(value));
    buf_add_char(b, '"');
}

static void add_place(struct buf *b, const struct conf_place *p)
{
    buf_add_text(b, TEXT("\"file\":\""));
    buf_add_json(b, text_of(p->file ? p->file : ""));
    buf_addf(b, "\",\"line\":%u,\"column\":%u", p->line, p->column);
}

static void add_finding(struct buf *b, const struct audit_finding *f)
{
    buf_add_char(b, '{');
    add_place(b, &f->place);
    add_text(b, "code", f->rule->code);
    add_text(b, "rule", f->rule->name);
    add_text(b, "severity", audit_severity_name(f->severity));
    add_text(b, "message", f->message);
    if (f->hint)
        add_text(b, "hint", f->hint);
    if (f->silenced_by)
        add_text(b, "silenced_by", f->silenced_by);
    buf_add_text(b, TEXT(",\"path\":["));
    for (size_t i = 0; i < f->path_count; i++) {
        buf_add_text(b, i ? TEXT(",{") : TEXT("{"));
        add_place(b, &f->path[i].place);
        add_text(b, "text", f->path[i].text);
        buf_add_char(b, '}');
    }
    buf_add_text(b, TEXT("]}"));
}

int audit_report_json(const struct audit *a, struct buf *out)
{
    struct audit_counts n;

    audit_count(a, &n);
    buf_addf(out, "{\"errors\":%zu,\"warnings\":%zu,\"notes\":%zu,\"silenced\":%zu", n.errors, n.warnings, n.notes, n.silenced);
    buf_addf(out, ",\"not_told\":%zu", (size_t)a->findings_dropped);
    add_text(out, "folder", a->opt.folder);
    buf_add_text(out, TEXT(",\"findings\":["));
    for (size_t i = 0; i < a->finding_count; i++) {
        if (i)
            buf_add_char(out, ',');
        add_finding(out, &a->findings[i]);
    }
    return buf_add_text(out, TEXT("]}"));
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
