/* What every verb of the command line shares: the table of verbs, options from a table, exit codes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum cli_exit { CLI_FINE = 0, CLI_FAILED = 1, CLI_WRONG_USE = 2 };

struct cli_verb {
    const char *name;
    int (*run)(int argc, char **argv);  /* argv[0] is the verb; returns an exit code */
    const char *summary;                /* NULL: not listed */
};

/* Runs the verb that argv[1] names. before: "sidetone", "sidetone config"; about: what the help says first. */
int cli_dispatch(const char *before, const char *about, const struct cli_verb *verbs, size_t count, int argc, char **argv);

struct cli_option {
    const char *name;                   /* without the dashes */
    const char *takes;                  /* "FILE"; NULL: a flag */
    const char *help;
    const char **value;                 /* when it takes something */
    bool *is_set;                       /* when it is a flag */
};

struct cli_syntax {
    const char *verb;                   /* "config check" */
    const char *usage;                  /* what follows the verb: "[FILE] [--json]" */
    const char *about;
    const struct cli_option *options;
    size_t option_count;
    size_t words_min, words_max;
};

enum { CLI_GO_ON = -1 };

/* Reads options (--name VALUE, --name=VALUE, -h, --help) and other words (kept in words, room for words_max). CLI_GO_ON, or the exit
 * code when help was printed (CLI_FINE) or one line was said on stderr (CLI_WRONG_USE). `--` ends the options. */
int cli_read(const struct cli_syntax *x, int argc, char **argv, const char **words, size_t *word_count);
/* One line on stderr, with a pointer to --help. Returns CLI_WRONG_USE. */
int cli_wrong_use(const char *verb, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Flushes stdout: a result that did not reach its file is a failure. */
int cli_done(int code);

/* The verbs, one file each; argv[0] is the verb's name. */
int cmd_audit(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_call(int argc, char **argv);
int cmd_calls(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_init(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_rotate(int argc, char **argv);
int cmd_routes(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_sinks(int argc, char **argv);
int cmd_sinks_retry(int argc, char **argv);
int cmd_store(int argc, char **argv);
int cmd_version(int argc, char **argv);
