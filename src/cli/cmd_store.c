/* The verb `store`: fills look-up tables from files. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/config.h"
#include "cli/cli.h"
#include "cli/problems.h"
#include "store/store.h"

static int import(const char *db, const char *table, const char *file)
{
    char *problem = NULL;
    size_t rows;
    const int err = store_import_csv(db, table, file, &rows, &problem);

    if (err) {
        fprintf(stderr, "%s\n", problem ? problem : err_text(err));
        free(problem);
        return CLI_FAILED;
    }
    printf("%s: %zu row%s into %s\n", db, rows, rows == 1 ? "" : "s", table);
    return cli_done(CLI_FINE);
}

/* Where the configuration puts the store. Secrets are not needed for that, and may be out of reach here. */
static int import_configured(const char *path, const char *table, const char *file)
{
    struct config *config;
    int code;

    if (config_load(&config, path, CONFIG_SKIP_SECRETS, problem_print, stderr)) {
        fprintf(stderr, "sidetone store import: nothing imported; --db PATH does without a configuration\n");
        return CLI_FAILED;
    }
    code = import(config->store_path, table, file);
    config_free(config);
    return code;
}

static int run_import(int argc, char **argv)
{
    const char *db = NULL, *config = NULL, *words[2];
    const struct cli_option options[] = {
        { .name = "config", .takes = "FILE", .help = "configuration that names the store (default " CONFIG_DEFAULT_PATH ")",
          .value = &config },
        { .name = "db", .takes = "PATH", .help = "the store itself; made when it does not exist", .value = &db },
    };
    const struct cli_syntax syntax = {
        .verb = "store import", .usage = "TABLE FILE [--config FILE | --db PATH]",
        .about = "Reads FILE (CSV: two columns, key and value; a first line \"key,value\" is skipped) into TABLE.\n"
                 "Equal keys are replaced, others stay. On a bad line nothing is imported. A running daemon sees the rows at once.",
        .options = options, .option_count = 2, .words_min = 2, .words_max = 2,
    };
    size_t count;
    const int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (db && config)
        return cli_wrong_use(syntax.verb, "expected --config or --db, came both");
    return db ? import(db, words[0], words[1]) : import_configured(config, words[0], words[1]);
}

int cmd_store(int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        { "import", run_import, "a table of keys and values from a CSV file" },
    };

    return cli_dispatch("sidetone store", "The embedded store of the daemon.", verbs, 1, argc, argv);
}
