/* The verb `tap advise`: the smallest rights and filters of the tap's user that still carry what is used; and a check of them on the wire. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "cli/advise_check.h"
#include "cli/cli.h"
#include "cli/cmd_tap.h"
#include "cli/problems.h"
#include "tap/needs.h"

enum { EVENTS_MAX = 64, CLASSES_MAX = 24, SECONDS = 60, SECONDS_MAX = 86400, FILTERS_MAX = 4096 };

struct advice {
    const char *extra[EVENTS_MAX];      /* events that others use, beside the facts */
    size_t extra_count;
    const char *classes[CLASSES_MAX];
    size_t class_count;
    char *memory;
};

static void add_class(struct advice *a, const char *class)
{
    for (size_t i = 0; i < a->class_count; i++)
        if (strcmp(a->classes[i], class) == 0)
            return;
    if (a->class_count < CLASSES_MAX)
        a->classes[a->class_count++] = class;
}

/* "UserEvent,Cdr": each must be an event whose class is known. */
static int read_extra(struct advice *a, const char *list)
{
    if (!list)
        return 0;
    a->memory = text_dup(text_of(list));
    for (char *save, *one = a->memory ? strtok_r(a->memory, ", ", &save) : NULL; one; one = strtok_r(NULL, ", ", &save)) {
        if (!tap_class_of(text_of(one))[0])
            return cli_wrong_use("tap advise", "--also: expected names of events whose class is known, came \"%s\"", one);
        if (a->extra_count < EVENTS_MAX)
            a->extra[a->extra_count++] = one;
    }
    return 0;
}

static void find_classes(struct advice *a)
{
    size_t count;
    const struct tap_need *needs = tap_needs(&count);

    for (size_t i = 0; i < count; i++)
        add_class(a, needs[i].class);
    for (size_t i = 0; i < a->extra_count; i++)
        add_class(a, tap_class_of(text_of(a->extra[i])));
}

static void print_need(const struct tap_need *n)
{
    struct buf lines;

    buf_init(&lines, FILTERS_MAX);
    tap_need_filters(&lines, n);
    fwrite(lines.p, 1, lines.n, stdout);
    buf_free(&lines);
}

static void print_lines(const struct advice *a, const char *user)
{
    size_t count;
    const struct tap_need *needs = tap_needs(&count);

    printf("; manager.conf: the tap's user. timestampevents = yes belongs into [general].\n[%s]\n; secret, deny and permit as they are\nread = ", user);
    for (size_t i = 0; i < a->class_count; i++)
        printf("%s%s", i ? "," : "", a->classes[i]);
    printf("\nwrite =\nwritetimeout = 5000\n");
    for (size_t i = 0; i < count; i++)
        print_need(&needs[i]);
    for (size_t i = 0; i < a->extra_count; i++)
        if (!tap_needs_event(text_of(a->extra[i]), TEXT_NONE))
            printf("eventfilter(name(%s)) =\n", a->extra[i]);
    printf("; then: asterisk -rx \"manager reload\", and restart or kick the session: one that is logged in keeps what it had\n");
}

static const struct config_node *choose(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->node_count; i++)
        if (c->nodes[i].ami && c->nodes[i].ami_user && (!name || strcmp(c->nodes[i].head.name, name) == 0))
            return &c->nodes[i];
    fprintf(stderr, "sidetone tap advise: no node %s%swith ami and ami_user in %s\n", name ? name : "", name ? " " : "", c->path);
    return NULL;
}

static int check(const struct config_node *n, const char *directory, const char *user, const char *secret_ref, int64_t seconds)
{
    const struct secret_source source = { .directory = directory, .credentials = getenv("CREDENTIALS_DIRECTORY") };
    struct secret_answer answer;
    struct secret secret = { NULL };
    int code;

    if (secret_resolve(&secret, text_of(secret_ref), &source, &answer)) {
        fprintf(stderr, "sidetone tap advise: --secret: %s\n", answer.problem);
        return CLI_FAILED;
    }
    code = advise_check(n, user, secret_reveal(&secret), seconds);
    secret_free(&secret);
    return code;
}

int cmd_tap_advise(int argc, char **argv)
{
    const char *config_path = NULL, *node = NULL, *also = NULL, *user = NULL, *secret = NULL, *seconds_text = NULL;
    const struct cli_option options[] = {
        { .name = "node", .takes = "NAME", .help = "the node (default: the first with ami_user)", .value = &node },
        { .name = "also", .takes = "EVENTS", .help = "events that others take from the journal or a sink: UserEvent,Cdr", .value = &also },
        { .name = "check", .takes = "USER", .help = "prove it: log in as ami_user and as this user, who has the lines, and compare the facts", .value = &user },
        { .name = "secret", .takes = "REF", .help = "that user's secret, as @env:NAME or @file:PATH", .value = &secret },
        { .name = "seconds", .takes = "N", .help = "how long to compare (default 60)", .value = &seconds_text },
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration", .value = &config_path },
    };
    const struct cli_syntax syntax = {
        .verb = "tap advise", .usage = "[--node NAME] [--also EVENTS] [--check USER --secret REF [--seconds N]]",
        .about = "Prints the lines of manager.conf with which Asterisk sends no more than the facts about calls need. What it does not send,\n"
                 "the journal does not have. The form eventfilter(...) needs Asterisk 20.11, 21.6 or 22.1; with an older one use read= alone.",
        .options = options, .option_count = sizeof options / sizeof *options,
    };
    struct advice a = { 0 };
    struct config *config;
    const struct config_node *n;
    int64_t seconds = SECONDS;
    size_t words;
    int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    if (seconds_text && (text_to_i64(text_of(seconds_text), &seconds) || seconds < 1 || seconds > SECONDS_MAX))
        return cli_wrong_use("tap advise", "--seconds: expected 1 to %d, came \"%s\"", SECONDS_MAX, seconds_text);
    if ((user != NULL) != (secret != NULL))
        return cli_wrong_use("tap advise", "expected --check and --secret together");
    code = read_extra(&a, also);
    if (code || config_load(&config, config_path, user ? 0 : CONFIG_SKIP_SECRETS, problem_print, stderr)) {
        free(a.memory);
        return code ? code : CLI_FAILED;
    }
    n = choose(config, node);
    find_classes(&a);
    if (!n)
        code = CLI_FAILED;
    else if (user)
        code = check(n, config->directory, user, secret, seconds);
    else
        print_lines(&a, n->ami_user);
    config_free(config);
    free(a.memory);
    return code ? code : cli_done(CLI_FINE);
}
