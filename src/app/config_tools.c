/* One job: check the tools of agents, what the built-in ones may do, and the [tool NAME] sections. */
#include <stdio.h>
#include <string.h>

#include "app/config_parts.h"
#include "net/http_hosts.h"

/* ---- the list of one agent ---- */

static const struct config_tool_section *section_named(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->tool_count; i++)
        if (!strcmp(c->tools[i].head.name, name))
            return &c->tools[i];
    return NULL;
}

/* A Lua file, unless a section says where else it is. */
static struct config_tool tool_of(struct config_build *b, const struct config_built *s, const struct config_agent *a, const char *name)
{
    struct config_tool t = { .name = name, .section = section_named(b->c, name) };
    const char *fault;
    char path[4096];
    int n;

    if (t.section && t.section->url)
        return t;
    n = snprintf(path, sizeof path, "%s/%s.lua", a->tool_dir, name);
    fault = n < 0 || (size_t)n >= sizeof path ? "the path is too long" : config_file_fault(path);
    if (fault)
        config_key_problem(b, CONF_ERROR, s, "tools", "expected a file for the tool %s, came %.300s: %s", name, path, fault);
    t.path = config_text(b, text_of(path));
    return t;
}

static void check_list(struct config_build *b, const struct config_built *s, struct config_agent *a)
{
    struct config_tool *tools = config_take(b, a->tool_names.count * sizeof *tools + 1);
    size_t count = 0;

    if (!tools || !a->tool_dir)
        return;
    for (size_t i = 0; i < a->tool_names.count; i++) {
        const enum builtin built_in = builtin_of(text_of(a->tool_names.items[i]));

        if (built_in == BUILTIN_NONE)
            tools[count++] = tool_of(b, s, a, a->tool_names.items[i]);
        else
            a->built_in |= 1u << built_in;
    }
    a->tools = tools;
    a->tool_count = count;
}

/* ---- what the built-in ones may do ---- */

/* "sales: default,2001,1" */
static void read_target(struct config_build *b, const struct config_built *s, const char *line, struct config_target *out)
{
    struct text rest = text_of(line), name = TEXT_NONE;
    char came[80];

    text_cut(&rest, ':', &name);
    name = text_trim(name);
    if (!name.n || name.n >= BUILTIN_REASON_MAX || !text_is_one_line(name) || !rest.p || !config_place_read(b, rest, &out->place))
        config_key_problem(b, CONF_ERROR, s, "transfer", "expected NAME: context,extension,priority, came %s", config_quote(text_of(line), came, sizeof came));
    else
        out->name = config_text(b, name);
}

static void check_targets(struct config_build *b, const struct config_built *s, struct config_agent *a)
{
    struct config_target *targets = config_take(b, a->transfer.count * sizeof *targets + 1);

    for (size_t i = 0; targets && i < a->transfer.count; i++)
        read_target(b, s, a->transfer.items[i], &targets[i]);
    a->targets = targets;
    for (size_t i = 0; i < a->transfer_numbers.count; i++)
        if (!builtin_is_pattern(text_of(a->transfer_numbers.items[i])))
            config_key_problem(b, CONF_ERROR, s, "transfer_numbers", "expected digits, X, Z and N, came %.80s", a->transfer_numbers.items[i]);
    if (a->transfer_numbers.count > 0 && !a->transfer_context)
        config_key_problem(b, CONF_ERROR, s, "transfer_context", "expected the context of transfer_numbers, came none");
    if (a->transfer_numbers.count == 0 && a->transfer_context)
        config_key_problem(b, CONF_WARNING, s, "transfer_context", "has no effect without transfer_numbers");
}

static void check_others(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    for (size_t i = 0; i < a->variables.count; i++)
        if (!builtin_is_variable(text_of(a->variables.items[i])))
            config_key_problem(b, CONF_ERROR, s, "variables", "expected names of letters, digits and _ (not SIDETONE_...), came %.80s", a->variables.items[i]);
    if (a->variables.count > TALK_VARIABLES_MAX)
        config_key_problem(b, CONF_ERROR, s, "variables", "expected at most %d names", TALK_VARIABLES_MAX);
    for (size_t i = 0; i < a->switch_to.count; i++) {
        size_t k = 0;

        while (k < b->c->agent_count && strcmp(b->c->agents[k].head.name, a->switch_to.items[i]) != 0)
            k++;
        if (k == b->c->agent_count)
            config_key_problem(b, CONF_ERROR, s, "switch_to", "expected the name of an [agent NAME] section, came %.80s", a->switch_to.items[i]);
    }
}

/* A built-in tool without its rules could do nothing; rules without the tool mean nothing. */
static void check_pairs(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    const struct {
        enum builtin what;
        const char *key;
        bool has;
    } pairs[] = {
        { BUILTIN_TRANSFER, "transfer", a->transfer.count > 0 || a->transfer_numbers.count > 0 },
        { BUILTIN_SET_VARIABLE, "variables", a->variables.count > 0 },
        { BUILTIN_SWITCH_AGENT, "switch_to", a->switch_to.count > 0 },
    };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const bool is_listed = a->built_in & 1u << pairs[i].what;

        if (is_listed && !pairs[i].has)
            config_key_problem(b, CONF_ERROR, s, pairs[i].key, "expected a value, which the tool %s needs, came none", builtin_name(pairs[i].what));
        if (!is_listed && pairs[i].has)
            config_key_problem(b, CONF_WARNING, s, pairs[i].key, "has no effect without %s among tools", builtin_name(pairs[i].what));
    }
}

void config_tools_check(struct config_build *b, const struct config_built *s, struct config_agent *a)
{
    check_list(b, s, a);
    check_targets(b, s, a);
    check_others(b, s, a);
    check_pairs(b, s, a);
}

/* ---- [tool NAME] ---- */

static void check_url(struct config_build *b, const struct config_built *s, const struct config_tool_section *t)
{
    const struct text url = text_of(t->url), host = http_host_of(url);
    char came[80];

    if (!host.p)
        config_key_problem(b, CONF_ERROR, s, "url", "expected http://HOST/... or https://HOST/... with a host that is written out, came %s",
                           config_quote(url, came, sizeof came));
    else if (!http_host_is_granted(b->c->sidetone.http_hosts, host))
        config_key_problem(b, CONF_ERROR, s, "url", "expected a host of sidetone/http_hosts, came %s", config_quote(host, came, sizeof came));
    else if (config_is_written(s, "secret") && text_starts(url, TEXT("http://")) && !config_is_this_machine(host))
        config_key_problem(b, CONF_ERROR, s, "url", "expected https://, because the secret is sent there, came %s", config_quote(url, came, sizeof came));
}

void config_tool_check(struct config_build *b, const struct config_built *s, const struct config_tool_section *t)
{
    static const char *const of_http[] = { "method", "header", "secret", "body", "description", "parameters", "answer_size" };

    if (builtin_of(text_of(t->head.name)) != BUILTIN_NONE)
        config_key_problem(b, CONF_ERROR, s, "url", "expected another name than %s, which is built in", t->head.name);
    if (t->url)
        check_url(b, s, t);
    for (size_t i = 0; !t->url && !config_is_written(s, "url") && i < sizeof of_http / sizeof *of_http; i++)
        if (config_is_written(s, of_http[i]))
            config_key_problem(b, CONF_WARNING, s, of_http[i], "has no effect without url");
    if (t->url && t->body && t->method == CONFIG_GET)
        config_key_problem(b, CONF_WARNING, s, "body", "has no effect with method = get");
}
