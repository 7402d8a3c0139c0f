/* Writes findings down as one page of HTML that needs nothing from outside. */
#include "audit/html.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/clean.h"
#include "audit/fingerprint.h"
#include "base/base64.h"
#include "base/sha256.h"

/* Made of src/audit/page by tools/embed. */
extern const char audit_page_css[], audit_page_js[];
extern const size_t audit_page_css_n, audit_page_js_n;

void html_add(struct buf *out, struct text t)
{
    unsigned columns;

    while (t.n) {
        const struct text one = clean_next(&t, &columns);

        switch (one.p[0]) {
        case '&':
            buf_add_text(out, TEXT("&amp;"));
            break;
        case '<':
            buf_add_text(out, TEXT("&lt;"));
            break;
        case '>':
            buf_add_text(out, TEXT("&gt;"));
            break;
        case '"':
            buf_add_text(out, TEXT("&quot;"));
            break;
        case '\'':
            buf_add_text(out, TEXT("&#39;"));
            break;
        default:
            buf_add_text(out, one);
        }
    }
}

void html_add_name(struct buf *out, struct text t)
{
    const ptrdiff_t equals = text_find(t, '=');

    html_add(out, equals < 0 ? t : text_head(t, (size_t)equals + 1));
    if (equals >= 0)
        buf_add_text(out, TEXT("***"));
}

void html_adds(struct buf *out, const char *s)
{
    html_add(out, text_of(s ? s : ""));
}

void html_add_place(struct buf *out, const struct audit_report *r, const struct conf_place *p)
{
    html_adds(out, fingerprint_file(r->audit, p->file));
    if (p->line)
        buf_addf(out, ":%u:%u", p->line, p->column);
}

/* 'sha256-...' of what stands between the tags: nothing else runs, whatever gets into the page. */
static void add_hash(struct buf *out, struct text t)
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 h;

    sha256_begin(&h);
    sha256_add(&h, t);
    sha256_end(&h, digest);
    buf_add_text(out, TEXT("'sha256-"));
    base64_write(out, digest, sizeof digest);
    buf_add_char(out, '\'');
}

static void add_head(struct buf *out, const struct audit_report *r)
{
    const struct text css = text_make(audit_page_css, audit_page_css_n), js = text_make(audit_page_js, audit_page_js_n);

    buf_add_text(out, TEXT("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" "
                           "content=\"default-src 'none'; style-src "));
    add_hash(out, css);
    buf_add_text(out, TEXT("; script-src "));
    add_hash(out, js);
    buf_add_text(out, TEXT("; base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                           "<meta name=\"referrer\" content=\"no-referrer\">\n<title>Audit of "));
    html_adds(out, r->audit->opt.folder);
    buf_add_text(out, TEXT("</title>\n<style>"));
    buf_add_text(out, css);
    buf_add_text(out, TEXT("</style></head>\n<body>\n<header><h1>Audit of "));
    html_adds(out, r->audit->opt.folder);
    buf_add_text(out, TEXT("</h1>\n<p class=\"dim\">Asterisk "));
    html_adds(out, r->audit->opt.version);
    if (r->audit->opt.version_from) {
        buf_add_text(out, TEXT(" (from "));
        html_adds(out, r->audit->opt.version_from);
        buf_add_char(out, ')');
    }
    buf_add_text(out, TEXT(" configuration, read by sidetone " SIDETONE_VERSION));
    if (r->made) {
        buf_add_text(out, TEXT(" on "));
        html_adds(out, r->made);
    }
    buf_add_text(out, TEXT(". Nothing was run, nothing was changed.</p></header>\n<main>\n"));
}

static void add_foot(struct buf *out)
{
    buf_add_text(out, TEXT("</main>\n<footer>Lines are shown without their secrets: *** stands for what is or may be one. The auditor reads files only and follows a "
                           "caller's data through steps, jumps and subroutines, as far as files tell; a clean report is no proof.</footer>\n<script>"));
    buf_add_text(out, text_make(audit_page_js, audit_page_js_n));
    buf_add_text(out, TEXT("</script>\n</body></html>\n"));
}

int audit_report_html(const struct audit_report *r, struct buf *out)
{
    struct audit_rule_count *rules = calloc(audit_rule_count + r->audit->finding_count + 1, sizeof *rules);
    const size_t rule_count = rules ? audit_count_rules(r->audit, rules) : 0;
    struct graph *g = NULL;
    int err = rules ? graph_make(&g, r->audit) : -ENOMEM;

    if (!err) {
        add_head(out, r);
        html_summary(out, r, rules, rule_count);
        html_graph(out, r, g);
        for (size_t i = 0; i < r->section_count; i++)
            r->sections[i].write(out, r->sections[i].arg);
        html_findings(out, r, rules, rule_count);
        html_rules(out, rules, rule_count);
        add_foot(out);
        err = out->err;
        if (!err && r->source)
            err = source_error(r->source);
    }
    graph_free(g);
    free(rules);
    return err;
}
