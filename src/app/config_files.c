/* Compiles the handlers and tools, and loads the agent files, that a configuration names. */
#include "app/config_files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/agents.h"
#include "route/script.h"

struct files_check {
    struct loop *loop;
    struct script_engine *engine;
    const char *where;              /* "route x/handler" */
    config_on_problem *on_problem;
    void *arg;
    bool is_bad;
};

/* "FILE:LINE: message", or a message alone. */
static void on_line(const char *line, void *arg)
{
    struct files_check *f = arg;
    struct config_problem p = { .file = "", .where = f->where, .severity = CONF_ERROR, .message = line };
    char *copy = strdup(line), *at, *end;

    f->is_bad = true;
    for (at = copy ? strchr(copy, ':') : NULL; at; at = strchr(at + 1, ':')) {
        const unsigned long number = strtoul(at + 1, &end, 10);

        if (end == at + 1 || strncmp(end, ": ", 2) != 0)
            continue;
        *at = '\0';
        p.file = copy;
        p.line = (unsigned)number;
        p.message = end + 2;
        break;
    }
    f->on_problem(&p, f->arg);
    free(copy);
}

static int check_script(struct files_check *f, const char *path, const char *entry)
{
    struct script *s;
    char *problem = NULL;
    const int err = path ? script_load(&s, f->engine, path, entry, &problem) : 0;

    if (path && !err)
        script_release(s);
    if (err && err != -ENOMEM)
        on_line(problem ? problem : err_text(err), f);
    free(problem);
    return err == -ENOMEM ? err : 0;
}

static int check_routes(struct files_check *f, const struct config *c)
{
    char where[200];
    int err = 0;

    for (size_t i = 0; i < c->route_count && !err; i++) {
        const struct config_route *r = &c->routes[i];

        f->where = where;
        snprintf(where, sizeof where, "route %s/handler", r->head.name);
        err = check_script(f, r->handler, "handle");
        snprintf(where, sizeof where, "route %s/shadow", r->head.name);
        if (!err)
            err = check_script(f, r->shadow, "handle");
    }
    return err;
}

static int check_tools(struct files_check *f, const struct config *c)
{
    char where[200];
    int err = 0;

    for (size_t i = 0; i < c->agent_count; i++)
        for (size_t k = 0; k < c->agents[i].tool_count && !err; k++) {
            f->where = where;
            snprintf(where, sizeof where, "agent %s/tools", c->agents[i].head.name);
            if (c->agents[i].tools[k].path)
                err = check_script(f, c->agents[i].tools[k].path, "run");
        }
    return err;
}

static int check_agents(struct files_check *f, const struct config *c)
{
    struct agents *as = NULL;
    int err;

    f->where = "";
    err = agents_load(&as, c, "/tmp", on_line, f);
    if (!err)
        agents_free(as);
    return err == -ENOMEM ? err : 0;
}

int config_files_check(const struct config *c, config_on_problem *on_problem, void *arg)
{
    static const struct log_sink silent = { .fd = 2, .level = LOG_OFF };
    const struct log log = { .sink = &silent, .module = "config" };
    struct files_check f = { .on_problem = on_problem, .arg = arg };
    int err = loop_new(&f.loop, &log);

    if (err)
        return err;
    err = script_engine_new(&f.engine, f.loop, NULL, NULL, &log);
    if (!err) {
        err = check_routes(&f, c);
        if (!err)
            err = check_tools(&f, c);
        script_engine_free(f.engine);
    }
    if (!err)
        err = check_agents(&f, c);
    loop_free(f.loop);
    return err ? err : f.is_bad ? -EINVAL : 0;
}
