/* The round: the configuration, each node, this machine. */
#include "app/doctor/doctor.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/config_files.h"
#include "app/doctor/checks.h"

enum { LIMIT_MS = 12000 };

/* ---- the configuration ---- */

static void on_problem(const struct config_problem *p, void *arg)
{
    struct doctor_report *r = arg;

    if (p->line)
        doctor_say(r, p->severity == CONF_ERROR ? DOCTOR_FAIL : DOCTOR_WARN, "configuration", "%s:%u: %s%s%s", p->file, p->line, p->where, *p->where ? ": " : "",
                   p->message);
    else
        doctor_say(r, p->severity == CONF_ERROR ? DOCTOR_FAIL : DOCTOR_WARN, "configuration", "%s: %s%s%s", p->file, p->where, *p->where ? ": " : "", p->message);
}

static void pass_over(const struct config_problem *p, void *arg)
{
    (void)p;
    (void)arg;
}

/* Also with mistakes: secrets that cannot be had, say, leave much to look at. */
static int load(struct doctor_report *r, const char *path, struct config **config)
{
    int err = config_load(config, path, 0, on_problem, r);

    if (!err)
        err = config_files_check(*config, on_problem, r);
    if (!err)
        doctor_say(r, DOCTOR_OK, "configuration", "%s is good, and so is each file that it names", path);
    else if (err == -ENOENT)
        doctor_fix(r, "shell", "sidetone init --node pbx1 --out /etc/sidetone");
    else if (err == -EINVAL && !*config && config_load(config, path, CONFIG_SKIP_SECRETS, pass_over, NULL))
        doctor_say(r, DOCTOR_SKIP, "nodes", "the mistakes above must be mended before a node can be looked at");
    return err == -ENOMEM ? err : 0;
}

/* ---- nodes ---- */

static bool is_here(const char *url)
{
    const struct text host = text_of(url ? strstr(url, "://") : NULL);

    return host.n > 3 && (text_starts(host, TEXT("://127.")) || text_starts_nocase(host, TEXT("://localhost")) || text_starts(host, TEXT("://[::1]")));
}

static const char *etc_of(const struct config_node *n, const struct doctor_options *opt)
{
    if (opt->asterisk_etc)
        return opt->asterisk_etc;
    return is_here(n->ami) || is_here(n->ari) ? "/etc/asterisk" : NULL;
}

static int look_at_node(struct doctor_report *r, const struct config *c, const struct config_node *n, const struct doctor_options *opt)
{
    struct doctor_asked asked;
    struct doctor_etc etc;
    const int err = doctor_ask(&asked, n, doctor_modules, opt->limit_ms ? opt->limit_ms : LIMIT_MS);
    const struct doctor_context x = { .config = c, .asked = &asked, .etc = &etc, .report = r, .now_s = time(NULL) };

    doctor_etc_load(&etc, etc_of(n, opt));
    r->node = n->head.name;
    if (err)
        doctor_say(r, DOCTOR_FAIL, "node", "it could not be asked: %s", err_text(err));
    doctor_checks_run(&doctor_ami_checks, &x);
    doctor_checks_run(&doctor_ari_checks, &x);
    doctor_checks_run(&doctor_module_checks, &x);
    r->node = "";
    doctor_etc_free(&etc);
    doctor_asked_free(&asked);
    return err == -ENOMEM ? err : 0;
}

static int look_at_nodes(struct doctor_report *r, const struct config *c, const struct doctor_options *opt)
{
    size_t met = 0;
    int err = 0;

    for (size_t i = 0; !err && i < c->node_count; i++)
        if (!opt->node || !strcmp(opt->node, c->nodes[i].head.name)) {
            met++;
            err = look_at_node(r, c, &c->nodes[i], opt);
        }
    if (!err && opt->node && !met)
        return -ENOENT;
    if (!err && !met)
        doctor_say(r, DOCTOR_WARN, "nodes", "%s names no node: no Asterisk is looked at", c->path);
    return err;
}

int doctor_run(struct doctor_report *r, const struct doctor_options *opt, struct config **config)
{
    const char *path = opt->config_path ? opt->config_path : CONFIG_DEFAULT_PATH;
    int err;

    *config = NULL;
    err = load(r, path, config);
    if (!err && *config)
        err = look_at_nodes(r, *config, opt);
    return err ? err : r->err;
}
