/* One job: check how an agent talks, beside who it is: who follows when it fails. */
#include <string.h>

#include "app/config_parts.h"

static const struct config_agent *agent_named(const struct config *c, const char *name)
{
    for (size_t i = 0; i < c->agent_count; i++)
        if (!strcmp(c->agents[i].head.name, name))
            return &c->agents[i];
    return NULL;
}

/* Each agent has one successor at most. A circle is told once: at the first of its agents. */
static bool is_in_circle(const struct config *c, const struct config_agent *a)
{
    const struct config_agent *at = a;

    for (size_t i = 0; i < c->agent_count && at && at->next; i++) {
        at = agent_named(c, at->next);
        if (at <= a)
            return at == a;
    }
    return false;
}

static void check_next(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    if (!a->next)
        return;
    if (!agent_named(b->c, a->next))
        config_key_problem(b, CONF_ERROR, s, "next", "expected the name of an [agent NAME] section, came \"%s\"", a->next);
    else if (is_in_circle(b->c, a))
        config_key_problem(b, CONF_ERROR, s, "next", "expected an agent that does not lead back to this one, came \"%s\"", a->next);
}

void config_talk_check(struct config_build *b, const struct config_built *s, const struct config_agent *a)
{
    check_next(b, s, a);
}
