/* The verb `doctor`: what is in the way of this configuration, on its Asterisks and on this machine. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/doctor/doctor.h"
#include "cli/cli.h"

enum { JSON_MAX = 8 << 20 };

static int tell(const struct doctor_report *r, bool json)
{
    struct buf out;
    int err = 0;

    if (!json) {
        doctor_print(r, stdout);
    } else {
        buf_init(&out, JSON_MAX);
        err = doctor_json(r, &out);
        if (!err)
            printf("%.*s\n", TEXT_ARG(buf_text(&out)));
        buf_free(&out);
    }
    return cli_done(err || r->totals[DOCTOR_FAIL] ? CLI_FAILED : CLI_FINE);
}

int cmd_doctor(int argc, char **argv)
{
    struct doctor_options opt = { .config_path = NULL };
    bool json = false;
    const struct cli_option options[] = {
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration (default " CONFIG_DEFAULT_PATH ")", .value = &opt.config_path },
        { .name = "node", .takes = "NAME", .help = "this node only", .value = &opt.node },
        { .name = "asterisk-etc", .takes = "DIR", .help = "Asterisk's files (default /etc/asterisk, for nodes on this machine)", .value = &opt.asterisk_etc },
        { .name = "json", .help = "one JSON object", .is_set = &json },
    };
    const struct cli_syntax syntax = {
        .verb = "doctor", .usage = "[--config FILE] [--node NAME] [--asterisk-etc DIR] [--json]",
        .about = "Checks the configuration, logs in to every Asterisk that it names, looks at this machine, and says for each blocker which lines\n"
                 "mend it and where they belong. It changes nothing. Exit status 0: nothing to mend, 1: something is, 2: wrong use.",
        .options = options, .option_count = sizeof options / sizeof *options,
    };
    struct doctor_report report;
    struct config *config = NULL;
    size_t words;
    int err, code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    doctor_report_init(&report);
    err = doctor_run(&report, &opt, &config);
    if (err == -ENOENT) {
        fprintf(stderr, "sidetone doctor: no node %s in %s\n", opt.node, opt.config_path ? opt.config_path : CONFIG_DEFAULT_PATH);
        code = CLI_WRONG_USE;
    } else if (err) {
        fprintf(stderr, "sidetone doctor: %s\n", err_text(err));
        code = CLI_FAILED;
    } else {
        code = tell(&report, json);
    }
    doctor_report_free(&report);
    config_free(config);
    return code;
}
