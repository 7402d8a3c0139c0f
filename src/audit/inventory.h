/* Every place of a dialplan where AGI is used, and what each script does, as far as its source says. Scripts are read, never run.
 * Memory is the audit's. Thread: the audit's. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan.h"

enum inventory_kind { INVENTORY_AGI, INVENTORY_EAGI, INVENTORY_DEADAGI, INVENTORY_FASTAGI, INVENTORY_ASYNCAGI };
enum inventory_language {
    INVENTORY_UNKNOWN, INVENTORY_PYTHON, INVENTORY_PERL, INVENTORY_PHP, INVENTORY_SHELL, INVENTORY_LUA, INVENTORY_RUBY, INVENTORY_JAVASCRIPT,
    INVENTORY_C, INVENTORY_BINARY
};
enum inventory_class {
    INVENTORY_CLASS_UNKNOWN, INVENTORY_LOOKUP, INVENTORY_ROUTING, INVENTORY_MENU, INVENTORY_DNC, INVENTORY_RECORDING, INVENTORY_CONVERSATION
};
enum inventory_risk { INVENTORY_RISK_LOW, INVENTORY_RISK_MIDDLE, INVENTORY_RISK_HIGH };
enum inventory_advice { INVENTORY_KEEP, INVENTORY_HOST, INVENTORY_REWRITE, INVENTORY_STASIS };

enum inventory_trait {             /* bits */
    INVENTORY_DATABASE = 1, INVENTORY_HTTP = 2, INVENTORY_FILES = 4, INVENTORY_SYSTEM = 8, INVENTORY_AUDIO_FD3 = 16, INVENTORY_LOOP = 32,
    INVENTORY_SPEECH = 64, INVENTORY_ORIGINATE = 128, INVENTORY_SECRET = 256, INVENTORY_SLEEP = 512
};

struct inventory_name {            /* of a command, a variable */
    struct text name;
    unsigned line, count;          /* first line that has it */
};

struct inventory_names {
    struct inventory_name *items;
    size_t count, room;
};

struct inventory_script {
    const char *path;              /* as opened */
    int err;                       /* 0: read. -ENOENT, -EACCES...: then only the name is known */
    enum inventory_language language;
    const char *source;            /* of a binary: the C file beside it that was read; NULL */
    size_t lines;
    struct inventory_names commands, reads, sets; /* AGI commands; channel variables */
    unsigned traits;               /* enum inventory_trait */
    unsigned trait_lines[10];      /* first line of each bit */
    unsigned joins_sql, joins_shell; /* lines where SQL, a command for the shell, are put together from variables; 0: nowhere */
    enum inventory_class class;
    enum inventory_risk risk;
    const char *risk_reason;
    enum inventory_advice advice;
    const char *reason;            /* one sentence */
};

struct inventory_use {
    const struct dialplan_step *step;
    struct conf_place place;
    enum inventory_kind kind;
    struct text target, args;      /* as written: file or URL; the rest */
    bool is_dynamic;               /* ${} in the target */
    size_t script_index;           /* of the inventory's; only with a script */
    const struct inventory_script *script; /* NULL: FastAGI, AsyncAGI, dynamic */
    const struct dialplan_context *const *reached_from; /* contexts that outsiders or phones enter by, from which calls come here */
    size_t reached_count;
    enum inventory_advice advice;
    const char *reason;
};

struct inventory {
    struct inventory_use *uses;    /* by place */
    size_t use_count, use_room;
    struct inventory_script *scripts; /* each file once, by path */
    size_t script_count, script_room;
};

/* Made once for an audit: what the first call gave is given again. agi_dir: NULL = astagidir of asterisk.conf, else /usr/share/asterisk/agi-bin. 0 or -ENOMEM. */
int inventory_make(struct inventory **out, struct audit *a, const char *agi_dir) MUST_USE;
const char *inventory_kind_name(enum inventory_kind k);
const char *inventory_language_name(enum inventory_language l);
const char *inventory_class_name(enum inventory_class c);
const char *inventory_risk_name(enum inventory_risk r);
const char *inventory_advice_name(enum inventory_advice a);
const char *inventory_trait_name(size_t bit); /* NULL behind the last */
