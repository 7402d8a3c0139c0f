/* Writes findings down as SARIF 2.1.0 (OASIS standard, errata 01), the form that code scanners share. */
#include "audit/report.h"

#include <stdlib.h>
#include <string.h>

#include "audit/clean.h"
#include "audit/excerpt.h"
#include "audit/fingerprint.h"

#define SCHEMA "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

struct sarif {
    const struct audit_report *r;
    struct buf *out;
    struct audit_rule_count *rules; /* those that a finding names, by code */
    size_t rule_count;
};

static void put_string(struct buf *b, const char *name, struct text value)
{
    buf_addf(b, "\"%s\":\"", name);
    buf_add_json(b, value);
    buf_add_char(b, '"');
}

/* {"text": ...} of a rule. */
static void put_words(struct buf *b, const char *name, const char *words)
{
    buf_addf(b, ",\"%s\":{", name);
    put_string(b, "text", text_of(words));
    buf_add_char(b, '}');
}

/* Braces are doubled (section 3.11.5), and "](" becomes "] (": text of the configuration is neither filled in nor a link. */
static void add_escaped(struct buf *b, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        buf_add_char(b, t.p[i]);
        if (t.p[i] == '{' || t.p[i] == '}')
            buf_add_char(b, t.p[i]);
        else if (t.p[i] == ']' && i + 1 < t.n && t.p[i + 1] == '(')
            buf_add_char(b, ' ');
    }
}

static void put_message(struct buf *out, const char *message, const char *hint)
{
    struct buf b;

    buf_init(&b, 64 * 1024);
    add_escaped(&b, text_of(message));
    if (hint) {
        buf_add_text(&b, TEXT(". Hint: "));
        add_escaped(&b, text_of(hint));
    }
    buf_add_text(out, TEXT("\"message\":{"));
    put_string(out, "text", buf_text(&b));
    buf_add_char(out, '}');
    if (b.err)
        out->err = out->err ? out->err : b.err;
    buf_free(&b);
}

/* ---- places ---- */

/* "/etc/asterisk/a b.conf" is file:///etc/asterisk/a%20b.conf; a relative path stays one, as a scanner of a repository wants it. */
static void put_uri(struct buf *b, const char *file)
{
    struct text rest = text_of(file), part;
    bool is_first = true;

    buf_add_text(b, TEXT("\"uri\":\""));
    if (file[0] == '/')
        buf_add_text(b, TEXT("file://"));
    while (text_cut(&rest, '/', &part)) {
        if (!is_first)
            buf_add_char(b, '/');
        is_first = false;
        buf_add_url(b, part);
    }
    buf_add_char(b, '"');
}

/* Our columns count bytes, SARIF's characters. */
static unsigned column_of(const struct audit_report *r, const struct conf_place *p)
{
    struct text line = r->source ? source_line(r->source, p->file, p->line) : TEXT_NONE;
    unsigned column = 1, columns;

    if (!line.p || p->column == 0)
        return p->column ? p->column : 1;
    line = text_head(line, p->column - 1);
    while (line.n) {
        clean_next(&line, &columns);
        column++;
    }
    return column;
}

static void put_region(struct sarif *s, const struct conf_place *p)
{
    struct excerpt x = { .state = EXCERPT_NONE };

    if (!p->line)
        return;
    if (s->r->source)
        excerpt_make(&x, s->r->source, p);
    buf_addf(s->out, ",\"region\":{\"startLine\":%u,\"startColumn\":%u", p->line, column_of(s->r, p));
    if (x.state == EXCERPT_SHOWN) {
        buf_add_text(s->out, TEXT(",\"snippet\":{"));
        put_string(s->out, "text", text_of(x.line));
        buf_add_char(s->out, '}');
    }
    buf_add_char(s->out, '}');
}

static void put_place(struct sarif *s, const struct conf_place *p)
{
    buf_add_text(s->out, TEXT("\"physicalLocation\":{\"artifactLocation\":{"));
    put_uri(s->out, p->file ? p->file : "");
    buf_add_char(s->out, '}');
    put_region(s, p);
    buf_add_char(s->out, '}');
}

/* ---- rules ---- */

static void put_rule(struct buf *b, const struct audit_rule *r)
{
    buf_add_char(b, '{');
    put_string(b, "id", text_of(r->code));
    buf_add_char(b, ',');
    put_string(b, "name", text_of(r->name));
    put_words(b, "shortDescription", r->summary);
    put_words(b, "fullDescription", r->why);
    buf_add_text(b, TEXT(",\"help\":{\"text\":\""));
    buf_add_json(b, text_of(r->why));
    buf_add_text(b, TEXT("\\n\\nWhat to do: "));
    buf_add_json(b, text_of(r->fix));
    buf_addf(b, "\"},\"defaultConfiguration\":{\"level\":\"%s\"}}", audit_severity_name(r->severity));
}

static int by_code(const void *x, const void *y)
{
    return strcmp(((const struct audit_rule_count *)x)->rule->code, ((const struct audit_rule_count *)y)->rule->code);
}

/* Every rule that may have been run; findings of a rule that is not in the table (tests make such) follow. */
static int collect_rules(struct sarif *s)
{
    const struct audit *const a = s->r->audit;

    s->rules = calloc(audit_rule_count + a->finding_count + 1, sizeof *s->rules);
    if (!s->rules)
        return -ENOMEM;
    for (size_t i = 0; i < audit_rule_count; i++)
        s->rules[s->rule_count++].rule = audit_rules[i];
    qsort(s->rules, s->rule_count, sizeof *s->rules, by_code);
    for (size_t i = 0; i < a->finding_count; i++) {
        const struct audit_rule_count key = { .rule = a->findings[i].rule };

        if (!bsearch(&key, s->rules, s->rule_count, sizeof *s->rules, by_code)) {
            s->rules[s->rule_count++].rule = key.rule;
            qsort(s->rules, s->rule_count, sizeof *s->rules, by_code);
        }
    }
    return 0;
}

static size_t index_of(const struct sarif *s, const struct audit_rule *r)
{
    const struct audit_rule_count key = { .rule = r }, *const found = bsearch(&key, s->rules, s->rule_count, sizeof *s->rules, by_code);

    return found ? (size_t)(found - s->rules) : 0;
}

/* ---- results ---- */

static void put_flow(struct sarif *s, const struct audit_finding *f)
{
    buf_add_text(s->out, TEXT(",\"codeFlows\":[{\"threadFlows\":[{\"locations\":["));
    for (size_t i = 0; i < f->path_count; i++) {
        buf_add_text(s->out, i ? TEXT(",{\"location\":{") : TEXT("{\"location\":{"));
        put_place(s, &f->path[i].place);
        buf_add_char(s->out, ',');
        put_message(s->out, f->path[i].text, NULL);
        buf_add_text(s->out, TEXT("}}"));
    }
    buf_add_text(s->out, TEXT("]}]}]"));
}

static void put_suppression(struct buf *b, const char *by)
{
    const bool is_comment = strcmp(by, "comment") == 0;

    buf_addf(b, ",\"suppressions\":[{\"kind\":\"%s\",\"justification\":\"%s\"}]", is_comment ? "inSource" : "external",
             is_comment ? "a comment audit-ignore in the file" : "accepted by the baseline file");
}

static int put_result(struct sarif *s, const struct audit_finding *f)
{
    char fingerprint[FINGERPRINT_HEX + 1];
    struct buf *const b = s->out;

    buf_add_char(b, '{');
    put_string(b, "ruleId", text_of(f->rule->code));
    buf_addf(b, ",\"ruleIndex\":%zu,\"level\":\"%s\",", index_of(s, f->rule), audit_severity_name(f->severity));
    put_message(b, f->message, f->hint);
    buf_add_text(b, TEXT(",\"locations\":[{"));
    put_place(s, &f->place);
    buf_add_text(b, TEXT("}]"));
    if (s->r->source) {
        const int err = fingerprint_make(fingerprint, s->r->audit, s->r->source, f);

        if (err)
            return err;
        buf_addf(b, ",\"partialFingerprints\":{\"ruleFileSectionLine/v1\":\"%s\"}", fingerprint);
    }
    if (f->path_count)
        put_flow(s, f);
    if (f->silenced_by)
        put_suppression(b, f->silenced_by);
    else
        buf_add_text(b, TEXT(",\"suppressions\":[]")); /* said, so that it is known (section 3.27.23) */
    return buf_add_char(b, '}');
}

static int put_results(struct sarif *s)
{
    const struct audit_finding *f;
    struct audit_report_walk w;
    bool is_first = true;
    int err = 0;

    audit_report_begin(s->r, &w);
    while (!err && (f = audit_report_next(s->r, &w)) != NULL) {
        if (!is_first)
            buf_add_char(s->out, ',');
        is_first = false;
        err = put_result(s, f);
    }
    return err;
}

int audit_report_sarif(const struct audit_report *r, struct buf *out)
{
    struct sarif s = { .r = r, .out = out };
    int err = collect_rules(&s);

    if (err)
        return err;
    buf_add_text(out, TEXT("{\"$schema\":\"" SCHEMA "\",\"version\":\"2.1.0\",\"runs\":[{\"tool\":{\"driver\":{\"name\":\"sidetone audit\",\"version\":\"" SIDETONE_VERSION "\",\"rules\":["));
    for (size_t i = 0; i < s.rule_count; i++) {
        if (i)
            buf_add_char(out, ',');
        put_rule(out, s.rules[i].rule);
    }
    buf_add_text(out, TEXT("]}},\"columnKind\":\"unicodeCodePoints\",\"invocations\":[{\"executionSuccessful\":true}],\"results\":["));
    err = put_results(&s);
    free(s.rules);
    if (err)
        return err;
    buf_add_text(out, TEXT("],\"properties\":{"));
    put_string(out, "asteriskVersion", text_of(r->audit->opt.version));
    if (r->audit->opt.version_from) {
        buf_add_char(out, ',');
        put_string(out, "asteriskVersionFrom", text_of(r->audit->opt.version_from));
    }
    return buf_add_text(out, TEXT("}}]}"));
}
