/* The dialplan as Asterisk loads it (pbx/pbx_config.c of 22.10.1): contexts, extensions, steps of extensions.conf, of AEL and of extensions.lua
 * together. Immutable once built; texts belong to the conf it was made of, or to the arena. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "wire/conf.h"

struct dialplan_context;
struct dialplan_extension;

/* Who wrote an extension.
 * DIALPLAN_AEL: steps are those that Asterisk's compiler makes of it (res/ael/pval.c); such as it makes itself have app_column 0;
 * args_column is 0, too, but for break and continue.
 * DIALPLAN_LUA: steps are the calls of applications in the function, in the order in which they are written. Each may be left out or come again: what
 * is between them is not known. Nothing may be said of their order, of an end that is missing, or of steps that are never reached. A function without
 * any has a NoOp with app_column 0. */
enum dialplan_origin { DIALPLAN_CONF, DIALPLAN_AEL, DIALPLAN_LUA };

struct dialplan_step {
    struct conf_place place;       /* of the application's name */
    unsigned app_column, args_column;
    unsigned priority;
    struct text label;             /* empty: none */
    struct text app, args;         /* as written; args between the first "(" and the last ")" */
    const struct dialplan_extension *extension;
};

struct dialplan_extension {
    struct text name;              /* with its "_"; blanks removed, globals put in */
    struct text caller;            /* behind "/", or TEXT_NONE */
    bool is_pattern;
    struct conf_place place;       /* of its first line */
    const struct dialplan_context *context;
    struct dialplan_step *steps;   /* by priority; no priority twice */
    size_t step_count, step_room;
    struct dialplan_label *labels; /* by name: dialplan_label_of */
    size_t label_count, label_room;
    struct text hint;              /* TEXT_NONE: none */
    size_t number;                 /* among all of the dialplan, from 0 */
    enum dialplan_origin origin;   /* of its first step */
};

struct dialplan_include {
    struct text name, times;       /* times: what follows the first comma, or TEXT_NONE */
    struct conf_place place;
    const struct dialplan_context *target; /* NULL: there is no such context */
};

struct dialplan_line {             /* switch, ignorepat */
    struct text name, value;
    struct conf_place place;
};

struct dialplan_context {
    struct text name;
    struct conf_place place;
    struct dialplan_extension **extensions; /* in file order */
    size_t extension_count, extension_room;
    struct dialplan_include *includes;
    size_t include_count, include_room;
    struct dialplan_line *lines;   /* switch, lswitch, eswitch, ignorepat */
    size_t line_count, line_room;
    size_t pattern_count;
    size_t number;                 /* among all of the dialplan, from 0 */
    bool has_switch;               /* something outside of the file answers too */
};

/* DIALPLAN_SKIPPED: Asterisk ignores the line. DIALPLAN_TWICE: the priority is taken already. DIALPLAN_CUT: read, but not as meant. */
enum dialplan_fault { DIALPLAN_SKIPPED, DIALPLAN_TWICE, DIALPLAN_CUT };

struct dialplan_problem {
    enum dialplan_fault fault;
    struct conf_place place;
    const char *message;
};

struct dialplan {
    struct dialplan_context **contexts; /* in file order */
    size_t context_count, context_room;
    struct dialplan_problem *problems;
    size_t problem_count, problem_room;
    struct dialplan_line *globals; /* of AEL; those of extensions.conf are in its section [globals] */
    size_t global_count, global_room;
    size_t step_count, extension_count;
    struct dialplan_slot *slots;   /* contexts and extensions by name */
    size_t slot_count, slots_used;
    bool is_open;                  /* extensions.lua makes contexts that nobody can see: one that is not here may be there */
    struct arena *memory;
};

/* dialplan_conf.c: of extensions.conf; c NULL: empty. 0 or -ENOMEM. Memory is the arena's; conf must outlive the result. */
int dialplan_build(struct dialplan **out, struct arena *memory, const struct conf *c) MUST_USE;

const struct dialplan_context *dialplan_context_of(const struct dialplan *d, struct text name);
/* The extension of exactly that name and caller as written. NULL: none. */
const struct dialplan_extension *dialplan_extension_of(const struct dialplan *d, const struct dialplan_context *c, struct text name,
                                                       struct text caller);
/* A global variable of AEL; TEXT_NONE: none. d NULL passes. */
struct text dialplan_global_of(const struct dialplan *d, struct text name);
const struct dialplan_step *dialplan_step_of(const struct dialplan_extension *e, unsigned priority);
const struct dialplan_step *dialplan_label_of(const struct dialplan_extension *e, struct text label);

/* Does the pattern (or plain name) match the dialled digits? */
bool dialplan_matches(struct text pattern, struct text dialled);
/* Which of two matching patterns Asterisk takes: below 0 the first, above 0 the second. */
int dialplan_rank(struct text a, struct text b);
/* What Asterisk takes for these digits, includes after the context itself, depth first; priority 0: any. *is_open: a switch might answer instead. */
const struct dialplan_extension *dialplan_match(const struct dialplan *d, const struct dialplan_context *c, struct text dialled, unsigned priority,
                                                bool *is_open);
/* Likewise, of those that have a step of that label. */
const struct dialplan_extension *dialplan_match_label(const struct dialplan *d, const struct dialplan_context *c, struct text dialled, struct text label,
                                                      bool *is_open);
/* Does a pattern of the context, or of one it includes, have a step of that label? */
bool dialplan_has_label(const struct dialplan_context *c, struct text label);
