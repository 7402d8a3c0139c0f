/* Prints the plan or its patch, or has it applied. */
#include "cli/audit_plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/audit_apply.h"
#include "app/config.h"
#include "audit/plan.h"
#include "cli/cli.h"
#include "cli/problems.h"

enum { PATCH_MAX = 256 * 1024 * 1024 };

static bool is_any_host(const char *host)
{
    return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

/* Where Asterisk finds our FastAGI. One that listens everywhere is found where the voices are; else on this machine. */
static int agi_write(char *out, size_t size, const struct config *c)
{
    const struct address *const at = &c->fastagi.listen;
    const struct text voices = text_of(c->audiosocket.advertise);
    const ptrdiff_t colon = text_rfind(voices, ':');
    const struct text host = text_head(voices, colon > 0 ? (size_t)colon : 0);

    if (!at->port)
        return cli_wrong_use("audit", "--config: fastagi/listen of %s has no port: agi:// needs one", c->path);
    if (!is_any_host(at->host))
        address_format(at, out, size);
    else if (host.n && !text_eq(host, TEXT("0.0.0.0")) && !text_eq(host, TEXT("[::]")))
        snprintf(out, size, "%.*s:%u", TEXT_ARG(host), at->port);
    else
        snprintf(out, size, "127.0.0.1:%u", at->port);
    return 0;
}

/* The node that was asked, else the first one that takes calls in Stasis(). NULL: none, and then the usual name. */
static const char *app_of(const struct config *c, const char *node)
{
    for (size_t i = 0; i < c->node_count; i++)
        if (node ? strcmp(c->nodes[i].head.name, node) == 0 : config_node_has_ari(&c->nodes[i]))
            return c->nodes[i].app;
    return NULL;
}

static int plan_give(struct audit *a, const struct audit_request *q, const struct plan_options *opt)
{
    struct inventory *v = NULL;
    struct plan *p = NULL;
    struct buf b;
    int code = CLI_FINE, err = inventory_make(&v, a, q->agi_dir);

    buf_init(&b, PATCH_MAX);
    if (!err)
        err = plan_make(&p, a, v, opt);
    if (!err && q->wants_patch)
        err = plan_patch(p, &b);
    if (!err && q->form == AUDIT_FORM_JSON)
        err = plan_json(p, &b);
    if (!err && (q->wants_patch || q->form == AUDIT_FORM_JSON))
        fwrite(b.p ? b.p : "", 1, b.n, stdout);
    else if (!err && q->wants_apply)
        code = audit_apply(p, stdout, stderr) ? CLI_FAILED : CLI_FINE;
    else if (!err)
        plan_write(p, stdout);
    buf_free(&b);
    if (err)
        fprintf(stderr, "sidetone audit: the plan: %s\n", err_text(err));
    return err ? CLI_WRONG_USE : cli_done(code);
}

/* The sections that are there: routes, then agents. NULL: out of memory. */
static struct plan_known *known_make(const struct config *c, size_t *count)
{
    struct plan_known *const k = calloc(c->route_count + c->agent_count + 1, sizeof *k);
    size_t n = 0;

    for (size_t i = 0; k && i < c->route_count; i++)
        k[n++] = (struct plan_known){ .name = c->routes[i].head.name, .script = c->routes[i].script_text };
    for (size_t i = 0; k && i < c->agent_count; i++)
        k[n++] = (struct plan_known){ .name = c->agents[i].head.name, .is_agent = true };
    *count = n;
    return k;
}

static int plan_with(struct audit *a, const struct audit_request *q, struct plan_options *opt, const struct config *c)
{
    char agi[320];
    int code = agi_write(agi, sizeof agi, c);
    struct plan_known *const known = known_make(c, &opt->known_count);

    if (!known) {
        fprintf(stderr, "sidetone audit: the plan: %s\n", err_text(-ENOMEM));
        return CLI_WRONG_USE;
    }
    opt->agi = agi;
    opt->app = app_of(c, q->node);
    opt->known = known;
    if (!code)
        code = plan_give(a, q, opt);
    free(known);
    return code;
}

int audit_plan(struct audit *a, const struct audit_request *q)
{
    struct plan_options opt = { .agi_dir = q->agi_dir, .config = q->config, .with_talks = q->with_talks };
    struct config *c = NULL;
    int code;

    if (!q->config)
        return plan_give(a, q, &opt);
    if (config_load(&c, q->config, CONFIG_SKIP_SECRETS, problem_print, stderr))
        return CLI_WRONG_USE;
    code = plan_with(a, q, &opt, c);
    config_free(c);
    return code;
}
