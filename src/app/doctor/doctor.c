/* The round: the configuration, each node, this machine. */
#include "app/doctor/doctor.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/config_files.h"
#include "app/doctor/check_host.h"
#include "app/doctor/checks.h"
#include "app/doctor/scripts.h"
#include "app/rotate/rotate.h"
#include "net/certificate.h"

enum { LIMIT_MS = 12000, CERTIFICATE_MS = 3000 };

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
    else if (err == -EINVAL && !*config && config_load(config, path, CONFIG_SOME_SECRETS, pass_over, NULL))
        doctor_say(r, DOCTOR_SKIP, "nodes", "the mistakes above must be mended before a node can be looked at");
    return err == -ENOMEM ? err : 0;
}

/* ---- nodes ---- */

static const char *etc_of(const struct config_node *n, const struct doctor_options *opt)
{
    if (opt->asterisk_etc)
        return opt->asterisk_etc;
    return config_url_is_this_machine(n->ami) || config_url_is_this_machine(n->ari) ? "/etc/asterisk" : NULL;
}

static bool has_answered(const struct doctor_ami *d)
{
    return d->is_in || d->err == -EKEYREJECTED || d->err == -EACCES;
}

/* Only where TLS was spoken: then the name is known to lead somewhere, and nothing waits long. */
static void look_at_certificate(struct doctor_certificate *c, const char *url, bool is_up)
{
    const char *host = url ? strstr(url, "://") : NULL;
    struct text rest = text_of(host ? host + 3 : NULL), name;
    char bare[256];
    ptrdiff_t colon;
    int64_t port = 443;
    int err;

    if (!is_up || !host || (!text_starts(text_of(url), TEXT("tls://")) && !text_starts_nocase(text_of(url), TEXT("https://"))))
        return;
    c->is_asked = true;
    (void)text_cut(&rest, '/', &name);
    colon = text_rfind(name, ':');
    if (colon > 0 && text_to_i64(text_skip(name, (size_t)colon + 1), &port) == 0)
        name = text_head(name, (size_t)colon);
    if (name.n > 2 && name.p[0] == '[')
        name = text_make(name.p + 1, name.n - 2);
    text_copy(bare, sizeof bare, name);
    err = certificate_end(bare, (uint16_t)port, CERTIFICATE_MS, &c->not_after);
    c->is_known = err == 0;
    text_copy(c->why, sizeof c->why, text_of(err ? err_text(err) : ""));
}

static void look_at_certificates(struct doctor_asked *a)
{
    look_at_certificate(&a->ami_certificate, a->node->ami, has_answered(&a->ami[DOCTOR_TAP]) || has_answered(&a->ami[DOCTOR_CONTROL]));
    look_at_certificate(&a->ari_certificate, a->node->ari, a->ari.status > 0 || a->ari.err == -EKEYREJECTED);
}

/* Why a login fails may be just that. */
static void look_for_rotations(struct doctor_report *r, const struct config *c, const struct config_node *n, const struct doctor_options *opt)
{
    char command[2 * PATH_MAX + 256];

    for (int d = 0; d < ROTATE_DOORS; d++) {
        const struct rotate_options o = { .config = c, .node = n, .door = (enum rotate_door)d, .asterisk_etc = opt->asterisk_etc };

        if (!rotate_is_unfinished(n, o.door))
            continue;
        rotate_command(&o, command, sizeof command);
        doctor_say(r, DOCTOR_FAIL, "rotation", "an exchange of %s was cut off: our file, Asterisk's, and what is in force may differ", rotate_key(o.door));
        doctor_fix(r, "shell", "%s", command);
    }
}

static int look_at_node(struct doctor_report *r, const struct config *c, const struct config_node *n, const struct doctor_options *opt)
{
    struct doctor_asked asked;
    struct doctor_etc etc;
    const int err = doctor_ask(&asked, n, doctor_modules, opt->limit_ms ? opt->limit_ms : LIMIT_MS);
    const struct doctor_context x = { .config = c, .asked = &asked, .etc = &etc, .report = r, .now_s = time(NULL) };

    look_at_certificates(&asked);
    doctor_etc_load(&etc, etc_of(n, opt));
    r->node = n->head.name;
    if (err)
        doctor_say(r, DOCTOR_FAIL, "node", "it could not be asked: %s", err_text(err));
    look_for_rotations(r, c, n, opt);
    doctor_checks_run(&doctor_ami_checks, &x);
    doctor_checks_run(&doctor_ari_checks, &x);
    doctor_checks_run(&doctor_tls_checks, &x);
    doctor_checks_run(&doctor_module_checks, &x);
    doctor_checks_run(&doctor_limit_checks, &x);
    doctor_scripts_check(&x);
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

static int look_here(struct doctor_report *r, const struct config *c)
{
    struct doctor_host *h = malloc(sizeof *h);

    if (!h)
        return -ENOMEM;
    doctor_host_look(h, c);
    doctor_host_check(r, h, c);
    doctor_host_free(h);
    free(h);
    return 0;
}

int doctor_run(struct doctor_report *r, const struct doctor_options *opt, struct config **config)
{
    const char *path = opt->config_path ? opt->config_path : CONFIG_DEFAULT_PATH;
    int err;

    *config = NULL;
    err = load(r, path, config);
    if (!err && *config)
        err = look_at_nodes(r, *config, opt);
    if (!err && *config)
        err = look_here(r, *config);
    return err ? err : r->err;
}
