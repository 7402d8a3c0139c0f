/* One job: check routes that host a script, and find the script. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config_parts.h"
#include "app/script_env.h"

enum { PATHS_MAX = 64 };

static bool is_written(const struct config_built *s, const char *key)
{
    for (size_t i = 0; s && i < s->kind->key_count; i++)
        if (!strcmp(s->kind->keys[i].name, key))
            return s->items[i] != NULL;
    return false;
}

static const char *script_fault(const char *path)
{
    const char *fault = config_file_fault(path);

    return fault ? fault : access(path, X_OK) < 0 ? "may not be executed (chmod +x)" : NULL;
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode) && access(path, X_OK) == 0;
}

static void find_script(struct config_build *b, const struct config_built *s, struct config_route *r, const char *agi_dir)
{
    char path[4096];
    const int n = snprintf(path, sizeof path, "%s%s%s", *r->script_text == '/' ? "" : agi_dir,
                           *r->script_text == '/' ? "" : "/", r->script_text);
    const char *fault = n < 0 || (size_t)n >= sizeof path ? "the path is too long" : script_fault(path);

    if (fault)
        config_key_problem(b, CONF_ERROR, s, "script", "expected a program, came %.300s: %s", path, fault);
    r->script = config_text(b, text_of(path));
}

/* "/var/log, /tmp" */
static void split_paths(struct config_build *b, const struct config_built *s, const char *key, const char *text,
                        struct config_list *out)
{
    const char **items = text ? config_take(b, PATHS_MAX * sizeof *items) : NULL;
    struct text rest = text_of(text), one;
    char came[80];
    size_t n = 0;

    while (items && text_cut(&rest, ',', &one)) {
        one = text_trim(one);
        if (n == PATHS_MAX || !text_starts(one, TEXT("/"))) {
            config_key_problem(b, CONF_ERROR, s, key, "expected absolute paths separated by commas (at most %d), came %s",
                               (int)PATHS_MAX, config_quote(one, came, sizeof came));
            return;
        }
        items[n++] = config_text(b, one);
    }
    *out = (struct config_list){ .items = items, .count = n };
}

static void check_use(struct config_build *b, const struct config_built *s, const struct config_route *r)
{
    static const char *const only_script[] = { "args", "start", "preload", "processes", "user", "allow_read", "allow_write" };

    for (size_t i = 0; !r->script_text && i < sizeof only_script / sizeof *only_script; i++)
        if (is_written(s, only_script[i]))
            config_key_problem(b, CONF_WARNING, s, only_script[i], "has no effect without a script");
    if (r->script_text && r->sandbox != CONFIG_SANDBOX_STRICT && (r->read_text || r->write_text))
        config_key_problem(b, CONF_WARNING, s, r->write_text ? "allow_write" : "allow_read",
                           "has no effect without sandbox = strict");
    if (r->script_text && r->processes > 0 && !r->user)
        config_key_problem(b, CONF_ERROR, s, "processes", "expected a user beside it, came none: the kernel counts the processes of a user, "
                           "and the daemon's are not the script's");
    if (r->script_text && r->start != CONFIG_START_FORK && r->preload)
        config_key_problem(b, CONF_WARNING, s, "preload", "has no effect without start = fork");
    if (r->script_text && r->start == CONFIG_START_FORK && r->warm > 0)
        config_key_problem(b, CONF_WARNING, s, "warm", "with start = fork these processes are used only while no template is ready");
}

void config_route_check(struct config_build *b, const struct config_built *s, struct config_route *r,
                        const struct script_env *env)
{
    if (!s || b->err)
        return;
    if (!r->handler && !r->script_text && !is_written(s, "handler") && !is_written(s, "script"))
        config_key_problem(b, CONF_ERROR, s, "handler",
                           "expected a handler or a script, came none; for example: handler = caller_name.lua");
    if (r->handler && r->script_text)
        config_key_problem(b, CONF_ERROR, s, "script", "expected a handler or a script, came both");
    check_use(b, s, r);
    if (!r->script_text)
        return;
    find_script(b, s, r, env->agi_dir);
    if (!is_folder(env->cwd))
        config_key_problem(b, CONF_ERROR, s, "script", "its working directory %.300s is no folder that can be entered; "
                           "name one with script_cwd in [fastagi]", env->cwd);
    split_paths(b, s, "allow_read", r->read_text, &r->read);
    split_paths(b, s, "allow_write", r->write_text, &r->write);
    if (!is_written(s, "deadline"))
        r->deadline_ms = CONFIG_SCRIPT_DEADLINE_MS;
}
