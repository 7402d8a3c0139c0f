/* Turns the script routes of the configuration into what the script host takes. */
#include "app/serve_scripts.h"

#include <stdlib.h>

#include "app/script_env.h"

struct serve_scripts {
    struct script_env env;
    size_t count;
    struct one {
        bool is_script;
        struct hosted_options options;
    } list[];
};

static struct hosted_options options_of(const struct config_route *r, const struct script_env *env)
{
    return (struct hosted_options){
        .name = r->head.name,
        .path = r->script,
        .request = r->script_text,
        .args = r->args,
        .env = env->list,
        .cwd = env->cwd,
        .warm = (size_t)r->warm,
        .warm_max_age_ms = r->warm_max_age_ms,
        .fork = r->start == CONFIG_START_FORK,
        .preload = r->preload,
        .fence = { .user = r->user,
                   .memory_bytes = r->memory_bytes,
                   .cpu_s = r->cpu_seconds,
                   .open_files = r->open_files,
                   .processes = r->processes,
                   .guard = r->sandbox != CONFIG_SANDBOX_OFF,
                   .read_only = r->sandbox == CONFIG_SANDBOX_STRICT,
                   .read = r->read.items,
                   .read_count = r->read.count,
                   .write = r->write.items,
                   .write_count = r->write.count },
    };
}

int serve_scripts_new(struct serve_scripts **out, const struct config *c)
{
    const struct script_env_options opt = {
        .asterisk_conf = c->fastagi.asterisk_conf,
        .agi_dir = c->fastagi.agi_dir,
        .cwd = c->fastagi.script_cwd,
        .pass = c->fastagi.pass_env.items,
        .pass_count = c->fastagi.pass_env.count,
    };
    struct serve_scripts *s = calloc(1, sizeof *s + c->route_count * sizeof *s->list);
    int err = s ? script_env_new(&s->env, &opt) : -ENOMEM;

    if (err) {
        free(s);
        return err;
    }
    s->count = c->route_count;
    for (size_t i = 0; i < s->count; i++) {
        s->list[i].is_script = c->routes[i].script != NULL;
        if (s->list[i].is_script)
            s->list[i].options = options_of(&c->routes[i], &s->env);
    }
    *out = s;
    return 0;
}

const struct hosted_options *serve_scripts_options(const struct serve_scripts *s, size_t i)
{
    return i < s->count && s->list[i].is_script ? &s->list[i].options : NULL;
}

void serve_scripts_free(struct serve_scripts *s)
{
    if (!s)
        return;
    script_env_free(&s->env);
    free(s);
}
