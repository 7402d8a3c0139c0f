/* Writes findings down as one JSON object. */
#include "audit/report.h"

#include "audit/excerpt.h"

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

/* The line as it may be shown. */
static void add_source(struct buf *b, const struct audit_report *r, const struct conf_place *p)
{
    struct excerpt x;

    if (!r->source)
        return;
    excerpt_make(&x, r->source, p);
    if (x.state == EXCERPT_SHOWN)
        add_text(b, "source", x.line);
}

static void add_finding(struct buf *b, const struct audit_report *r, const struct audit_finding *f)
{
    buf_add_char(b, '{');
    add_place(b, &f->place);
    add_text(b, "code", f->rule->code);
    add_text(b, "rule", f->rule->name);
    add_text(b, "severity", audit_severity_name(f->severity));
    add_text(b, "message", f->message);
    add_source(b, r, &f->place);
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

/* What the baseline expects and nobody found. */
static void add_stale(struct buf *b, const struct audit_report *r)
{
    bool is_first = true;

    buf_add_text(b, TEXT(",\"baseline_stale\":["));
    for (size_t i = 0; i < r->baseline->count; i++) {
        const struct baseline_entry *const e = &r->baseline->entries[i];

        if (!baseline_is_stale(e, r->only))
            continue;
        buf_addf(b, "%s{\"fingerprint\":\"%s\",\"expected\":%zu,\"found\":%zu", is_first ? "" : ",", e->fingerprint, e->count, e->met);
        add_text(b, "code", e->code);
        add_text(b, "file", e->file);
        add_text(b, "message", e->message);
        buf_add_char(b, '}');
        is_first = false;
    }
    buf_add_char(b, ']');
}

int audit_report_json(const struct audit_report *r, struct buf *out)
{
    const struct audit *const a = r->audit;
    const struct audit_finding *f;
    struct audit_report_walk w;
    struct audit_counts n;
    bool is_first = true;

    audit_count(a, &n);
    buf_addf(out, "{\"errors\":%zu,\"warnings\":%zu,\"notes\":%zu,\"silenced\":%zu", n.errors, n.warnings, n.notes, n.silenced);
    buf_addf(out, ",\"not_told\":%zu", a->findings_dropped + audit_report_untold(r));
    add_text(out, "folder", a->opt.folder);
    buf_add_text(out, TEXT(",\"asterisk\":{\"version\":\""));
    buf_add_json(out, text_of(a->opt.version));
    buf_add_char(out, '"');
    if (a->opt.version_from)
        add_text(out, "from", a->opt.version_from);
    buf_add_char(out, '}');
    if (r->baseline)
        add_stale(out, r);
    buf_add_text(out, TEXT(",\"findings\":["));
    audit_report_begin(r, &w);
    while ((f = audit_report_next(r, &w)) != NULL) {
        if (!is_first)
            buf_add_char(out, ',');
        is_first = false;
        add_finding(out, r, f);
    }
    return buf_add_text(out, TEXT("]}"));
}

int audit_report_rule_json(const struct audit_rule *r, struct buf *out)
{
    buf_addf(out, "{\"code\":\"%s\",\"rule\":\"%s\",\"severity\":\"%s\"", r->code, r->name, audit_severity_name(r->severity));
    add_text(out, "summary", r->summary);
    add_text(out, "why", r->why);
    add_text(out, "fix", r->fix);
    buf_add_text(out, TEXT(",\"examples\":["));
    for (size_t i = 0; i < r->example_count; i++) {
        buf_addf(out, "%s{\"found\":%s", i ? "," : "", r->examples[i].is_bad ? "true" : "false");
        add_text(out, "file", r->examples[i].file);
        add_text(out, "text", r->examples[i].text);
        buf_add_char(out, '}');
    }
    return buf_add_text(out, TEXT("]}"));
}
