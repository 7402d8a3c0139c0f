/* What an Asterisk configuration says and what can go wrong with it: the files, read; the dialplan made of them; and what the rules found.
 * Reads files only; runs nothing. Thread: one; nothing global. Memory of everything here is the audit's, until audit_free. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "wire/conf.h"

struct audit;
struct dialplan;
struct inventory;
struct live_differences;
struct taint_world;

/* Files that rules look at. Each is optional in a folder; realtime (extconfig.conf) may stand in for any of them. */
enum audit_file {
    AUDIT_EXTENSIONS, AUDIT_MANAGER, AUDIT_ARI, AUDIT_HTTP, AUDIT_ASTERISK, AUDIT_MODULES, AUDIT_PJSIP, AUDIT_QUEUES, AUDIT_RTP,
    AUDIT_CDR, AUDIT_CEL, AUDIT_USERS, AUDIT_FEATURES, AUDIT_LOGGER, AUDIT_VOICEMAIL, AUDIT_WEBSOCKET_CLIENT, AUDIT_IAX, AUDIT_EXTCONFIG, AUDIT_FUNC_ODBC,
    AUDIT_LIVE,                    /* not Asterisk's: what `audit --live` was told, put beside the files */
    AUDIT_AGES,                    /* likewise: how old files and secrets are; see ages.h */
    AUDIT_FILE_COUNT
};

enum audit_severity { AUDIT_NOTE, AUDIT_WARNING, AUDIT_ERROR };

/* One station of a way that a finding shows: how a value or a call gets there. */
struct audit_step {
    struct conf_place place;
    const char *text;
};

struct audit_rule_example {
    const char *file;              /* "extensions.conf" */
    const char *text;              /* a line ";; file NAME" begins another file of the folder */
    bool is_bad;                   /* the rule finds something in it; else it finds nothing */
};

/* One rule is one file in src/audit/rules: its record, its examples (which are its tests) and its check. */
struct audit_rule {
    const char *code;              /* "ST101": never given to another rule */
    const char *name;              /* "jump-to-nowhere" */
    enum audit_severity severity;
    const char *summary;           /* one sentence */
    const char *why;               /* what happens on a real system; a fact names its source */
    const char *fix;               /* what to do, with a line to paste where there is one */
    const struct audit_rule_example *examples;
    size_t example_count;
    /* Reports through audit_find. 0 or -ENOMEM. */
    int (*check)(struct audit *a, const struct audit_rule *self);
};

struct audit_finding {
    const struct audit_rule *rule;
    enum audit_severity severity;  /* the rule's, unless the check said otherwise */
    struct conf_place place;
    const char *message;           /* one sentence */
    const char *hint;              /* NULL: the rule's fix says it all */
    const struct audit_step *path;
    size_t path_count;
    const char *silenced_by;       /* NULL: it counts. "comment" or "baseline" */
};

struct audit_options {
    const char *folder;            /* "/etc/asterisk" */
    const struct conf_source *source; /* NULL: conf_disk */
    const char *version;           /* what the functions and applications are judged by; NULL: "22" */
    const char *version_from;      /* who told the version, "node pbx1"; NULL: nobody, it is taken for granted */
};

struct audit {
    struct audit_options opt;
    struct arena *memory;
    struct conf *files[AUDIT_FILE_COUNT];  /* NULL: not there, or not readable (then a finding says so) */
    struct dialplan *dialplan;     /* NULL: no extensions.conf; see dialplan.h */
    struct taint_world *taint;     /* NULL until a rule asks for it: taint_world.h */
    struct inventory *inventory;   /* NULL until somebody asks for it: inventory.h */
    struct live_differences *differences; /* likewise: live_steps.h */
    struct audit_finding *findings;    /* after audit_run: by file, line, column, code */
    size_t finding_count, finding_room;
    size_t findings_dropped;       /* beyond AUDIT_FINDINGS_MAX */
    int file_errors[AUDIT_FILE_COUNT]; /* what reading gave where files[] is NULL: -ENOENT, -ENOLINK, -EACCES... */
};

enum { AUDIT_FINDINGS_MAX = 100000, AUDIT_MEMORY_MAX = 512 << 20 };

const char *audit_file_name(enum audit_file f);
/* Reads the folder. Damaged files are findings, and the rest is still read. 0, -ENOMEM, or what reading the folder gave. */
int audit_open(struct audit **out, const struct audit_options *opt) MUST_USE;
/* Runs every rule, or those named in codes (count > 0). Sorted, silenced in-place comments applied. */
int audit_run(struct audit *a, const char *const *codes, size_t count) MUST_USE;
void audit_free(struct audit *a);  /* NULL passes */

/* For rules. Copies what it is given. 0 or -ENOMEM. */
int audit_find(struct audit *a, const struct audit_rule *r, struct conf_place place, const char *format, ...)
    __attribute__((format(printf, 4, 5))) MUST_USE;
/* The finding made last: another severity, a hint, a way. */
int audit_hint(struct audit *a, const char *format, ...) __attribute__((format(printf, 2, 3))) MUST_USE;
void audit_weigh(struct audit *a, enum audit_severity severity);
int audit_path(struct audit *a, const struct audit_step *path, size_t count) MUST_USE;

/* Every rule, by code. */
extern const struct audit_rule *const audit_rules[];
extern const size_t audit_rule_count;
const struct audit_rule *audit_rule_of(const char *code); /* NULL: there is none */
