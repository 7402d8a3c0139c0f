/* The parts of reading an agent file among themselves: agent_file.c knows the sections, agent_value.c values and problems. */
#pragma once

#include "ai/agent_file.h"
#include "base/arena.h"

enum {
    AGENT_MEMORY_MAX = 4 * 1024 * 1024,
    AGENT_SPOKEN_MAX = 600,         /* bytes; about 40 s of speech, and a conversation holds 60 s */
    AGENT_NAME_MAX = 64,
    AGENT_ARGS_MAX = 1000,
    AGENT_PHRASE_MAX = 120,         /* bytes; the recogniser hears at most 8 s */
    AGENT_PHRASES_MAX = 500,
    AGENT_INTENTS_MAX = 100,
    AGENT_PROBLEMS_MAX = 200,
    AGENT_MESSAGE_MAX = 400,
};

enum key_kind { KEY_SPOKEN, KEY_NAME, KEY_VOICE, KEY_MS, KEY_SCORE, KEY_BARGE_IN, KEY_ARGS, KEY_SAY, KEY_DIGIT, KEY_THEN };

struct agent_key {
    const char *name;
    enum key_kind kind;
    size_t at;                      /* offset in struct agent_file or agent_intent */
    const char *fallback;           /* text when the key is absent; NULL: stays absent */
    const char *mark;               /* the {mark} it may hold; "*": any; NULL: none */
    int64_t min, max;
};

struct agent_problem {
    struct conf_place place;
    char message[AGENT_MESSAGE_MAX];
};

struct phrase_place {
    struct text phrase;
    struct conf_place place;
};

struct agent_loader {
    const struct conf *conf;
    struct arena *mem;
    struct agent_file *a;
    struct agent_intent *intents;
    size_t intent_count;
    struct phrase_place phrases[AGENT_PHRASES_MAX];
    size_t phrase_count;
    const struct conf_section *agent_section;
    struct agent_problem problems[AGENT_PROBLEMS_MAX];
    size_t problem_count;
    bool failed, no_memory;
};

PRINTF_LIKE(3, 4) void agent_wrong(struct agent_loader *l, const struct conf_place *place, const char *fmt, ...);
PRINTF_LIKE(3, 4) void agent_warning(struct agent_loader *l, const struct conf_place *place, const char *fmt, ...);
void agent_problems_tell(struct agent_loader *l, agent_on_problem *problem, void *arg);
/* A copy that lives as long as the agent; absent, with no_memory set, when memory is short. */
struct text agent_keep(struct agent_loader *l, struct text t);
bool agent_is_name(struct text t);
/* Checks one item and sets what its key means. */
void agent_set(struct agent_loader *l, const struct agent_key *key, void *object, const struct conf_item *item);
void agent_set_say(struct agent_loader *l, struct text *phrases, size_t *count, const struct conf_item *item);
void agent_set_digit(struct agent_loader *l, struct agent_intent *in, const struct conf_item *item);
void agent_set_then(struct agent_loader *l, struct agent_intent *in, const struct conf_item *item);
