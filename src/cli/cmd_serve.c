/* The verb `serve`: reads the configuration and runs the daemon. */
#include "cli/cmd_serve.h"

#include <getopt.h>
#include <stdio.h>

#include "app/config.h"
#include "app/serve.h"

static void usage(FILE *to)
{
    fprintf(to,
            "usage: sidetone serve [--config FILE]\n\n"
            "Runs the daemon in the foreground until SIGTERM or ctrl-C; calls are then handed back to the dialplan.\n"
            "Log lines go to stderr.\n\n"
            "  -c, --config FILE   configuration (default " CONFIG_DEFAULT_PATH ")\n"
            "  -h, --help          this text\n");
}

static void on_problem(const struct config_problem *p, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s", p->file);
    if (p->line)
        fprintf(stderr, ":%u", p->line);
    fprintf(stderr, ": %s%s%s%s\n", p->severity == CONF_WARNING ? "warning: " : "", p->where, *p->where ? ": " : "", p->message);
}

int cmd_serve(int argc, char **argv)
{
    static const struct option options[] = {
        { "config", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 },
    };
    const char *path = NULL;
    struct config *config;
    int c, code;

    while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
        if (c == 'h') {
            usage(stdout);
            return 0;
        }
        if (c != 'c') {
            fprintf(stderr, "See sidetone serve --help.\n");
            return 2;
        }
        path = optarg;
    }
    if (optind < argc) {
        fprintf(stderr, "sidetone serve: unexpected \"%s\"; see sidetone serve --help\n", argv[optind]);
        return 2;
    }
    if (config_load(&config, path, 0, on_problem, NULL)) {
        fprintf(stderr, "sidetone: not started: the configuration has errors (sidetone config sample prints one to begin with)\n");
        return 1;
    }
    code = serve_run(config);
    config_free(config);
    return code;
}
