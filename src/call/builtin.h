/* The tools that need no file: what a model is told of them, and what a call of one comes to under an agent's rules. Pure.
 *
 *   hand_back hang_up transfer    end the talk, once what was said has been heard
 *   set_variable                  leaves a value for the dialplan
 *   switch_agent                  another agent goes on with the caller
 *   take_message                  is carried out as a tool with a file is: by tools.run */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"
#include "call/talk_after.h"

struct cJSON;

enum builtin { BUILTIN_NONE, BUILTIN_HAND_BACK, BUILTIN_HANG_UP, BUILTIN_TRANSFER, BUILTIN_TAKE_MESSAGE, BUILTIN_SET_VARIABLE,
               BUILTIN_SWITCH_AGENT, BUILTIN_COUNT };

enum { BUILTIN_WHY_MAX = 240, BUILTIN_REASON_MAX = 64, BUILTIN_MESSAGE_MAX = 2000 /* characters */ };

struct builtin_target {
    const char *name;
    const char *context, *extension, *priority;
};

/* What one agent allows. Lives as long as the talk. */
struct builtin_rules {
    const struct builtin_target *targets;
    size_t target_count;
    const char *transfer_context;      /* of numbers; NULL: none may be dialled */
    const char *const *patterns;       /* of numbers: digits, X (0-9), Z (1-9), N (2-9) */
    size_t pattern_count;
    const char *const *variables;
    size_t variable_count;
    const char *const *agents;
    size_t agent_count;
};

enum builtin builtin_of(struct text name);
const char *builtin_name(enum builtin b);
const char *builtin_description(enum builtin b);
/* The JSON schema of its arguments under these rules, malloc'ed; NULL: no memory. */
char *builtin_parameters(enum builtin b, const struct builtin_rules *r) MUST_USE;

/* What a call asks for, checked. */
struct builtin_act {
    enum builtin what;
    char reason[BUILTIN_REASON_MAX];   /* of the ends: for SIDETONE_REASON */
    struct builtin_target to;          /* BUILTIN_TRANSFER: name is absent, the rest points to the rules or to number */
    char number[TALK_PLACE_MAX];
    struct text name, value;           /* BUILTIN_SET_VARIABLE, borrowed of args; BUILTIN_SWITCH_AGENT: name is the rules' */
};

/* args: accepted by the schema already. 0, or -EACCES with a sentence for the model in why. */
int builtin_read(struct builtin_act *out, enum builtin b, const struct builtin_rules *r, const struct cJSON *args, char why[BUILTIN_WHY_MAX]) MUST_USE;

/* A pattern of numbers: at least one character, digits and X Z N only. */
bool builtin_is_pattern(struct text pattern);
/* Letters, digits and _, not beginning with a digit, at most 79, and none of our own SIDETONE_ names: a function such as SHELL() is no such name. */
bool builtin_is_variable(struct text name);
