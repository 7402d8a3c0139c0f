/* Which kinds of agent there are. */
#include "app/agent_kind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/agent_tools.h"

enum { INSTRUCTIONS_MAX = 64 * 1024 };

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
        [CONFIG_PROVIDER_DEEPGRAM] = &agent_kind_deepgram,
        [CONFIG_PROVIDER_PIPELINE] = &agent_kind_pipeline,
        [CONFIG_PROVIDER_ECHO] = &agent_kind_echo,
        [CONFIG_PROVIDER_RECORD] = &agent_kind_record,
    };

    return kinds[provider];
}

int agent_text_copy(char **out, const char *from)
{
    *out = from ? strdup(from) : NULL;
    return from && !*out ? -ENOMEM : 0;
}

int agent_instructions_read(char **out, const struct agent_load *l)
{
    int err;

    if (!l->from->instructions)
        return 0;
    err = agent_text_read(l->from->instructions, INSTRUCTIONS_MAX, out);
    if (!err || err == -ENOMEM)
        return err;
    agent_complain(l->to, l->from->instructions, err == -EFBIG ? "more than 64 KiB of instructions" : err_text(err));
    return -EINVAL;
}
