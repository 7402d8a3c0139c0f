/* The agents that the configuration names, loaded and checked: file, grammar, tools. Built once, read by every call loop. */
#pragma once

#include "app/agent_kind.h"
#include "app/agent_manner.h"
#include "app/agent_tools.h"
#include "app/config.h"
#include "call/stasis.h"

struct agent {
    char *name;
    const struct agent_kind *kind;
    void *settings;                /* the kind's */
    struct talk_manner manner;
    struct agent_tools tools;      /* the allow-list: an intent that names another tool is refused at load */
    int64_t max_ms;
    char *fallback[3];             /* context, extension, priority; NULL: none */
    enum stasis_media media[STASIS_MEDIA_COUNT]; /* the first choice first */
    size_t media_count;
    int next;                      /* index of who takes over when it fails; -1: nobody */
};

struct agents;

/* Every mistake goes to problem as one line, then -EINVAL. cache_dir: for cut dictionaries. */
int agents_load(struct agents **out, const struct config *config, const char *cache_dir,
                void (*problem)(const char *line, void *arg), void *arg) MUST_USE;
void agents_free(struct agents *a);
size_t agents_count(const struct agents *a);
const struct agent *agents_at(const struct agents *a, size_t i);
/* Index of the agent of that name, or -1. */
int agents_find(const struct agents *a, struct text name);
