/* Applies a baseline, writes the report, judges. */
#include "cli/audit_output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/baseline.h"
#include "audit/html.h"
#include "audit/report.h"
#include "cli/cli.h"
#include "cli/file_put.h"

enum { FORM_MAX = 512 * 1024 * 1024 };

struct output {
    struct audit *audit;
    const struct audit_request *q;
    struct baseline baseline;
    struct audit_report report;
};

static int complain(const char *what, int err)
{
    fprintf(stderr, "sidetone audit: %s: %s\n", what, err_text(err));
    return CLI_WRONG_USE;
}

/* ---- the baseline ---- */

static int baseline_load(struct output *o)
{
    const char *const path = o->q->baseline;
    struct text t = TEXT_NONE;
    unsigned bad_line = 0;
    int err = conf_disk.read(conf_disk.arg, path, &t);

    if (err)
        return complain(path, err);
    err = t.n > BASELINE_BYTES_MAX ? -EFBIG : baseline_read(&o->baseline, o->audit->memory, t, &bad_line);
    free((char *)t.p);
    if (err == -EINVAL && bad_line == 1)
        fprintf(stderr, "sidetone audit: %s is no baseline: its first line is not \"" BASELINE_HEAD "\"\n", path);
    else if (err == -EINVAL)
        fprintf(stderr, "sidetone audit: %s:%u: expected FINGERPRINT COUNT CODE FILE, a tab and a sentence\n", path, bad_line);
    else if (err)
        return complain(path, err);
    if (err)
        return CLI_WRONG_USE;
    o->report.baseline = &o->baseline;
    err = baseline_apply(&o->baseline, o->audit, o->report.source);
    return err ? complain(path, err) : 0;
}

/* Whatever else stands there was somebody's work. */
static bool may_overwrite(const char *path)
{
    struct text t = TEXT_NONE;
    const int err = conf_disk.read(conf_disk.arg, path, &t);
    const bool may = err == -ENOENT || (!err && (t.n == 0 || baseline_is_one(t)));

    free((char *)t.p);
    return may;
}

static int baseline_put(struct output *o)
{
    const char *const path = o->q->write_baseline;
    size_t entries = 0;
    struct buf b;
    int err;

    if (!may_overwrite(path)) {
        fprintf(stderr, "sidetone audit: %s is there and is no baseline: it is left as it is\n", path);
        return CLI_WRONG_USE;
    }
    buf_init(&b, BASELINE_BYTES_MAX);
    err = baseline_write(&b, o->audit, o->report.source, &entries);
    if (!err)
        err = file_put(path, buf_text(&b));
    buf_free(&b);
    if (err)
        return complain(path, err);
    printf("%s: %zu entr%s; findings that are in it do not count with --baseline\n", path, entries, entries == 1 ? "y" : "ies");
    return cli_done(CLI_FINE);
}

/* ---- the forms ---- */

/* Colours for a person's eyes only: https://no-color.org */
static bool wants_colour(void)
{
    const char *const no = getenv("NO_COLOR"), *const term = getenv("TERM");

    return isatty(STDOUT_FILENO) && (!no || !*no) && term && strcmp(term, "dumb") != 0;
}

static int put_form(const struct audit_report *r, int (*write)(const struct audit_report *, struct buf *))
{
    struct buf b;
    int err;

    buf_init(&b, FORM_MAX);
    err = write(r, &b);
    if (!err) {
        fwrite(b.p, 1, b.n, stdout);
        putchar('\n');
    }
    buf_free(&b);
    return err;
}

/* The page goes into its file besides the other form. */
static int put_page(struct output *o)
{
    struct html_inventory_part agi = { .report = &o->report };
    const struct audit_report_section section = { .write = html_inventory, .arg = &agi };
    const time_t now = time(NULL);
    struct inventory *v = NULL;
    char made[40];
    struct tm tm;
    struct buf b;
    int err;

    if (gmtime_r(&now, &tm) && strftime(made, sizeof made, "%Y-%m-%d at %H:%M UTC", &tm))
        o->report.made = made;
    err = inventory_make(&v, o->audit, o->q->agi_dir);
    if (err)
        return complain("the inventory of AGI", err);
    agi.inventory = v;             /* the audit's memory */
    o->report.sections = &section;
    o->report.section_count = 1;
    buf_init(&b, FORM_MAX);
    err = audit_report_html(&o->report, &b);
    o->report.section_count = 0;
    if (!err)
        err = file_put(o->q->html, buf_text(&b));
    buf_free(&b);
    o->report.made = NULL;
    return err ? complain(o->q->html, err) : 0;
}

static int put_report(const struct output *o)
{
    if (o->q->form == AUDIT_FORM_JSON)
        return put_form(&o->report, audit_report_json);
    if (o->q->form == AUDIT_FORM_SARIF)
        return put_form(&o->report, audit_report_sarif);
    audit_report_text(&o->report, stdout);
    return 0;
}

static int verdict(const struct audit *a, const struct audit_request *q)
{
    struct audit_counts n;

    audit_count(a, &n);
    if (q->never_fails)
        return CLI_FINE;
    if (n.errors || (n.warnings && q->fail_on <= AUDIT_WARNING) || (n.notes && q->fail_on <= AUDIT_NOTE))
        return CLI_FAILED;
    return CLI_FINE;
}

static int put_all(struct output *o)
{
    int err, code = o->q->baseline ? baseline_load(o) : 0;

    if (code)
        return code;
    if (o->q->write_baseline)
        return baseline_put(o);
    if (o->q->html)
        code = put_page(o);
    if (code)
        return code;
    err = put_report(o);
    return err ? complain("the report", err) : cli_done(verdict(o->audit, o->q));
}

int audit_output(struct audit *a, const struct audit_request *q)
{
    struct output o = { .audit = a, .q = q };
    int code, err;

    o.report = (struct audit_report){ .audit = a, .least = q->least, .max = q->max, .has_colour = wants_colour(), .only = q->only };
    err = source_open(&o.report.source, a->opt.source);
    if (err)
        return complain("the report", err);
    code = put_all(&o);
    source_free(o.report.source);
    return code;
}
