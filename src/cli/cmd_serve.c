/* The verb `serve`: reads the configuration and runs the daemon. */
#include <stdio.h>

#include "app/config.h"
#include "app/serve.h"
#include "cli/cli.h"
#include "cli/problems.h"

int cmd_serve(int argc, char **argv)
{
    const char *path = NULL;
    const struct cli_option options[] = {
        { .name = "config", .takes = "FILE", .help = "configuration (default " CONFIG_DEFAULT_PATH ")", .value = &path },
    };
    const struct cli_syntax syntax = {
        .verb = "serve",
        .usage = "[--config FILE]",
        .about = "Runs the daemon in the foreground until SIGTERM or ctrl-C; calls are then given back to the dialplan.\n"
                 "Log lines go to stderr.",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    struct config *config;
    size_t words;
    int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    if (config_load(&config, path, 0, problem_print, stderr)) {
        fprintf(stderr, "sidetone: not started: the configuration has errors (sidetone config sample prints one to begin with)\n");
        return CLI_FAILED;
    }
    code = serve_run(config) ? CLI_FAILED : CLI_FINE;
    config_free(config);
    return code;
}
