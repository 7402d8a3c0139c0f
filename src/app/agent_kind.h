/* What makes a provider out of an [agent] section: one entry for each `provider =`. Its file knows the provider; agents.c, call_talk.c and the rest
 * of the daemon do not. */
#pragma once

#include "ai/provider.h"
#include "ai/speech.h"
#include "app/config.h"
#include "base/log.h"
#include "net/dialer.h"
#include "net/loop.h"

struct agent_tools;

/* Where mistakes of one agent go: a line each. */
struct agent_complaint {
    const char *agent;
    void (*problem)(const char *line, void *arg);
    void *arg;
};
/* place: "FILE" or "FILE:LINE". */
void agent_complain(const struct agent_complaint *to, const char *place, const char *message);

struct agent_load {
    const struct config_agent *from;
    const struct agent_tools *tools;       /* read already; outlive the settings */
    const char *cache_dir;
    const struct agent_complaint *to;
};

/* What one loop gives to the providers that live on it. */
struct agent_ground {
    struct loop *loop;
    unsigned leg_hz;                       /* of the caller's leg */
    struct dialer *dialer;                 /* of services */
    struct synthesiser *voice;
    struct worker_pool *speech;
    const struct log *log;
};

/* Unless `barge_in =` says something else. voice: the provider hears it. */
struct agent_barge_in {
    bool voice, dtmf;
};

struct agent_kind {
    /* At start, once. *settings is immutable afterwards, and read by every loop. 0, -EINVAL (told), -ENOMEM. */
    int (*load)(void **settings, const struct agent_load *l);
    void (*free)(void *settings);          /* NULL passes */
    /* On a call loop. */
    int (*make)(struct provider **out, const void *settings, const struct agent_ground *g);
    /* NULL: both. */
    struct agent_barge_in (*barge_in)(const void *settings);
    bool is_embedded;                      /* no service that may be late or fail: no phrases unless written */
};

/* provider: enum config_provider. */
const struct agent_kind *agent_kind_of(int provider);
extern const struct agent_kind agent_kind_local;
extern const struct agent_kind agent_kind_openai;
extern const struct agent_kind agent_kind_deepgram;
extern const struct agent_kind agent_kind_pipeline;
extern const struct agent_kind agent_kind_echo;
extern const struct agent_kind agent_kind_record;

struct agent_file;
struct grammar;
/* The agent's file and the grammar made of it. 0; errors are told. Whatever is in *file and *grammar then, is the caller's. */
int agent_grammar_load(struct agent_file **file, struct grammar **grammar, const struct agent_load *l) MUST_USE;
/* For kinds. NULL stays NULL; 0 or -ENOMEM. */
int agent_text_copy(char **out, const char *from) MUST_USE;
/* The file of `instructions`, as text; NULL without one. 0, -EINVAL (told), -ENOMEM. */
int agent_instructions_read(char **out, const struct agent_load *l) MUST_USE;
