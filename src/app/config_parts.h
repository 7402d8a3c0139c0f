/* What the files of the configuration share among themselves: nobody else includes this. */
#pragma once

#include "app/config.h"
#include "base/arena.h"

enum config_type {
    CONFIG_TEXT,      /* const char *: one line */
    CONFIG_NAME,      /* const char *: [A-Za-z0-9._-]+ */
    CONFIG_PATH,      /* const char *: made absolute */
    CONFIG_DURATION,  /* int64_t, milliseconds */
    CONFIG_COUNT,     /* int64_t; 0 for "auto" where that is allowed */
    CONFIG_BYTES,     /* int64_t */
    CONFIG_BOOL,      /* bool */
    CONFIG_ADDRESS,   /* struct address: numeric host and port to listen on */
    CONFIG_PEER,      /* const char *: host:port, the host may be a name */
    CONFIG_URL,       /* const char *: http:// or https:// */
    CONFIG_AMI_URL,   /* const char *: tcp://host:port or tls://host:port */
    CONFIG_SECRET,    /* struct secret */
    CONFIG_ENUM,      /* int: index into choices */
    CONFIG_LIST,      /* struct config_list: names, separated by commas */
    CONFIG_LINES,     /* struct config_list: one text a line, the key is repeated */
};

enum config_wants { CONFIG_WANTS_NOTHING, CONFIG_WANTS_FILE };

struct config_key {
    const char *name;
    enum config_type type;
    size_t offset;                  /* of the value in the section's struct */
    const char *standard;           /* the default, as one would write it; NULL: none */
    const char *standard_help;      /* what happens without it, when there is no default to write */
    const char *example;            /* for the sample file, where there is no default */
    bool is_required, may_be_auto, reloads;
    int64_t min, max;               /* CONFIG_DURATION, CONFIG_COUNT, CONFIG_BYTES */
    const char *const *choices;     /* CONFIG_ENUM; NULL ends it */
    const char *base;               /* CONFIG_PATH: folder beside the configuration file that a relative path starts in */
    enum config_wants wants;        /* CONFIG_PATH */
    const char *more;               /* CONFIG_LIST: characters of a name beside letters and digits; NULL: "_-" */
    const char *help;               /* one sentence */
};

enum { CONFIG_KEYS_MAX = 64, CONFIG_NAMED_MAX = 256, CONFIG_PROBLEMS_MAX = 500, CONFIG_MEMORY_MAX = 64 << 20 };

enum config_kind_id {
    CONFIG_KIND_SIDETONE, CONFIG_KIND_FASTAGI, CONFIG_KIND_AUDIOSOCKET, CONFIG_KIND_RTP, CONFIG_KIND_WEBSOCKET, CONFIG_KIND_CONSOLE, CONFIG_KIND_TAP, CONFIG_KIND_NODE, CONFIG_KIND_ROUTE,
    CONFIG_KIND_AGENT, CONFIG_KIND_TOOL, CONFIG_KIND_SINK,
    CONFIG_KIND_COUNT
};

struct config_kind {
    const char *name;
    bool is_named;                  /* [name NAME], any number of them */
    const char *example_name;
    const char *help;
    const struct config_key *keys;
    size_t key_count;
    size_t size;                    /* of the section's struct */
    size_t offset;                  /* in struct config: of the struct itself, or of the pointer to the array when named */
    size_t count_offset;            /* in struct config, when named */
};

extern const struct config_kind config_kinds[CONFIG_KIND_COUNT];

const char *config_type_name(enum config_type t);
/* The field's value as one would write it, into out; secrets as ***. False: not set. */
bool config_value_text(const struct config_key *key, const void *section, char *out, size_t size);
/* The i-th section of a kind; NULL past the end. */
const void *config_section(const struct config *c, const struct config_kind *kind, size_t i);
void config_duration_text(int64_t ms, char *out, size_t size);

/* One section of the file on its way to a struct. */
struct config_built {
    const struct config_kind *kind;
    void *value;                                    /* the typed struct */
    const struct conf_section *section;             /* NULL: not written */
    const struct conf_item *items[CONFIG_KEYS_MAX]; /* the one that counts, by key index; NULL: not written */
    const char *title;                              /* "node pbx1" */
};

/* What is under way. */
struct config_build {
    struct config *c;
    struct arena *arena;            /* of the snapshot */
    struct conf *conf;
    const char *both_name;          /* of the text that includes the files: no file that a reader knows */
    unsigned flags;
    struct config_built *sections;
    size_t section_count;
    struct config_problem *problems;
    size_t problem_count, error_count, problems_lost;
    int err;                        /* -ENOMEM; sticky */
};

/* Notes one problem at a place (NULL: the whole file). where may be NULL. */
void config_problem(struct config_build *b, enum conf_severity severity, const struct conf_place *place, const char *where,
                    const char *fmt, ...) PRINTF_LIKE(5, 6);
/* For a key of a section: at its line when it is written, at the section's otherwise. */
void config_key_problem(struct config_build *b, enum conf_severity severity, const struct config_built *s, const char *key,
                        const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Memory of the snapshot; NULL sets b->err. */
void *config_take(struct config_build *b, size_t n);
const char *config_text(struct config_build *b, struct text t);
/* A value from outside, fit for one line of a message: at most 60 bytes, quoted. */
const char *config_quote(struct text t, char *out, size_t size);
/* Path relative to directory/base, absolute ones as they are. NULL: no memory. */
const char *config_path(struct config_build *b, const char *base, struct text path);
/* NULL when a regular readable file is there, otherwise why not. */
const char *config_file_fault(const char *path);

/* config_sections.c: fills b->sections (room for all is there) and the structs of the snapshot. */
void config_sections_read(struct config_build *b);
/* config_value.c: reads one value into its field; on a fault notes the problem. */
void config_value_read(struct config_build *b, const struct config_built *s, const struct config_key *key, struct text value);
/* config_scripts.c: handler or script, and what belongs to a script. s: the route's section. */
struct script_env;
void config_route_check(struct config_build *b, const struct config_built *s, struct config_route *r, const struct script_env *env);
/* config_check.c: what concerns more than one key. */
void config_check(struct config_build *b);
/* config_talk.c: how an agent talks, and who follows when it fails. s: the section. */
void config_talk_check(struct config_build *b, const struct config_built *s, struct config_agent *a);
/* config_pipeline.c: the three parts of an agent with provider = pipeline. s: the section. */
void config_pipeline_check(struct config_build *b, const struct config_built *s, const struct config_agent *a);
/* config_tap.c: the manager sessions of a node, and the sinks. s: the section. */
void config_node_check_ami(struct config_build *b, const struct config_built *s, struct config_node *n);
void config_sink_check(struct config_build *b, const struct config_built *s, const struct config_sink *k);
/* config_tools.c: the tools of an agent, what the built-in ones may do, and a [tool NAME] section. */
void config_tools_check(struct config_build *b, const struct config_built *s, struct config_agent *a);
void config_tool_check(struct config_build *b, const struct config_built *s, const struct config_tool_section *t);
/* "context,extension,priority". False: it is not. */
bool config_place_read(struct config_build *b, struct text written, struct config_fallback *out);
/* True when the key stands in the file. */
bool config_is_written(const struct config_built *s, const char *key);
