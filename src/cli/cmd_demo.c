/* The verb `demo`: reads its options and plays the demo. */
#include "cli/cmd_demo.h"

#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "app/demo.h"

static void usage(FILE *to)
{
    fprintf(to,
            "usage: sidetone demo [--asterisk DIR] [--record FILE.wav]\n\n"
            "Plays one whole call through a real, private Asterisk: FastAGI look-up, hand-off, a talk with the embedded agent,\n"
            "a barge-in, a tool, and the way back into the dialplan. A running PBX is never touched.\n\n"
            "  -a, --asterisk DIR   an unpacked Asterisk, used when none (20 or newer) is installed\n"
            "  -r, --record FILE    where the call's WAV goes (default: the demo's own folder)\n"
            "  -s, --share DIR      where handlers/ and agents/ are\n"
            "  -h, --help           this text\n");
}

int cmd_demo(int argc, char **argv)
{
    static const struct option options[] = {
        { "asterisk", required_argument, NULL, 'a' }, { "record", required_argument, NULL, 'r' },
        { "share", required_argument, NULL, 's' },    { "help", no_argument, NULL, 'h' },
        { NULL, 0, NULL, 0 },
    };
    struct demo_options opt = { 0 };
    char program[PATH_MAX];
    const ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    int c;

    while ((c = getopt_long(argc, argv, "a:r:s:h", options, NULL)) != -1) {
        switch (c) {
        case 'a':
            opt.asterisk = optarg;
            break;
        case 'r':
            opt.record = optarg;
            break;
        case 's':
            opt.share = optarg;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            fprintf(stderr, "See sidetone demo --help.\n");
            return 2;
        }
    }
    if (optind < argc) {
        fprintf(stderr, "sidetone demo: unexpected \"%s\"; see sidetone demo --help\n", argv[optind]);
        return 2;
    }
    if (n <= 0) {
        fprintf(stderr, "sidetone demo: cannot find this program's own file under /proc\n");
        return 2;
    }
    program[n] = '\0';
    opt.program = program;
    return demo_run(&opt);
}
