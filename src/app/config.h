/* The daemon's configuration: an immutable snapshot of typed values, built whole or not at all.
 * Thread: any may read a snapshot; building and freeing belong to one. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "app/secret.h"
#include "base/err.h"
#include "base/log.h"
#include "call/builtin.h"
#include "net/listener.h"
#include "wire/conf.h"

#define CONFIG_DEFAULT_PATH "/etc/sidetone/sidetone.conf"

/* Where a section was written. file is NULL for one that only has defaults. */
struct config_head {
    const char *name;               /* of [node NAME], [route NAME], [agent NAME]; "" for the others */
    const char *file;
    unsigned line;
};

struct config_list {
    const char *const *items;
    size_t count;
};

struct config_sidetone {
    struct config_head head;
    const char *state_dir;          /* absolute */
    const char *http_hosts;         /* NULL: none */
    const char *ca;                 /* of services; NULL: the system's authorities */
    int64_t workers;                /* call loops; 0: one per core */
    int64_t speech_threads;         /* 0: one per core */
    int64_t keep_recordings_ms;     /* 0: for ever */
    int log_level;                  /* enum log_level */
};

struct config_fastagi {
    struct config_head head;
    struct address listen;
    int64_t sessions_max;           /* all call loops together */
    int64_t linger_ms;
    int64_t env_ms;                 /* environment complete within */
    const char *allow_text;         /* as written; NULL: everybody may connect */
    struct allow_list allow;
    const char *asterisk_conf;      /* absolute */
    const char *agi_dir, *script_cwd; /* absolute; NULL: as asterisk_conf says */
    struct config_list pass_env;
};

enum config_accept { CONFIG_ACCEPT_ANNOUNCED, CONFIG_ACCEPT_ANY };

struct config_audiosocket {
    struct config_head head;
    struct address listen;
    const char *advertise;          /* host:port that Asterisk connects to; never NULL */
    int format;                     /* index into config_audiosocket_hz */
    int accept;                     /* enum config_accept */
    const char *agent;              /* of unannounced calls; NULL: none */
    const char *allow_text;         /* as written */
    struct allow_list allow;        /* who may bring those */
    int64_t calls_max;              /* of those */
};
extern const unsigned config_audiosocket_hz[];

enum config_opened_by { CONFIG_BY_SIDETONE, CONFIG_BY_ASTERISK };

struct config_websocket {
    struct config_head head;
    int opened_by;                  /* enum config_opened_by */
    struct address listen;          /* when Asterisk opens it */
    const char *client;             /* the same: section of websocket_client.conf */
    int format;                     /* enum leg_websocket_format */
};

struct config_rtp {
    struct config_head head;
    struct address listen;          /* numeric host, first port */
    int64_t ports;                  /* how many from there */
    int format;                     /* enum leg_rtp_format */
};

struct config_console {
    struct config_head head;
    struct address listen;          /* host "": no console */
};

/* dialplan place; context NULL: none */
struct config_fallback {
    const char *context, *extension, *priority; /* priority: a number or a label */
};

enum config_on_full { CONFIG_FULL_BUSY, CONFIG_FULL_FALLBACK };

enum config_mask { CONFIG_MASK_NONE, CONFIG_MASK_NUMBERS };
enum config_sandbox { CONFIG_SANDBOX_OFF, CONFIG_SANDBOX_BASIC, CONFIG_SANDBOX_STRICT };
enum config_start { CONFIG_START_PROCESS, CONFIG_START_FORK };
enum { CONFIG_SCRIPT_DEADLINE_MS = 3600000 }; /* of a script's route that names none: an IVR is no look-up */

struct config_route {
    struct config_head head;
    const char *handler;            /* absolute path; NULL: script is set */
    const char *script;             /* absolute path; NULL: handler is set */
    const char *script_text;        /* as written */
    const char *args;               /* NULL: those of recent calls */
    int start;                      /* enum config_start */
    const char *preload;            /* modules, separated by commas; NULL: none */
    int64_t warm, warm_max_age_ms;
    int64_t memory_bytes, cpu_seconds, open_files, processes; /* 0: as the daemon's */
    const char *user;               /* NULL: the daemon's */
    int sandbox;                    /* enum config_sandbox */
    const char *read_text, *write_text;
    struct config_list read, write; /* absolute paths */
    int64_t deadline_ms, idle_ms;
    int64_t max;                    /* sessions at a time; 0: no ceiling of its own */
    int64_t queue, queue_wait_ms;   /* that may wait for one of max */
    int on_full;                    /* enum config_on_full */
    const char *http_hosts;         /* NULL: those of the daemon */
    const char *fallback_text;      /* as written; NULL: none */
    struct config_fallback fallback;
    bool record;
    int64_t record_max;
    int record_mask;                /* enum config_mask */
    const char *shadow;             /* absolute path; NULL: none */
};

struct config_node {
    struct config_head head;
    const char *ari;                /* http:// or https://, no trailing slash; NULL: none */
    struct address ari_listen;      /* where Asterisk opens its connection to us; host "": we open it */
    bool ari_per_call;
    int ari_rest;                   /* enum ari_rest */
    bool broadcast;
    const char *ari_user;
    struct secret ari_secret;
    const char *app;
    const char *ami;                /* tcp:// or tls://; NULL: none */
    const char *ami_user;           /* the tap's; NULL: no tap */
    struct secret ami_secret;
    const char *control_user;       /* for actions; NULL: none */
    struct secret control_secret;
    bool asyncagi;
    bool tap;                       /* after the check: a tap is wanted, and can be had */
    const char *ami_events;         /* NULL: all that the user may read */
    struct config_list ami_filters;
    const char *ami_pin;            /* NULL: none */
    bool ami_plain;
    const char *ca;                 /* absolute path; NULL: the system's */
    bool insecure;
    int64_t calls_max;
    const char *default_agent;      /* names one of agents; NULL: none */
};

/* config_value.c. By number or as localhost, not a name that begins so; with or without a port. */
bool config_is_this_machine(struct text host);
/* Likewise the host of "scheme://HOST[:PORT][/...]"; NULL and what is no such address are not. */
bool config_url_is_this_machine(const char *url);

/* Calls in Stasis: wanted, whoever opens the connection. */
static inline bool config_node_has_ari(const struct config_node *n)
{
    return n->ari || n->ari_listen.host[0];
}

struct config_tap {
    struct config_head head;
    bool events;                    /* keep them, not only the facts */
    int64_t keep_age_ms, keep_bytes;    /* 0: no limit */
    int64_t queue_events, queue_bytes;
    int64_t hold_ms;
};

enum config_carry { CONFIG_CARRY_FACTS, CONFIG_CARRY_EVENTS, CONFIG_CARRY_BOTH };

struct config_sink {
    struct config_head head;
    int driver;                     /* index into config_drivers */
    int carry;                      /* enum config_carry */
    struct config_list kinds;
    const char *url, *user;
    struct secret secret;
    const char *file;
    int64_t rotate_bytes;
    const char *subject, *stream;
    const char *template_file;      /* absolute path */
    struct secret hmac_secret;
    const char *table_prefix, *ca;
    bool insecure;
    int64_t deadline_ms;
};
extern const char *const config_drivers[];

enum config_provider {
    CONFIG_PROVIDER_LOCAL,
    CONFIG_PROVIDER_OPENAI,
    CONFIG_PROVIDER_DEEPGRAM,
    CONFIG_PROVIDER_PIPELINE,
    CONFIG_PROVIDER_ECHO,
    CONFIG_PROVIDER_RECORD,
};
extern const char *const config_providers[];

enum config_stt { CONFIG_STT_LOCAL, CONFIG_STT_OPENAI, CONFIG_STT_DEEPGRAM, CONFIG_STT_FLUX };
enum config_tts { CONFIG_TTS_LOCAL, CONFIG_TTS_OPENAI, CONFIG_TTS_DEEPGRAM };

enum config_method { CONFIG_GET, CONFIG_POST, CONFIG_PUT, CONFIG_DELETE };

/* [tool NAME] */
struct config_tool_section {
    struct config_head head;
    const char *url;                /* with {argument} in it; NULL: NAME is a Lua file */
    int method;                     /* enum config_method */
    struct config_list headers;     /* lines, {secret} in them */
    struct secret secret;
    const char *body, *description;
    const char *parameters;         /* JSON, or the path of a file with it */
    int64_t deadline_ms, answer_bytes;
};

struct config_tool {
    const char *name;
    const char *path;               /* absolute path of a Lua file; NULL: section has a url */
    const struct config_tool_section *section; /* NULL: none */
};

struct config_target {
    const char *name;
    struct config_fallback place;
};

/* Of an agent with provider = pipeline: who listens and who speaks; the model is the agent's own url, key, model. */
struct config_pipeline {
    int stt;                        /* enum config_stt */
    const char *stt_url, *stt_model, *language; /* NULL: the service's own, the usual, the service's own */
    struct secret stt_key;
    struct config_list keyterms;
    int64_t max_tokens;
    int tts;                        /* enum config_tts */
    const char *tts_url, *tts_model; /* NULL: the service's own, the usual */
    struct secret tts_key;
    const char *voice_fallback;     /* NULL: none */
};

struct config_agent {
    struct config_head head;
    int provider;                   /* enum config_provider */
    const char *file;               /* absolute path; NULL unless the embedded recogniser listens */
    struct secret key;
    const char *url;                /* NULL: the service's own */
    const char *model, *voice, *greeting; /* NULL: the service's usual; of greeting: none */
    const char *listen_model, *think_provider; /* NULL: the usual */
    const char *instructions;       /* absolute path; NULL: none */
    const char *transcribe;         /* "none": nobody */
    int audio;                      /* enum openai_audio, enum deepgram_audio */
    int64_t silence_ms;
    struct config_pipeline pipeline;
    unsigned built_in;              /* bits 1 << enum builtin: named among the tools; not in `tools`, for they have no file */
    struct config_list tool_names;
    const char *tool_dir;           /* absolute */
    const struct config_tool *tools;
    size_t tool_count;
    struct config_list transfer;    /* as written */
    const struct config_target *targets; /* of each of them */
    struct config_list transfer_numbers; /* patterns */
    const char *transfer_context;   /* of these; NULL: none */
    struct config_list variables, switch_to; /* names */
    int mask;                       /* enum config_mask, of arguments in the timeline */
    int64_t max_duration_ms;
    const char *fallback_text;      /* as written; NULL: none */
    struct config_fallback fallback;
    struct config_list media;       /* names, checked; none: audiosocket */
    struct config_list barge_in;    /* provider, voice, dtmf, or none; checked; empty: the provider's usual */
    int64_t barge_in_after_ms;
    const char *phrase_voice;
    const char *sorry, *give_up, *filler, *no_input; /* words, the absolute path of a WAV file, or "none"; NULL: the usual */
    int64_t sorry_after_ms, filler_after_ms, no_input_after_ms, no_input_times;
    bool recording, transcript;
    const char *next;               /* names another of agents, never in a circle; NULL: none */
};

struct config {
    const char *path;               /* of the root file, as given */
    const char *directory;          /* where it lies, absolute */
    const char *store_path;         /* the embedded store: state_dir/sidetone.db */
    const char *admin_path;         /* the admin socket: state_dir/admin.sock */
    const char *recordings_dir;     /* of talks: state_dir/recordings */
    const char *journal_path;       /* what the tap saw: state_dir/tap.db */
    struct config_sidetone sidetone;
    struct config_fastagi fastagi;
    struct config_audiosocket audiosocket;
    struct config_rtp rtp;
    struct config_websocket websocket;
    struct config_console console;
    struct config_tap tap;
    struct config_node *nodes;
    size_t node_count;
    struct config_route *routes;
    size_t route_count;
    struct config_agent *agents;
    size_t agent_count;
    struct config_tool_section *tools;
    size_t tool_count;
    struct config_sink *sinks;
    size_t sink_count;
    void *memory;                   /* internal */
};

struct config_problem {
    const char *file;
    unsigned line;                  /* 0: about the file as a whole */
    const char *where;              /* "section/key", "section" or "" */
    enum conf_severity severity;
    const char *message;            /* what was expected and what came; never any part of a secret */
};
typedef void config_on_problem(const struct config_problem *p, void *arg);

enum config_flags {
    CONFIG_SKIP_SECRETS = 1,        /* check their form, but do not look them up: for tools that need none */
    CONFIG_SOME_SECRETS = 2,        /* one that cannot be had is a warning, and not set: for tools that look at what there is */
};

/* Reads path (NULL: CONFIG_DEFAULT_PATH), and sidetone.d/ *.conf beside it in order of name; templates and [x](+) reach across files.
 * Every mistake is told by on_problem, in order of file and line. 0 (warnings may have been told), -EINVAL, -ENOENT and the like
 * when the root file cannot be read (told as well), -ENOMEM. */
int config_load(struct config **out, const char *path, unsigned flags, config_on_problem *on_problem, void *arg) MUST_USE;
/* Of a pipeline: the key that its ears and its voice are given. A key goes only where it was meant to: to the service that it was written for, or
 * to another part at the same one. NULL: none. */
const char *config_stt_key(const struct config_agent *a);
const char *config_tts_key(const struct config_agent *a);
void config_free(struct config *c); /* NULL passes; wipes secrets */

/* A whole file to begin with: every key with its help, commented out at its default. */
void config_sample(FILE *out);
/* The option list of sidetone.conf(5), in scdoc's language. */
void config_keys_print(FILE *out);
/* Effective values as a configuration file; secrets as ***. */
void config_show(const struct config *c, FILE *out);
