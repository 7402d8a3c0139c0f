/* The verb `audit`: what an Asterisk configuration says, and what can go wrong with it. Runs nothing, and changes nothing but by --apply and --undo. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "app/audit_apply.h"
#include "app/config.h"
#include "audit/inventory_report.h"
#include "audit/report.h"
#include "audit/version.h"
#include "base/clock.h"
#include "cli/audit_ages.h"
#include "cli/audit_live.h"
#include "cli/audit_output.h"
#include "cli/audit_plan.h"
#include "cli/cli.h"

enum { INVENTORY_JSON_MAX = 64 * 1024 * 1024, RULES_JSON_MAX = 1024 * 1024, OLDEST_LINE = 11, SECRET_AGE_DAYS = 365 };

static int print(struct buf *b, int err)
{
    if (!err)
        printf("%.*s\n", TEXT_ARG(buf_text(b)));
    else
        fprintf(stderr, "sidetone audit: %s\n", err_text(err));
    buf_free(b);
    return err ? CLI_FAILED : cli_done(CLI_FINE);
}

static int explain(const char *code, bool as_json)
{
    const struct audit_rule *const r = audit_rule_of(code);
    struct buf b;

    if (!r)
        return cli_wrong_use("audit", "there is no rule %s; --rules lists them", code);
    if (!as_json) {
        audit_report_rule(r, stdout);
        return cli_done(CLI_FINE);
    }
    buf_init(&b, RULES_JSON_MAX);
    return print(&b, audit_report_rule_json(r, &b));
}

static int list_rules(bool as_json)
{
    struct buf b;
    int err = 0;

    for (size_t i = 0; !as_json && i < audit_rule_count; i++)
        printf("%s  %-7s  %-24s  %s\n", audit_rules[i]->code, audit_severity_name(audit_rules[i]->severity), audit_rules[i]->name,
               audit_rules[i]->summary);
    if (!as_json)
        return cli_done(CLI_FINE);
    buf_init(&b, RULES_JSON_MAX);
    for (size_t i = 0; !err && i < audit_rule_count; i++) {
        buf_add_char(&b, i ? ',' : '[');
        err = audit_report_rule_json(audit_rules[i], &b);
    }
    return print(&b, err ? err : buf_add_char(&b, ']'));
}

static int folder_fault(const char *folder)
{
    struct stat st;

    if (stat(folder, &st))
        return -errno;
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

/* What the scripts of the dialplan do. */
static int tell_inventory(struct audit *a, const struct audit_request *q)
{
    struct inventory *v;
    struct buf b;
    int err = inventory_make(&v, a, q->agi_dir);

    if (!err && q->form == AUDIT_FORM_JSON) {
        buf_init(&b, INVENTORY_JSON_MAX);
        err = inventory_report_json(v, &b);
        if (!err)
            printf("{\"agi\":%.*s}\n", TEXT_ARG(buf_text(&b)));
        buf_free(&b);
    } else if (!err && q->wants_inventory) {
        inventory_report_text(v, stdout);
    } else if (!err) {
        inventory_report_line(v, stdout);
    }
    if (err)
        fprintf(stderr, "sidetone audit: the inventory of AGI: %s\n", err_text(err));
    return err ? CLI_WRONG_USE : cli_done(CLI_FINE);
}

static bool is_of_plan(const struct audit_request *q)
{
    return q->wants_plan || q->wants_patch || q->wants_apply;
}

/* A folder that is there and holds none of the files is another matter than one that is not there. */
static void tell_failure(const char *folder, int err)
{
    if (err == -ENOENT && !folder_fault(folder))
        fprintf(stderr, "sidetone audit: %s: no file of Asterisk's in it: expected extensions.conf, manager.conf, pjsip.conf or the like\n", folder);
    else
        fprintf(stderr, "sidetone audit: %s: %s; expected a folder such as /etc/asterisk\n", folder, err_text(err));
}

static int audit_from(const struct audit_request *q, const struct conf_source *source)
{
    const struct audit_options opt = { .folder = q->folder, .source = source, .version = q->version, .version_from = q->version_from };
    const bool is_of_scripts = q->wants_inventory || is_of_plan(q);
    struct audit *a = NULL;
    int code, err = folder_fault(q->folder);

    if (!err)
        err = audit_open(&a, &opt);
    if (!err && !is_of_scripts)
        err = audit_run(a, &q->only, q->only ? 1 : 0);
    if (err) {
        tell_failure(q->folder, err);
        audit_free(a);
        return CLI_WRONG_USE;
    }
    code = is_of_plan(q) ? audit_plan(a, q) : q->wants_inventory ? tell_inventory(a, q) : audit_output(a, q);
    if (!is_of_scripts && q->form == AUDIT_FORM_TEXT && !q->only && !q->write_baseline && code != CLI_WRONG_USE && tell_inventory(a, q))
        code = CLI_WRONG_USE;
    audit_free(a);
    return code;
}

/* source: NULL is the disk. */
static int audit_one(const struct audit_request *q, const struct conf_source *source)
{
    struct audit_ages ages;
    int code;

    audit_ages_begin(&ages, q->folder, source, q->config, q->wants_inventory || is_of_plan(q) ? 0 : q->secret_age, clock_wall_us() / 1000000);
    code = audit_from(q, &ages.source);
    audit_ages_end(&ages);
    return code;
}

/* What the command line says of the version stands above what the node says. */
static int audit_running(const struct audit_request *q)
{
    struct audit_request running = *q;
    struct audit_live live;
    int code = audit_live_ask(&live, q->node, q->config, q->folder);

    if (!q->version && live.version) {
        running.version = live.version;
        running.version_from = live.from;
    }
    if (!code)
        code = audit_one(&running, &live.source);
    audit_live_free(&live);
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
static int read_request(struct audit_request *q, const char *least, const char *fail_on, const char *max, const char *age)
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
    if (age && (text_to_i64(text_of(age), &q->secret_age) || q->secret_age < 0))
        return cli_wrong_use("audit", "--secret-age takes a number of days, 0 for never, not %s", age);
    return 0;
}

static int read_version(struct audit_request *q)
{
    struct audit_version v;

    if (!q->version)
        return 0;
    if (!audit_version_read(&v, text_of(q->version)) || v.parts[0] < OLDEST_LINE)
        return cli_wrong_use("audit", "--asterisk takes a version as \"asterisk -V\" says it, such as 22.4.1, not %s", q->version);
    q->version_from = "--asterisk";
    return 0;
}

int cmd_audit(int argc, char **argv)
{
    struct audit_request q = { .least = AUDIT_NOTE, .fail_on = AUDIT_WARNING, .secret_age = SECRET_AGE_DAYS };
    const char *folder[1] = { "/etc/asterisk" }, *code_of = NULL, *least = NULL, *fail_on = NULL, *max = NULL, *age = NULL;
    bool wants_rules = false, as_json = false, as_sarif = false, wants_undo = false;
    const struct cli_option options[] = {
        { .name = "json", .help = "one JSON object", .is_set = &as_json },
        { .name = "sarif", .help = "SARIF 2.1.0, as code scanners read it", .is_set = &as_sarif },
        { .name = "html", .takes = "FILE", .help = "write one page for a browser, too", .value = &q.html },
        { .name = "baseline", .takes = "FILE", .help = "findings in this file do not count", .value = &q.baseline },
        { .name = "write-baseline", .takes = "FILE", .help = "write all that counts now into such a file, and nothing else", .value = &q.write_baseline },
        { .name = "live", .takes = "NODE", .help = "ask this running node, too: compare dialplan, modules, ports, users of the manager with the files", .value = &q.node },
        { .name = "asterisk", .takes = "VERSION", .help = "the version to judge by, such as 22.4.1: only holes that it has are told", .value = &q.version },
        { .name = "config", .takes = "FILE", .help = "our configuration: of --live and --secret-age (default " CONFIG_DEFAULT_PATH "), and where a plan's agi:// and Stasis() lead", .value = &q.config },
        { .name = "only", .takes = "CODE", .help = "this rule alone", .value = &q.only },
        { .name = "severity", .takes = "LEVEL", .help = "show error, warning or note (default) and what is worse", .value = &least },
        { .name = "max", .takes = "N", .help = "show at most N findings, the worst ones", .value = &max },
        { .name = "fail-on", .takes = "LEVEL", .help = "exit 1 from error, warning (default) or note on; or never", .value = &fail_on },
        { .name = "secret-age", .takes = "DAYS", .help = "tell secrets of manager.conf and ari.conf that are older (default 365); 0: none", .value = &age },
        { .name = "explain", .takes = "CODE", .help = "what a rule is about, why, what to do, and examples", .value = &code_of },
        { .name = "inventory", .help = "every place where AGI is used, and what each script does, instead of findings", .is_set = &q.wants_inventory },
        { .name = "plan", .help = "the steps by which the scripts move behind agi://, with the lines to paste", .is_set = &q.wants_plan },
        { .name = "patch", .help = "the changes of the dialplan for that, as a unified diff; it holds lines as they are, secrets too", .is_set = &q.wants_patch },
        { .name = "apply", .help = "make those changes: all files or none, each with a backup beside it", .is_set = &q.wants_apply },
        { .name = "undo", .help = "take the newest --apply back, where the files still are as it left them", .is_set = &wants_undo },
        { .name = "with-talks", .help = "with --plan, --patch, --apply: enter Stasis() where a script talks; a person writes the agents", .is_set = &q.with_talks },
        { .name = "agi-dir", .takes = "DIR", .help = "where the scripts are (default: as asterisk.conf says)", .value = &q.agi_dir },
        { .name = "rules", .help = "every rule, a line each", .is_set = &wants_rules },
    };
    const struct cli_syntax syntax = {
        .verb = "audit",
        .usage = "[FOLDER] [--json | --sarif] [--only CODE] [--severity LEVEL] [--max N] [--fail-on LEVEL] [--secret-age DAYS]\n"
                 "       [--html FILE] [--baseline FILE] [--write-baseline FILE]\n"
                 "       | --inventory [--agi-dir DIR] [--json] | --plan [--json] | --patch | --apply\n"
                 "       [--with-talks] [--agi-dir DIR] [--config FILE] | --undo\n       | --explain CODE [--json] | --rules [--json]",
        .about = "Reads the configuration of an Asterisk 22 (default /etc/asterisk) and tells what can go wrong: dialplan (AEL and Lua, too), manager.conf, ari.conf,\n"
                 "http.conf, asterisk.conf, rtp.conf, pjsip.conf. Runs nothing, and changes nothing there without --apply or --undo.\n"
                 "A comment `; audit-ignore CODE` on a line, or on the line before it, silences that rule there.\n"
                 "Exit status 0: no error and no warning, 1: some, or refused, 2: wrong use or nothing to read.",
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
        return explain(code_of, as_json);
    if (wants_rules)
        return list_rules(as_json);
    if (q.only && !audit_rule_of(q.only))
        return cli_wrong_use("audit", "there is no rule %s; --rules lists them", q.only);
    if (q.wants_inventory && (as_sarif || q.only || q.html || q.baseline || q.write_baseline))
        return cli_wrong_use("audit", "--inventory goes with --json and --agi-dir only");
    if (is_of_plan(&q) && (q.wants_plan + q.wants_patch + q.wants_apply > 1 || (as_json && !q.wants_plan) || as_sarif || q.wants_inventory || q.only || q.html ||
                           q.baseline || q.write_baseline))
        return cli_wrong_use("audit", "--plan, --patch and --apply each go with --agi-dir, --config and --with-talks only, --plan with --json, too");
    if (wants_undo && (is_of_plan(&q) || as_json || as_sarif || q.wants_inventory || q.only || q.html || q.baseline || q.write_baseline || q.agi_dir))
        return cli_wrong_use("audit", "--undo goes with a folder only");
    if ((q.wants_apply || wants_undo) && q.node)
        return cli_wrong_use("audit", "--live does not go with --apply or --undo: those change files");
    if (as_json && as_sarif)
        return cli_wrong_use("audit", "--json and --sarif both want the output");
    if (q.html && q.write_baseline)
        return cli_wrong_use("audit", "--write-baseline makes no report: --html does not go with it");
    if (q.only && q.write_baseline)
        return cli_wrong_use("audit", "a baseline of one rule would drop the others: --only and --write-baseline do not go together");
    q.form = as_json ? AUDIT_FORM_JSON : as_sarif ? AUDIT_FORM_SARIF : AUDIT_FORM_TEXT;
    q.folder = folder[0];
    if (read_version(&q) || read_request(&q, least, fail_on, max, age))
        return CLI_WRONG_USE;
    if (q.config && !q.node && !is_of_plan(&q) && !age)
        return cli_wrong_use("audit", "--config goes with --live NODE, --secret-age, --plan, --patch or --apply");
    if (q.with_talks && !is_of_plan(&q))
        return cli_wrong_use("audit", "--with-talks goes with --plan, --patch or --apply");
    if (wants_undo)
        return audit_undo(q.folder, stdout, stderr) ? CLI_FAILED : cli_done(CLI_FINE);
    return q.node ? audit_running(&q) : audit_one(&q, NULL);
}
