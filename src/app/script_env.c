/* Makes the environment of hosted scripts as AGI() made it: AST_* from Asterisk's own configuration. */
#include "app/script_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "wire/conf.h"

enum { MEMORY_MAX = 1 << 20, LIST_MAX = 128, PATH_BYTES = 4096 };

/* Names as asterisk.conf has them; the defaults are those of Debian's package. */
static const struct {
    const char *key, *standard, *variable, *format;
} directories[] = {
    { "astetcdir", "/etc/asterisk", "AST_CONFIG_DIR", "%s" },
    { "astmoddir", "/usr/lib/asterisk/modules", "AST_MODULE_DIR", "%s" },
    { "astspooldir", "/var/spool/asterisk", "AST_SPOOL_DIR", "%s" },
    { "astspooldir", "/var/spool/asterisk", "AST_MONITOR_DIR", "%s/monitor" },
    { "astvarlibdir", "/var/lib/asterisk", "AST_VAR_DIR", "%s" },
    { "astdatadir", "/usr/share/asterisk", "AST_DATA_DIR", "%s" },
    { "astlogdir", "/var/log/asterisk", "AST_LOG_DIR", "%s" },
    { "astagidir", "/usr/share/asterisk/agi-bin", "AST_AGI_DIR", "%s" },
    { "astkeydir", "/usr/share/asterisk", "AST_KEY_DIR", "%s/keys" }, /* asterisk.c adds /keys itself */
    { "astrundir", "/var/run/asterisk", "AST_RUN_DIR", "%s" },
};

/* Ours that scripts may see. The daemon's own environment may hold secrets (@env:NAME), so it does not go on as a whole. */
static const char *const harmless[] = { "PATH", "HOME", "LANG",    "LANGUAGE", "LC_ALL", "LC_CTYPE",
                                        "TZ",   "USER", "LOGNAME", "SHELL",    "TMPDIR" };

struct building {
    struct arena *arena;
    const char **list;
    size_t count;
    int err;
};

static void add(struct building *b, const char *name, const char *value)
{
    char *both = arena_take(b->arena, strlen(name) + strlen(value) + 2);

    if (!both || b->count == LIST_MAX - 1) {
        b->err = -ENOMEM;
        return;
    }
    sprintf(both, "%s=%s", name, value);
    b->list[b->count++] = both;
}

static const char *directory(struct building *b, const struct conf *conf, const char *key, const char *standard)
{
    const struct text found = conf ? conf_get(conf, TEXT("directories"), text_of(key)) : TEXT_NONE;
    const char *out = arena_text(b->arena, found.n ? found : text_of(standard));

    if (!out)
        b->err = -ENOMEM;
    return out ? out : "";
}

static void pass(struct building *b, const char *name)
{
    const char *value = getenv(name);

    if (value)
        add(b, name, value);
}

/* The daemon cannot know AST_VERSION and AST_BUILD_*. */
static void add_asterisk(struct building *b, const struct conf *conf, const char *file)
{
    const struct text name = conf ? conf_get(conf, TEXT("options"), TEXT("systemname")) : TEXT_NONE;
    char path[PATH_BYTES];

    add(b, "AST_CONFIG_FILE", file);
    snprintf(path, sizeof path, "%.*s", TEXT_ARG(name));
    add(b, "AST_SYSTEMNAME", path);

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        const char *found = directory(b, conf, directories[i].key, directories[i].standard);
        const int n = strcmp(directories[i].format, "%s")
                          ? snprintf(path, sizeof path, "%s%s", found, directories[i].format + 2)
                          : snprintf(path, sizeof path, "%s", found);

        if (n > 0)
            add(b, directories[i].variable, path);
    }
}

static const char *keep(struct building *b, const char *given, const struct conf *conf, const char *key, const char *standard)
{
    const char *out = given ? arena_text(b->arena, text_of(given)) : directory(b, conf, key, standard);

    if (!out)
        b->err = -ENOMEM;
    return out;
}

int script_env_new(struct script_env *out, const struct script_env_options *opt)
{
    struct building b = { .arena = NULL };
    struct script_env e;
    struct conf *conf = NULL;
    int err = arena_new(&b.arena, MEMORY_MAX);

    if (err)
        return err;
    b.list = arena_take(b.arena, LIST_MAX * sizeof *b.list);
    if (!b.list) {
        arena_free(b.arena);
        return -ENOMEM;
    }
    if (conf_load(&conf, opt->asterisk_conf, &conf_disk))
        conf = NULL;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        pass(&b, harmless[i]);
    for (size_t i = 0; i < opt->pass_count; i++)
        pass(&b, opt->pass[i]);
    add_asterisk(&b, conf, opt->asterisk_conf);
    e = (struct script_env){ .list = b.list,
                             .agi_dir = keep(&b, opt->agi_dir, conf, "astagidir", "/usr/share/asterisk/agi-bin"),
                             .cwd = keep(&b, opt->cwd, conf, "astvarlibdir", "/var/lib/asterisk"),
                             .memory = b.arena };
    conf_free(conf);
    if (b.err) {
        arena_free(b.arena);
        return b.err;
    }
    *out = e;
    return 0;
}

void script_env_free(struct script_env *e)
{
    if (e->memory)
        arena_free(e->memory);
    *e = (struct script_env){ .list = NULL };
}
