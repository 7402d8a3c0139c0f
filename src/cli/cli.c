/* One job: read what stands on the command line, by table. */
#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

int cli_wrong_use(const char *verb, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "sidetone%s%s: ", *verb ? " " : "", verb);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "; see sidetone%s%s --help\n", *verb ? " " : "", verb);
    return CLI_WRONG_USE;
}

int cli_done(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "sidetone: cannot write: %s\n", err_text(-errno));
    return CLI_FAILED;
}

static bool is_help(const char *word)
{
    return !strcmp(word, "--help") || !strcmp(word, "-h");
}

static void verbs_print(const char *before, const char *about, const struct cli_verb *verbs, size_t count, FILE *to)
{
    fprintf(to, "usage: %s VERB [options]\n\n%s\n\n", before, about);
    for (size_t i = 0; i < count; i++)
        if (verbs[i].summary)
            fprintf(to, "  %-9s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(to, "\n`%s VERB --help` tells more.\n", before);
}

static const char *nearest_verb(const struct cli_verb *verbs, size_t count, const char *word)
{
    const char *best = NULL;
    size_t least = 3;

    for (size_t i = 0; i < count; i++) {
        const size_t d = verbs[i].summary ? text_distance(text_of(word), text_of(verbs[i].name)) : SIZE_MAX;

        if (d < least) {
            best = verbs[i].name;
            least = d;
        }
    }
    return best;
}

int cli_dispatch(const char *before, const char *about, const struct cli_verb *verbs, size_t count, int argc, char **argv)
{
    const char *group = strchr(before, ' ') ? strchr(before, ' ') + 1 : "", *near;

    if (argc < 2) {
        verbs_print(before, about, verbs, count, stderr);
        return CLI_WRONG_USE;
    }
    if (is_help(argv[1]) || !strcmp(argv[1], "help")) {
        verbs_print(before, about, verbs, count, stdout);
        return cli_done(CLI_FINE);
    }
    for (size_t i = 0; i < count; i++)
        if (!strcmp(argv[1], verbs[i].name))
            return verbs[i].run(argc - 1, argv + 1);
    if (argv[1][0] == '-')
        return cli_wrong_use(group, "unknown option %s", argv[1]);
    near = nearest_verb(verbs, count, argv[1]);
    if (near)
        return cli_wrong_use(group, "unknown verb \"%s\", did you mean \"%s\"?", argv[1], near);
    return cli_wrong_use(group, "unknown verb \"%s\"", argv[1]);
}

static int help_print(const struct cli_syntax *x)
{
    printf("usage: sidetone %s %s\n\n%s\n\n", x->verb, x->usage, x->about);
    for (size_t i = 0; i < x->option_count; i++) {
        const struct cli_option *o = &x->options[i];
        char left[64];

        snprintf(left, sizeof left, "--%s%s%s", o->name, o->takes ? " " : "", o->takes ? o->takes : "");
        printf("  %-18s %s\n", left, o->help);
    }
    printf("  %-18s %s\n", "-h, --help", "this text");
    return cli_done(CLI_FINE);
}

/* Takes the option at argv[*i]; *i moves to its last word. */
static int take_option(const struct cli_syntax *x, int argc, char **argv, int *i)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '=');
    const size_t n = equals ? (size_t)(equals - name) : strlen(name);

    for (size_t k = 0; k < x->option_count; k++) {
        const struct cli_option *o = &x->options[k];

        if (strlen(o->name) != n || strncmp(o->name, name, n))
            continue;
        if (!o->takes && equals)
            return cli_wrong_use(x->verb, "--%s takes no value", o->name);
        if (!o->takes)
            *o->is_set = true;
        else if (equals)
            *o->value = equals + 1;
        else if (*i + 1 < argc)
            *o->value = argv[++*i];
        else
            return cli_wrong_use(x->verb, "--%s needs a value (%s)", o->name, o->takes);
        return CLI_GO_ON;
    }
    return cli_wrong_use(x->verb, "unknown option --%.*s", (int)n, name);
}

int cli_read(const struct cli_syntax *x, int argc, char **argv, const char **words, size_t *word_count)
{
    bool only_words = false;
    size_t n = 0;

    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];

        if (!only_words && is_help(word))
            return help_print(x);
        if (!only_words && !strcmp(word, "--")) {
            only_words = true;
        } else if (!only_words && !strncmp(word, "--", 2)) {
            const int code = take_option(x, argc, argv, &i);

            if (code != CLI_GO_ON)
                return code;
        } else if (!only_words && word[0] == '-' && word[1]) {
            return cli_wrong_use(x->verb, "unknown option %s", word);
        } else if (n == x->words_max) {
            return cli_wrong_use(x->verb, "unexpected \"%s\"", word);
        } else {
            words[n++] = word;
        }
    }
    if (n < x->words_min)
        return cli_wrong_use(x->verb, "expected %s", x->usage);
    *word_count = n;
    return CLI_GO_ON;
}
