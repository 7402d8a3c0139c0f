/* The provider interface: calls go to the implementation's table. */
#include "ai/provider.h"

const char *provider_error_name(enum provider_error e)
{
    static const char *const names[] = {
        [PROVIDER_AUTH] = "auth", [PROVIDER_QUOTA] = "quota",   [PROVIDER_RATE] = "rate",       [PROVIDER_CONFIG] = "config",
        [PROVIDER_NET] = "net",   [PROVIDER_SERVER] = "server", [PROVIDER_EXPIRED] = "expired",
    };

    return (unsigned)e < sizeof names / sizeof names[0] ? names[e] : "unknown";
}

void provider_remember(struct provider *p, const struct talk_words *before)
{
    if (p->ops->remember)
        p->ops->remember(p, before);
}

void provider_start(struct provider *p, const struct provider_handlers *on, void *arg)
{
    p->on = on;
    p->arg = arg;
    p->ops->start(p);
}

void provider_hear(struct provider *p, const int16_t *pcm, size_t n, int64_t at_us)
{
    p->ops->hear(p, pcm, n, at_us);
}

void provider_digit(struct provider *p, char digit)
{
    p->ops->digit(p, digit);
}

void provider_interrupted(struct provider *p, uint32_t item, unsigned played_ms)
{
    p->ops->interrupted(p, item, played_ms);
}

void provider_heard(struct provider *p, uint32_t item)
{
    p->ops->heard(p, item);
}

void provider_tool_result(struct provider *p, uint32_t id, int err, struct text result)
{
    p->ops->tool_result(p, id, err, result);
}

bool provider_farewell(struct provider *p, uint32_t id)
{
    return p->ops->farewell && p->ops->farewell(p, id);
}

void provider_close(struct provider *p)
{
    p->ops->close(p);
}
