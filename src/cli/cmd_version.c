/* The verb `version`: the program's name and version, and the libraries it was built with. */
#include <stdio.h>

#include "cli/cli.h"

/* "sqlite3 3.40.1,libuv 1.44.2,": written by the build. */
static bool next_library(struct text *rest, struct text *name, struct text *version)
{
    struct text one;

    if (!text_cut(rest, ',', &one) || !one.n)
        return false;
    text_cut(&one, ' ', name);
    *version = one;
    return true;
}

static void print_text(struct text libraries)
{
    struct text name, version;

    printf("sidetone %s\n", SIDETONE_VERSION);
    while (next_library(&libraries, &name, &version))
        printf("  %-14.*s %.*s\n", TEXT_ARG(name), TEXT_ARG(version));
}

static void print_json(struct text libraries)
{
    const char *comma = "";
    struct text name, version;

    printf("{\"name\":\"sidetone\",\"version\":\"%s\",\"built_with\":{", SIDETONE_VERSION);
    while (next_library(&libraries, &name, &version)) {
        printf("%s\"%.*s\":\"%.*s\"", comma, TEXT_ARG(name), TEXT_ARG(version));
        comma = ",";
    }
    printf("}}\n");
}

int cmd_version(int argc, char **argv)
{
    const struct text libraries = TEXT(SIDETONE_BUILT_WITH);
    bool json = false;
    const struct cli_option options[] = { { .name = "json", .help = "as one JSON object", .is_set = &json } };
    const struct cli_syntax syntax = {
        .verb = "version", .usage = "[--json]", .about = "Prints the version, and the libraries that it was built with.",
        .options = options, .option_count = 1,
    };
    size_t words;
    const int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    (json ? print_json : print_text)(libraries);
    return cli_done(CLI_FINE);
}
