/* Which kinds of agent there are. */
#include "app/agent_kind.h"

#include <stdio.h>

void agent_complain(const struct agent_complaint *to, const char *place, const char *message)
{
    char line[600];

    snprintf(line, sizeof line, "%s: agent %s: %s", place, to->agent, message);
    to->problem(line, to->arg);
}

const struct agent_kind *agent_kind_of(int provider)
{
    static const struct agent_kind *const kinds[] = {
        [CONFIG_PROVIDER_LOCAL] = &agent_kind_local,
        [CONFIG_PROVIDER_OPENAI] = &agent_kind_openai,
        [CONFIG_PROVIDER_ECHO] = &agent_kind_echo,
        [CONFIG_PROVIDER_RECORD] = &agent_kind_record,
    };

    return kinds[provider];
}
