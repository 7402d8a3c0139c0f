/* The verb `config`: checks, shows and explains the configuration. */
#include <stdio.h>
#include <string.h>

#include "app/config.h"
#include "app/config_files.h"
#include "cli/cli.h"
#include "cli/problems.h"

enum { JSON_MAX = 4 << 20 };

/* What `check` collects while the configuration is read. */
struct findings {
    bool json;
    unsigned errors, warnings;
    struct buf list;
};

static void on_problem(const struct config_problem *p, void *arg)
{
    struct findings *f = arg;

    if (p->severity == CONF_ERROR)
        f->errors++;
    else
        f->warnings++;
    if (!f->json) {
        problem_print(p, stdout);
        return;
    }
    if (f->list.n)
        buf_add_char(&f->list, ',');
    problem_json(p, &f->list);
}

static void print_json(const struct findings *f, bool is_good, const char *path)
{
    struct buf name;

    buf_init(&name, JSON_MAX);
    buf_add_json(&name, text_of(path));
    printf("{\"ok\":%s,\"file\":\"%.*s\",\"errors\":%u,\"warnings\":%u,\"problems\":[%.*s]}\n", is_good ? "true" : "false",
           TEXT_ARG(buf_text(&name)), f->errors, f->warnings, TEXT_ARG(buf_text(&f->list)));
    buf_free(&name);
}

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

static void print_summary(const struct findings *f, const struct config *c, const char *path)
{
    if (c && !f->errors)
        printf("%s: good: %zu node%s, %zu route%s, %zu agent%s", path, c->node_count, plural(c->node_count), c->route_count,
               plural(c->route_count), c->agent_count, plural(c->agent_count));
    else
        printf("%s: not good: %u error%s", path, f->errors, plural(f->errors));
    if (f->warnings)
        printf(", %u warning%s", f->warnings, plural(f->warnings));
    printf("\n");
}

static int check(const char *path, unsigned flags, bool json)
{
    struct findings f = { .json = json };
    struct config *c = NULL;
    int err;

    buf_init(&f.list, JSON_MAX);
    err = config_load(&c, path, flags, on_problem, &f);
    if (!err)
        err = config_files_check(c, on_problem, &f);
    if (err && !f.errors)
        fprintf(stderr, "%s: %s\n", path, err_text(err));
    if (json)
        print_json(&f, !err, path);
    else
        print_summary(&f, c, path);
    buf_free(&f.list);
    config_free(c);
    return cli_done(err ? CLI_FAILED : CLI_FINE);
}

static int run_check(int argc, char **argv)
{
    bool json = false, skip = false;
    const struct cli_option options[] = {
        { .name = "json", .help = "findings as one JSON object", .is_set = &json },
        { .name = "skip-secrets", .help = "check how secrets are referred to, but do not look them up", .is_set = &skip },
    };
    const struct cli_syntax syntax = {
        .verb = "config check", .usage = "[FILE] [--json] [--skip-secrets]",
        .about = "Reads the configuration (default " CONFIG_DEFAULT_PATH ") as the daemon would, and tells every mistake:\n"
                 "file:line: section/key: what was expected, what came. When it is good itself, the handlers, shadows, tools\n"
                 "and agent files that it names are compiled and read, too. Exit status 0: good, 1: errors.",
        .options = options, .option_count = 2, .words_max = 1,
    };
    const char *words[1] = { CONFIG_DEFAULT_PATH };
    size_t count;
    const int code = cli_read(&syntax, argc, argv, words, &count);

    return code == CLI_GO_ON ? check(words[0], skip ? CONFIG_SKIP_SECRETS : 0, json) : code;
}

static int run_show(int argc, char **argv)
{
    const struct cli_syntax syntax = {
        .verb = "config show", .usage = "[FILE]",
        .about = "Prints the values in force, defaults included (default " CONFIG_DEFAULT_PATH "); secrets are ***.",
        .words_max = 1,
    };
    const char *words[1] = { NULL };
    struct config *c;
    size_t count;
    const int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (config_load(&c, words[0], CONFIG_SKIP_SECRETS, problem_print, stderr))
        return CLI_FAILED;
    config_show(c, stdout);
    config_free(c);
    return cli_done(CLI_FINE);
}

static int run_sample(int argc, char **argv)
{
    const struct cli_syntax syntax = {
        .verb = "config sample", .usage = "",
        .about = "Prints a configuration file to begin with: every key, its default and one sentence of help.",
    };
    size_t count;
    const int code = cli_read(&syntax, argc, argv, NULL, &count);

    if (code != CLI_GO_ON)
        return code;
    config_sample(stdout);
    return cli_done(CLI_FINE);
}

/* For the build: copies a manual page, with the list of options in the place of its mark. */
static int run_manpage(int argc, char **argv)
{
    FILE *page = argc == 2 ? fopen(argv[1], "r") : NULL;
    char line[4096];

    if (!page)
        return cli_wrong_use("config manpage", "expected a readable FILE");
    while (fgets(line, sizeof line, page))
        if (strcmp(line, "@OPTIONS@\n"))
            fputs(line, stdout);
        else
            config_keys_print(stdout);
    fclose(page);
    return cli_done(CLI_FINE);
}

int cmd_config(int argc, char **argv)
{
    static const struct cli_verb verbs[] = {
        { "check", run_check, "finds every mistake at once" },
        { "show", run_show, "the values in force, defaults included" },
        { "sample", run_sample, "a file to begin with" },
        { "manpage", run_manpage, NULL },
    };

    return cli_dispatch("sidetone config", "The daemon's configuration.", verbs, sizeof verbs / sizeof *verbs, argc, argv);
}
