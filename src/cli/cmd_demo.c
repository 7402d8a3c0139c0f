/* The verb `demo`: reads its options and plays the demo. */
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "app/demo.h"
#include "cli/cli.h"

int cmd_demo(int argc, char **argv)
{
    struct demo_options opt = { 0 };
    const struct cli_option options[] = {
        { .name = "asterisk", .takes = "DIR", .help = "an unpacked Asterisk, used when none (20 or newer) is installed", .value = &opt.asterisk },
        { .name = "record", .takes = "FILE", .help = "where the call's WAV goes (default: the demo's own folder)", .value = &opt.record },
        { .name = "share", .takes = "DIR", .help = "where handlers/ and agents/ are", .value = &opt.share },
    };
    const struct cli_syntax syntax = {
        .verb = "demo",
        .usage = "[--asterisk DIR] [--record FILE]",
        .about = "Plays one whole call through a real, private Asterisk: FastAGI look-up, hand-off, a talk with the embedded agent,\n"
                 "a barge-in, a tool, and the way back into the dialplan. A running PBX is never touched.",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    size_t words;
    const int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    if (n <= 0) {
        fprintf(stderr, "sidetone demo: cannot find this program's own file under /proc\n");
        return CLI_FAILED;
    }
    program[n] = '\0';
    opt.program = program;
    return cli_done(demo_run(&opt));
}
