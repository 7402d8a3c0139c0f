/* Asks a node for its view, and gives it to the auditor as one more file of the folder. */
#include "cli/audit_live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "audit/clean.h"
#include "audit/version.h"
#include "cli/cli.h"
#include "cli/problems.h"

static int read_one(void *arg, const char *path, struct text *out)
{
    const struct audit_live *l = arg;

    if (strcmp(path, l->path) != 0)
        return conf_disk.read(conf_disk.arg, path, out);
    out->n = l->view.text.n;
    out->p = text_dup(buf_text(&l->view.text));
    return out->p ? 0 : -ENOMEM;
}

static int expand(void *arg, const char *from, const char *pattern, char ***out)
{
    (void)arg;
    return conf_disk.expand(conf_disk.arg, from, pattern, out);
}

static const struct config_node *node_named(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->node_count; i++)
        if (strcmp(c->nodes[i].head.name, name) == 0)
            return &c->nodes[i];
    return NULL;
}

/* What a node says is hostile text, too. */
static void complain(const char *node, struct text what)
{
    fprintf(stderr, "sidetone audit: node %s: ", node);
    clean_put(what, stderr);
    putc('\n', stderr);
}

static void take_version(struct audit_live *l, const char *node)
{
    struct audit_version v;

    if (!l->view.version[0]) {
        complain(node, TEXT("its version was not told: holes are judged by the line 22 (--asterisk VERSION says it)"));
    } else if (!audit_version_read(&v, text_of(l->view.version))) {
        complain(node, TEXT("its version is not understood: holes are judged by the line 22 (--asterisk VERSION says it)"));
    } else {
        l->version = l->view.version;
        snprintf(l->from, sizeof l->from, "node %s by %s", node, l->view.version_by);
    }
}

static int collect(struct audit_live *l, const struct config *c, const char *node, const char *folder)
{
    const struct config_node *n = node_named(c, node);
    struct text rest, one;
    int err;

    if (!n)
        return cli_wrong_use("audit", "--live: no node %s in %s", node, c->path);
    err = live_view_collect(&l->view, n, folder);
    rest = buf_text(&l->view.notes);
    while (text_cut(&rest, '\n', &one))
        if (one.n)
            complain(node, one);
    if (err)
        fprintf(stderr, "sidetone audit: node %s told nothing (%s); sidetone doctor --node %s says why\n", node, err_text(err), node);
    else
        take_version(l, node);
    return err ? CLI_WRONG_USE : 0;
}

int audit_live_ask(struct audit_live *l, const char *node, const char *config_path, const char *folder)
{
    struct config *c;
    int code;

    *l = (struct audit_live){ 0 };
    l->source = (struct conf_source){ .read = read_one, .expand = expand, .arg = l };
    if (snprintf(l->path, sizeof l->path, "%s/" LIVE_VIEW_FILE, folder) >= (int)sizeof l->path)
        return cli_wrong_use("audit", "the folder's path is too long");
    if (config_load(&c, config_path, CONFIG_SOME_SECRETS, problem_print, stderr))
        return CLI_WRONG_USE;
    code = collect(l, c, node, folder);
    config_free(c);
    return code;
}

void audit_live_free(struct audit_live *l)
{
    live_view_free(&l->view);
}
