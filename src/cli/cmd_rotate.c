/* The verb `rotate`: new secrets for the users of a node, proven by a login, or everything as it was. */
#include <stdio.h>
#include <string.h>

#include "app/rotate/rotate.h"
#include "cli/cli.h"
#include "cli/problems.h"

static const struct config_node *node_named(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->node_count; i++)
        if (strcmp(c->nodes[i].head.name, name) == 0)
            return &c->nodes[i];
    return NULL;
}

static bool has(const struct config_node *n, enum rotate_door d)
{
    return d == ROTATE_ARI ? n->ari && n->ari_user : n->ami && (d == ROTATE_TAP ? n->ami_user : n->control_user);
}

/* No door named: all that the node has. One that fails ends it: what was exchanged before stays exchanged. */
static int run(struct rotate_options *opt, const bool wanted[ROTATE_DOORS])
{
    const bool all = !wanted[ROTATE_TAP] && !wanted[ROTATE_CONTROL] && !wanted[ROTATE_ARI];

    for (int d = 0; d < ROTATE_DOORS; d++) {
        opt->door = (enum rotate_door)d;
        if ((wanted[d] || (all && has(opt->node, opt->door))) && rotate_run(opt, stdout, stderr))
            return CLI_FAILED;
    }
    return CLI_FINE;
}

int cmd_rotate(int argc, char **argv)
{
    struct rotate_options opt = { .config = NULL };
    const char *config_path = NULL, *words[1];
    bool wanted[ROTATE_DOORS] = { false };
    const struct cli_option options[] = {
        { .name = "ami", .help = "the tap's user only", .is_set = &wanted[ROTATE_TAP] },
        { .name = "control", .help = "the control user only", .is_set = &wanted[ROTATE_CONTROL] },
        { .name = "ari", .help = "the ARI user only", .is_set = &wanted[ROTATE_ARI] },
        { .name = "dry-run", .help = "look at everything, log in with the present secret, change nothing", .is_set = &opt.is_dry },
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration (default " CONFIG_DEFAULT_PATH ")", .value = &config_path },
        { .name = "asterisk-etc", .takes = "DIR", .help = "Asterisk's files (default /etc/asterisk)", .value = &opt.asterisk_etc },
        { .name = "asterisk", .takes = "PROGRAM", .help = "which tells Asterisk to read a file again (default asterisk)", .value = &opt.asterisk },
    };
    const struct cli_syntax syntax = {
        .verb = "rotate", .usage = "NODE [--ami] [--control] [--ari] [--dry-run] [--asterisk-etc DIR]",
        .about = "Exchanges the secrets of a node on this machine: in our file (@file:), in the line of manager.conf or ari.conf that has it, then\n"
                 "Asterisk reads that again, and a login proves it. Sessions stay, the daemon needs no restart. If any step fails, both files\n"
                 "are put back. When it was cut off, run it again: it finds out how far it had come, and ends that. state_dir/rotation.json tells when.",
        .options = options, .option_count = sizeof options / sizeof *options, .words_min = 1, .words_max = 1,
    };
    struct config *config = NULL;
    size_t count;
    int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (config_load(&config, config_path, 0, problem_print, stderr))
        return CLI_FAILED;
    opt.config = config;
    opt.node = node_named(config, words[0]);
    code = opt.node ? run(&opt, wanted) : cli_wrong_use("rotate", "no node %s in %s", words[0], config->path);
    config_free(config);
    return cli_done(code);
}
