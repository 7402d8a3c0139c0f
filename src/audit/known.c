/* Looks up names in the tables of what Asterisk 22 knows. */
#include "audit/known.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NEAR = 2, NEAR_BYTES_MIN = 4, NAME_MAX_BYTES = 64 };

static int compare_app(const void *key, const void *row)
{
    return strcasecmp(key, ((const struct known_app *)row)->name);
}

static int compare_function(const void *key, const void *row)
{
    return strcmp(key, ((const struct known_function *)row)->name);
}

const struct known_app *known_app_of(struct text name)
{
    char key[NAME_MAX_BYTES];

    if (!name.n || name.n >= sizeof key)
        return NULL;
    text_copy(key, sizeof key, name);
    return bsearch(key, known_apps, known_app_count, sizeof *known_apps, compare_app);
}

const struct known_function *known_function_of(struct text name)
{
    char key[NAME_MAX_BYTES];

    if (!name.n || name.n >= sizeof key)
        return NULL;
    text_copy(key, sizeof key, name);
    return bsearch(key, known_functions, known_function_count, sizeof *known_functions, compare_function);
}

const char *known_app_near(struct text name)
{
    const char *best = NULL;
    size_t distance = (name.n < NEAR_BYTES_MIN ? 1 : NEAR) + 1;

    for (size_t i = 0; i < known_app_count; i++) {
        const size_t d = text_distance(name, text_of(known_apps[i].name));

        if (d < distance && known_apps[i].state == KNOWN_CURRENT) {
            distance = d;
            best = known_apps[i].name;
        }
    }
    return best;
}

const char *known_function_near(struct text name)
{
    const char *best = NULL;
    size_t distance = (name.n < NEAR_BYTES_MIN ? 1 : NEAR) + 1;

    for (size_t i = 0; i < known_function_count; i++) {
        const size_t d = text_distance(name, text_of(known_functions[i].name));

        if (d < distance && known_functions[i].state == KNOWN_CURRENT) {
            distance = d;
            best = known_functions[i].name;
        }
    }
    return best;
}

/* modules.conf.sample of 22.10.1 keeps two of them out: they exclude each other. */
static const char *const voicemails[] = { "app_voicemail", "app_voicemail_odbc", "app_voicemail_imap" };

size_t known_module_variants(const char *module)
{
    return strcmp(module, voicemails[0]) == 0 ? sizeof voicemails / sizeof *voicemails : 1;
}

const char *known_module_variant(const char *module, size_t i)
{
    return strcmp(module, voicemails[0]) == 0 ? voicemails[i] : module;
}

bool known_context(struct text name)
{
    return text_eq(name, TEXT("parkedcalls"));
}
