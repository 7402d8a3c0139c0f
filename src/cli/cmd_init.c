/* The verb `init`: the least that Asterisk and we need to work together, printed or written. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/init/files.h"
#include "cli/cli.h"
#include "cli/problems.h"

enum { TEXT_MAX = 1 << 20, SECRET_TEXT = 2 * INIT_SECRET_BYTES + 1, WHY = 1024 };

struct secrets {
    const char *list[INIT_SECRETS];
    char made[INIT_SECRETS][SECRET_TEXT];
};

static int make_secrets(struct secrets *s)
{
    int err = 0;

    for (int i = 0; !err && i < INIT_SECRETS; i++) {
        err = init_secret_make(s->made[i], sizeof s->made[i]);
        s->list[i] = s->made[i];
    }
    return err;
}

/* Of a configuration that is there: what it refers to. */
static int find_secrets(struct secrets *s, const struct init_plan *p, const struct config *c)
{
    static const char *const keys[INIT_SECRETS] = { "ami_secret", "control_secret", "ari_secret" };

    for (size_t i = 0; i < c->node_count; i++) {
        const struct config_node *n = &c->nodes[i];

        if (strcmp(n->head.name, p->node))
            continue;
        s->list[INIT_TAP_SECRET] = secret_reveal(&n->ami_secret);
        s->list[INIT_CONTROL_SECRET] = secret_reveal(&n->control_secret);
        s->list[INIT_ARI_SECRET] = secret_reveal(&n->ari_secret);
    }
    for (int i = 0; i < INIT_SECRETS; i++)
        if (p->users[i] && !s->list[i]) {
            fprintf(stderr, "sidetone init: what %s of node %s refers to is not there; make it first: a line of random text, for the daemon's user only\n", keys[i],
                    p->node);
            return -ENOENT;
        }
    return 0;
}

static int print_texts(const struct init_plan *p)
{
    struct buf out;
    int err = 0;

    buf_init(&out, TEXT_MAX);
    for (int f = 0; !err && f < INIT_FILES; f++)
        if (init_file_is_wanted(p, (enum init_file)f)) {
            buf_addf(&out, "%s%s==> %s <==\n", f ? "\n" : "", f == INIT_HELLO ? "-- " : "; ", init_file_name((enum init_file)f));
            err = init_file_write(&out, p, (enum init_file)f, NULL);
        }
    if (!err)
        printf("%.*s", TEXT_ARG(buf_text(&out)));
    buf_free(&out);
    if (!err)
        fprintf(stderr, "sidetone init: with --out DIR these become files, and each SECRET-OF is a fresh secret; none is ever printed\n");
    return err;
}

static int write_files(const struct init_plan *p, const char *folder, const struct config *c)
{
    struct secrets s = { .list = { NULL } };
    struct buf told;
    char why[WHY] = "";
    int err = c ? find_secrets(&s, p, c) : make_secrets(&s);

    buf_init(&told, TEXT_MAX);
    if (!err)
        err = init_files_write(p, folder, s.list, &told, why, sizeof why);
    explicit_bzero(&s, sizeof s);
    if (err && *why)
        fprintf(stderr, "sidetone init: %s\n", why);
    if (!err) {
        printf("%.*s", TEXT_ARG(buf_text(&told)));
        printf("\nnow:\n  1. add asterisk/*.conf to the files of these names in /etc/asterisk: the first lines of each say where, and how it is read again\n");
        if (p->is_new)
            printf("  2. let the daemon's user, and nobody else, read the secrets: chown sidetone: %s/%s.*\n", folder, p->node);
        if (p->is_new)
            printf("  3. sidetone doctor --config %s/%s\n", folder, init_file_name(INIT_SIDETONE));
        else
            printf("  2. sidetone doctor --config %s\n", c->path);
    }
    buf_free(&told);
    return err;
}

static int run(const struct init_options *opt, const char *config_path, const char *folder)
{
    struct config *c = NULL;
    struct init_plan plan;
    char *memory = NULL, why[WHY] = "";
    int err;

    if (config_path && config_load(&c, config_path, CONFIG_SOME_SECRETS, problem_print, stderr))
        return CLI_FAILED;
    err = c ? init_plan_of(&plan, c, opt, why, sizeof why) : init_plan_new(&plan, opt, &memory, why, sizeof why);
    if (err == -EINVAL || err == -ENOENT) {
        config_free(c);
        return cli_wrong_use("init", "%s", why);
    }
    if (!err)
        err = folder ? write_files(&plan, folder, c) : print_texts(&plan);
    free(memory);
    config_free(c);
    return cli_done(err ? CLI_FAILED : CLI_FINE);
}

int cmd_init(int argc, char **argv)
{
    struct init_options opt = { .node = NULL };
    const char *config_path = NULL, *folder = NULL;
    const struct cli_option options[] = {
        { .name = "node", .takes = "NAME", .help = "what we call this Asterisk", .value = &opt.node },
        { .name = "out", .takes = "DIR", .help = "write files with fresh secrets below DIR, instead of printing without", .value = &folder },
        { .name = "config", .takes = "FILE", .help = "a configuration that is there: what its node uses, and no more", .value = &config_path },
        { .name = "with", .takes = "PARTS", .help = "of tap,ari,agi,asyncagi (default tap,ari,agi)", .value = &opt.with },
        { .name = "ami", .takes = "HOST:PORT", .help = "Asterisk's manager port (default 127.0.0.1:5038)", .value = &opt.ami },
        { .name = "ari", .takes = "URL", .help = "Asterisk's HTTP server (default http://127.0.0.1:8088)", .value = &opt.ari },
        { .name = "from", .takes = "ADDRESS", .help = "this machine, as Asterisk sees it (default 127.0.0.1)", .value = &opt.from },
        { .name = "fastagi", .takes = "ADDRESS:PORT", .help = "where we take agi:// (default 127.0.0.1:4573)", .value = &opt.fastagi },
        { .name = "audiosocket", .takes = "ADDRESS:PORT", .help = "where we take voices (default 127.0.0.1:9092)", .value = &opt.audiosocket },
        { .name = "state-dir", .takes = "DIR", .help = "the daemon's state (default /var/lib/sidetone)", .value = &opt.state_dir },
    };
    const struct cli_syntax syntax = {
        .verb = "init", .usage = "--node NAME [--out DIR] [--config FILE] [--with PARTS] [--ami HOST:PORT] [--ari URL]",
        .about = "Prints or writes what one Asterisk needs for us, with the least rights: additions to manager.conf (the tap's user with its\n"
                 "filters, a user for questions), ari.conf, http.conf, modules.conf and extensions.conf, and the matching sidetone.conf.\n"
                 "Secrets are made by the kernel's random numbers, and go into files for their owner only. Nothing is overwritten.",
        .options = options, .option_count = sizeof options / sizeof *options,
    };
    size_t words;
    const int code = cli_read(&syntax, argc, argv, NULL, &words);

    if (code != CLI_GO_ON)
        return code;
    if (!opt.node)
        return cli_wrong_use("init", "expected --node NAME");
    return run(&opt, config_path, folder);
}
