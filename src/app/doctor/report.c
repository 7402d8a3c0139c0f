/* Collects the doctor's lines and writes them, for people or as JSON. */
#include "app/doctor/report.h"

#include <stdlib.h>
#include <string.h>

#include "audit/clean.h"
#include "base/text.h"

enum { SENTENCE_MAX = 64 << 10 };

static const char *const words[DOCTOR_VERDICTS] = { "OK", "WARN", "FAIL", "SKIP" };

void doctor_report_init(struct doctor_report *r)
{
    *r = (struct doctor_report){ .node = "" };
}

void doctor_report_free(struct doctor_report *r)
{
    for (size_t i = 0; i < r->count; i++) {
        free(r->lines[i].said);
        free(r->lines[i].fix_in);
        free(r->lines[i].fix);
    }
    free(r->lines);
    doctor_report_init(r);
}

static char *sentence(struct doctor_report *r, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
static char *sentence(struct doctor_report *r, const char *fmt, va_list ap)
{
    struct buf b;
    char *t = NULL;

    buf_init(&b, SENTENCE_MAX);
    if (buf_vaddf(&b, fmt, ap) == 0)
        t = text_dup(buf_text(&b));
    buf_free(&b);
    if (!t)
        r->err = -ENOMEM;
    return t;
}

static struct doctor_line *line_new(struct doctor_report *r)
{
    if (r->count == r->room) {
        const size_t room = r->room ? r->room * 2 : 32;
        struct doctor_line *more = realloc(r->lines, room * sizeof *more);

        if (!more) {
            r->err = -ENOMEM;
            return NULL;
        }
        r->lines = more;
        r->room = room;
    }
    return &r->lines[r->count];
}

void doctor_say(struct doctor_report *r, enum doctor_verdict verdict, const char *check, const char *fmt, ...)
{
    struct doctor_line *l = line_new(r);
    va_list ap;

    if (!l)
        return;
    *l = (struct doctor_line){ .verdict = verdict, .node = r->node, .check = check };
    va_start(ap, fmt);
    l->said = sentence(r, fmt, ap);
    va_end(ap);
    if (!l->said)
        return;
    r->totals[verdict]++;
    r->count++;
}

void doctor_fix(struct doctor_report *r, const char *file, const char *fmt, ...)
{
    struct doctor_line *l = r->count ? &r->lines[r->count - 1] : NULL;
    va_list ap;

    if (!l || r->err || l->fix)
        return;
    va_start(ap, fmt);
    l->fix = sentence(r, fmt, ap);
    va_end(ap);
    l->fix_in = text_dup(text_of(file));
    if (!l->fix_in)
        r->err = -ENOMEM;
}

/* A path is pasted: what the shell would take for more than a word is quoted. */
void doctor_fix_command(struct doctor_report *r, const char *command, const char *path)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+,:@%=";
    struct buf b;

    if (*path == '/' && strspn(path, plain) == strlen(path)) {
        doctor_fix(r, "shell", "%s %s", command, path);
        return;
    }
    buf_init(&b, SENTENCE_MAX);
    for (const char *c = path; *c; c++)
        buf_addf(&b, *c == '\'' ? "'\\%c'" : "%c", *c);
    if (b.err)
        r->err = b.err;
    else
        doctor_fix(r, "shell", "%s -- '%.*s'", command, TEXT_ARG(buf_text(&b)));
    buf_free(&b);
}

/* Words of a peer may be in it: they are shown as text, whatever a terminal would do with them. */
static void put(FILE *out, const char *before, struct text line)
{
    fputs(before, out);
    clean_put(line, out);
    fputc('\n', out);
}

static void print_fix(const struct doctor_line *l, FILE *out)
{
    struct text rest = text_of(l->fix), one;

    fprintf(out, "                          in ");
    clean_put(text_of(l->fix_in), out);
    fprintf(out, ":\n");
    while (text_cut(&rest, '\n', &one))
        put(out, "                            ", one);
}

void doctor_print(const struct doctor_report *r, FILE *out)
{
    const char *node = NULL;

    for (size_t i = 0; i < r->count; i++) {
        const struct doctor_line *l = &r->lines[i];

        if (!node || strcmp(node, l->node) != 0)
            fprintf(out, "%s%s%s\n", node ? "\n" : "", *l->node ? "node " : "this machine", l->node);
        node = l->node;
        fprintf(out, "  %-4s  %-16s  ", words[l->verdict], l->check);
        put(out, "", text_of(l->said));
        if (l->fix && l->fix_in)
            print_fix(l, out);
    }
    fprintf(out, "\n%zu ok, %zu to look at, %zu to mend, %zu not looked at\n", r->totals[DOCTOR_OK], r->totals[DOCTOR_WARN],
            r->totals[DOCTOR_FAIL], r->totals[DOCTOR_SKIP]);
}

static void add_text(struct buf *out, const char *key, const char *value)
{
    buf_addf(out, "\"%s\":", key);
    if (!value) {
        buf_add_text(out, TEXT("null"));
        return;
    }
    buf_add_char(out, '"');
    buf_add_json(out, text_of(value));
    buf_add_char(out, '"');
}

int doctor_json(const struct doctor_report *r, struct buf *out)
{
    buf_addf(out, "{\"ok\":%s,\"fine\":%zu,\"warnings\":%zu,\"failed\":%zu,\"skipped\":%zu,\"checks\":[", r->totals[DOCTOR_FAIL] ? "false" : "true",
             r->totals[DOCTOR_OK], r->totals[DOCTOR_WARN], r->totals[DOCTOR_FAIL], r->totals[DOCTOR_SKIP]);
    for (size_t i = 0; i < r->count; i++) {
        const struct doctor_line *l = &r->lines[i];

        buf_addf(out, "%s{\"verdict\":\"%s\",", i ? "," : "", words[l->verdict]);
        add_text(out, "node", *l->node ? l->node : NULL);
        buf_add_char(out, ',');
        add_text(out, "check", l->check);
        buf_add_char(out, ',');
        add_text(out, "said", l->said);
        buf_add_char(out, ',');
        add_text(out, "file", l->fix_in);
        buf_add_char(out, ',');
        add_text(out, "fix", l->fix);
        buf_add_char(out, '}');
    }
    buf_add_text(out, TEXT("]}"));
    return out->err;
}
