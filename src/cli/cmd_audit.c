/* The verb `audit`: what an Asterisk configuration says, and what can go wrong with it. Reads files; runs and changes nothing. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

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

static int tell(const struct audit *a, bool as_json)
{
    struct audit_counts n;
    struct buf b;
    int err = 0;

    if (as_json) {
        buf_init(&b, JSON_MAX);
        err = audit_report_json(a, &b);
        if (!err)
            printf("%.*s\n", TEXT_ARG(buf_text(&b)));
        buf_free(&b);
    } else {
        audit_report_text(a, stdout);
    }
    if (err) {
        fprintf(stderr, "sidetone audit: %s\n", err_text(err));
        return CLI_WRONG_USE;
    }
    audit_count(a, &n);
    return cli_done(n.errors + n.warnings ? CLI_FAILED : CLI_FINE);
}

static int folder_fault(const char *folder)
{
    struct stat st;

    if (stat(folder, &st))
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

static int audit_one(const char *folder, const char *only, bool as_json)
{
    const struct audit_options opt = { .folder = folder };
    struct audit *a = NULL;
    int code, err = folder_fault(folder);

    if (!err)
        err = audit_open(&a, &opt);
    if (!err)
        err = audit_run(a, &only, only ? 1 : 0);
    if (err) {
        fprintf(stderr, "sidetone audit: %s: %s; expected a folder such as /etc/asterisk\n", folder, err_text(err));
        audit_free(a);
        return CLI_WRONG_USE;
    }
    code = tell(a, as_json);
    audit_free(a);
    return code;
}

int cmd_audit(int argc, char **argv)
{
    const char *folder[1] = { "/etc/asterisk" }, *code_of = NULL, *only = NULL;
    bool as_json = false, wants_rules = false;
    const struct cli_option options[] = {
        { .name = "json", .help = "one JSON object", .is_set = &as_json },
        { .name = "only", .takes = "CODE", .help = "this rule alone", .value = &only },
        { .name = "explain", .takes = "CODE", .help = "what a rule is about, why, what to do, and examples", .value = &code_of },
        { .name = "rules", .help = "every rule, a line each", .is_set = &wants_rules },
    };
    const struct cli_syntax syntax = {
        .verb = "audit",
        .usage = "[FOLDER] [--json] [--only CODE] | --explain CODE | --rules",
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
    if (only && !audit_rule_of(only))
        return cli_wrong_use("audit", "there is no rule %s; --rules lists them", only);
    return audit_one(folder[0], only, as_json);
}
