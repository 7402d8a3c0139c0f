/* The verb `audit`: what an Asterisk configuration says, and what can go wrong with it. Reads files; runs and changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/report.h"
#include "cli/cli.h"

enum { JSON_MAX = 256 * 1024 * 1024 };

static int explain(const char *code)
{
    const struct audit_rule *const r = audit_rule_of(code);

    if (!r)
        return cli_wrong_use("audit", "there is no rule %s; --rules lists them", code);
    audit_report_rule(r, stdout);
    return cli_done(CLI_FINE);
}

static int list_rules(void)
{
    for (size_t i = 0; i < audit_rule_count; i++)
        printf("%s  %-7s  %-24s  %s\n", audit_rules[i]->code, audit_severity_name(audit_rules[i]->severity), audit_rules[i]->name,
               audit_rules[i]->summary);
    return cli_done(CLI_FINE);
}

/* What the command line asks for. */
struct request {
    const char *folder, *only;
    enum audit_severity least, fail_on;
    bool never_fails, as_json;
    size_t max;
};

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

    buf_init(&b, JSON_MAX);
    err = write(r, &b);
    if (!err) {
        fwrite(b.p, 1, b.n, stdout);
        putchar('\n');
    }
    buf_free(&b);
    return err;
}

static int verdict(const struct audit *a, const struct request *q)
{
    struct audit_counts n;

    audit_count(a, &n);
    if (q->never_fails)
        return CLI_FINE;
    if (n.errors || (n.warnings && q->fail_on <= AUDIT_WARNING) || (n.notes && q->fail_on <= AUDIT_NOTE))
        return CLI_FAILED;
    return CLI_FINE;
}

static int tell(const struct audit *a, const struct request *q)
{
    struct audit_report r = { .audit = a, .least = q->least, .max = q->max, .has_colour = wants_colour() };
    int err = source_open(&r.source, a->opt.source);

    if (!err && q->as_json)
        err = put_form(&r, audit_report_json);
    else if (!err)
        audit_report_text(&r, stdout);
    source_free(r.source);
    if (err) {
        fprintf(stderr, "sidetone audit: %s\n", err_text(err));
        return CLI_WRONG_USE;
    }
    return cli_done(verdict(a, q));
}

static int folder_fault(const char *folder)
{
    struct stat st;

    if (stat(folder, &st))
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int audit_one(const struct request *q)
{
    const struct audit_options opt = { .folder = q->folder };
    struct audit *a = NULL;
    int code, err = folder_fault(q->folder);

    if (!err)
        err = audit_open(&a, &opt);
    if (!err)
        err = audit_run(a, &q->only, q->only ? 1 : 0);
    if (err) {
        fprintf(stderr, "sidetone audit: %s: %s; expected a folder such as /etc/asterisk\n", q->folder, err_text(err));
        audit_free(a);
        return CLI_WRONG_USE;
    }
    code = tell(a, q);
    audit_free(a);
    return code;
}

static bool read_severity(const char *word, enum audit_severity *out)
{
    for (int s = AUDIT_NOTE; s <= AUDIT_ERROR; s++)
        if (strcmp(word, audit_severity_name((enum audit_severity)s)) == 0) {
            *out = (enum audit_severity)s;
            return true;
        }
    return false;
}

/* The words of the command line, checked. 0 or an exit code. */
static int read_request(struct request *q, const char *least, const char *fail_on, const char *max)
{
    int64_t n = 0;

    if (least && !read_severity(least, &q->least))
        return cli_wrong_use("audit", "--severity takes error, warning or note, not %s", least);
    q->never_fails = fail_on && strcmp(fail_on, "never") == 0;
    if (fail_on && !q->never_fails && !read_severity(fail_on, &q->fail_on))
        return cli_wrong_use("audit", "--fail-on takes error, warning, note or never, not %s", fail_on);
    if (max && (text_to_i64(text_of(max), &n) || n < 1))
        return cli_wrong_use("audit", "--max takes a number from 1, not %s", max);
    q->max = (size_t)n;
    return 0;
}

int cmd_audit(int argc, char **argv)
{
    struct request q = { .least = AUDIT_NOTE, .fail_on = AUDIT_WARNING };
    const char *folder[1] = { "/etc/asterisk" }, *code_of = NULL, *least = NULL, *fail_on = NULL, *max = NULL;
    bool wants_rules = false;
    const struct cli_option options[] = {
        { .name = "json", .help = "one JSON object", .is_set = &q.as_json },
        { .name = "only", .takes = "CODE", .help = "this rule alone", .value = &q.only },
        { .name = "severity", .takes = "LEVEL", .help = "show error, warning or note (default) and what is worse", .value = &least },
        { .name = "max", .takes = "N", .help = "show at most N findings, the worst ones", .value = &max },
        { .name = "fail-on", .takes = "LEVEL", .help = "exit 1 from error, warning (default) or note on; or never", .value = &fail_on },
        { .name = "explain", .takes = "CODE", .help = "what a rule is about, why, what to do, and examples", .value = &code_of },
        { .name = "rules", .help = "every rule, a line each", .is_set = &wants_rules },
    };
    const struct cli_syntax syntax = {
        .verb = "audit",
        .usage = "[FOLDER] [--json] [--only CODE] [--severity LEVEL] [--max N] [--fail-on LEVEL] | --explain CODE | --rules",
        .about = "Reads the configuration of an Asterisk 22 (default /etc/asterisk) and tells what can go wrong: dialplan, manager.conf, ari.conf,\n"
                 "http.conf, asterisk.conf, rtp.conf, pjsip.conf. Runs nothing, changes nothing. A comment `; audit-ignore CODE` on a line, or on the\n"
                 "line before it, silences that rule there. Exit status 0: no error and no warning, 1: some, 2: wrong use or nothing to read.",
        .options = options,
        .option_count = sizeof options / sizeof *options,
        .words_max = 1,
    };
    size_t words;
    const int code = cli_read(&syntax, argc, argv, folder, &words);

    if (code != CLI_GO_ON)
        return code;
    if (words == 0)
        folder[0] = "/etc/asterisk";
    if (code_of)
        return explain(code_of);
    if (wants_rules)
        return list_rules();
    if (q.only && !audit_rule_of(q.only))
        return cli_wrong_use("audit", "there is no rule %s; --rules lists them", q.only);
    q.folder = folder[0];
    if (read_request(&q, least, fail_on, max))
        return CLI_WRONG_USE;
    return audit_one(&q);
}
