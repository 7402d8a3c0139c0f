/* Loads the configured agents and refuses what would fail in the middle of a call. */
#include "app/agents.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct agents {
    struct agent *all;
    struct phrases *ready;         /* of all manners */
    size_t count;
};

static int copy_fallback(struct agent *a, const struct config_fallback *from)
{
    const char *const parts[] = { from->context, from->extension, from->priority };

    for (size_t i = 0; from->context && i < 3; i++) {
        a->fallback[i] = strdup(parts[i]);
        if (!a->fallback[i])
            return -ENOMEM;
    }
    return 0;
}

static enum stasis_media media_of(const char *name)
{
    if (strcmp(name, "rtp") == 0)
        return STASIS_RTP;
    return strcmp(name, "websocket") == 0 ? STASIS_WEBSOCKET : STASIS_AUDIOSOCKET;
}

/* Checked by config_check: known names, each once. */
static void copy_media(struct agent *a, const struct config_agent *from)
{
    for (size_t i = 0; i < from->media.count && i < STASIS_MEDIA_COUNT; i++)
        a->media[a->media_count++] = media_of(from->media.items[i]);
    if (a->media_count == 0)
        a->media[a->media_count++] = STASIS_AUDIOSOCKET;
}

static int load_one(struct agent *a, const struct config_agent *from, struct phrases *ready, const char *cache_dir, const struct agent_complaint *to)
{
    const struct agent_load l = { .from = from, .tools = &a->tools, .cache_dir = cache_dir, .to = to };
    int err = agent_tools_read(&a->tools, from, to);

    if (err)
        return err;
    a->name = strdup(from->head.name);
    a->max_ms = from->max_duration_ms;
    copy_media(a, from);
    if (!a->name || copy_fallback(a, &from->fallback))
        return -ENOMEM;
    a->kind = agent_kind_of(from->provider);
    err = a->kind->load(&a->settings, &l);
    if (err)
        return err;
    return agent_manner_read(&a->manner, ready, from, a->kind,
                             a->kind->barge_in ? a->kind->barge_in(a->settings) : (struct agent_barge_in){ .voice = true, .dtmf = true }, to);
}

/* Checked by config_check: all names are there, and no way leads back. */
static void link_next(struct agents *as, const struct config *config)
{
    for (size_t i = 0; i < as->count; i++)
        as->all[i].next = config->agents[i].next ? agents_find(as, text_of(config->agents[i].next)) : -1;
}

int agents_load(struct agents **out, const struct config *config, const char *cache_dir,
                void (*problem)(const char *line, void *arg), void *arg)
{
    struct agents *as = calloc(1, sizeof *as);
    int worst = 0;

    if (!as)
        return -ENOMEM;
    as->all = calloc(config->agent_count + 1, sizeof *as->all);
    if (!as->all || phrases_new(&as->ready))
        worst = -ENOMEM;
    for (size_t i = 0; as->ready && i < config->agent_count; i++) {
        const struct config_agent *from = &config->agents[i];
        const struct agent_complaint to = { .agent = from->head.name, .problem = problem, .arg = arg };
        const int err = load_one(&as->all[as->count++], from, as->ready, cache_dir, &to);

        if (err)
            worst = err;
    }
    if (worst) {
        agents_free(as);
        return worst == -ENOMEM ? -ENOMEM : -EINVAL;
    }
    link_next(as, config);
    *out = as;
    return 0;
}

static void free_one(struct agent *a)
{
    if (a->kind)
        a->kind->free(a->settings);
    agent_tools_free(&a->tools);
    free(a->name);
    for (size_t i = 0; i < 3; i++)
        free(a->fallback[i]);
}

void agents_free(struct agents *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->count; i++)
        free_one(&a->all[i]);
    phrases_free(a->ready);
    free(a->all);
    free(a);
}

size_t agents_count(const struct agents *a)
{
    return a->count;
}

const struct agent *agents_at(const struct agents *a, size_t i)
{
    return &a->all[i];
}

int agents_find(const struct agents *a, struct text name)
{
    for (size_t i = 0; i < a->count; i++)
        if (text_eq(text_of(a->all[i].name), name))
            return (int)i;
    return -1;
}
