/* What Asterisk 22 knows: its applications and functions, the ones it lost, and how many arguments they take. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

enum known_state { KNOWN_CURRENT, KNOWN_DEPRECATED, KNOWN_REMOVED };

struct known_app {
    const char *name, *module;
    unsigned min, max;             /* arguments; max 0: the last one takes the rest */
    enum known_state state;
    const char *since, *instead;   /* removed: the version; what to use ("" or NULL: nothing) */
};

struct known_function {
    const char *name;
    enum known_state state;
    const char *since, *instead;
};

extern const struct known_app known_apps[];
extern const size_t known_app_count;
extern const struct known_function known_functions[];
extern const size_t known_function_count;

/* NULL: not known. Applications regardless of case; functions by exact case. */
const struct known_app *known_app_of(struct text name);
const struct known_function *known_function_of(struct text name);
/* How many modules serve for that one, and the ith of them: of the voicemails any one does, of the others only itself. */
size_t known_module_variants(const char *module);
const char *known_module_variant(const char *module, size_t i);
/* A context that a module makes when it runs, so that no file has it: res_parking's "parkedcalls" (res_parking.conf: context). */
bool known_context(struct text name);
/* The name closest to a mistyped one, or NULL. */
const char *known_app_near(struct text name);
const char *known_function_near(struct text name);
