/* One job: read the configuration's files into a snapshot, whole or not at all, and tell every mistake at once. */
#include "app/config.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/config_parts.h"

/* --- problems --- */

PRINTF_LIKE(2, 0)
static const char *print(struct config_build *b, const char *fmt, va_list ap)
{
    char line[1024];

    vsnprintf(line, sizeof line, fmt, ap);
    return config_text(b, text_of(line));
}

static void note(struct config_build *b, enum conf_severity severity, const struct conf_place *place, const char *where,
                 const char *message)
{
    if (severity == CONF_ERROR)
        b->error_count++;
    if (b->problem_count == CONFIG_PROBLEMS_MAX) {
        b->problems_lost++;
        return;
    }
    b->problems[b->problem_count++] = (struct config_problem){
        .file = place ? place->file : b->c->path, .line = place ? place->line : 0, .where = where ? where : "",
        .severity = severity, .message = message ? message : "out of memory",
    };
}

void config_problem(struct config_build *b, enum conf_severity severity, const struct conf_place *place, const char *where,
                    const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    note(b, severity, place, where, print(b, fmt, ap));
    va_end(ap);
}

static const struct conf_place *place_of(const struct config_built *s, const char *key)
{
    for (size_t i = 0; i < s->kind->key_count; i++)
        if (!strcmp(s->kind->keys[i].name, key) && s->items[i])
            return &s->items[i]->place;
    return s->section ? &s->section->place : NULL;
}

void config_key_problem(struct config_build *b, enum conf_severity severity, const struct config_built *s, const char *key,
                        const char *fmt, ...)
{
    char where[160];
    va_list ap;

    snprintf(where, sizeof where, "%s/%s", s->title, key);
    va_start(ap, fmt);
    note(b, severity, place_of(s, key), config_text(b, text_of(where)), print(b, fmt, ap));
    va_end(ap);
}

/* --- memory --- */

void *config_take(struct config_build *b, size_t n)
{
    void *p = arena_take(b->arena, n ? n : 1);

    if (!p)
        b->err = -ENOMEM;
    return p;
}

const char *config_text(struct config_build *b, struct text t)
{
    const char *p = arena_text(b->arena, t);

    if (!p)
        b->err = -ENOMEM;
    return p;
}

const char *config_path(struct config_build *b, const char *base, struct text path)
{
    char joined[PATH_MAX];
    int n;

    if (path.n && path.p[0] == '/')
        return config_text(b, path);
    n = snprintf(joined, sizeof joined, "%s%s%s/%.*s", b->c->directory, base && *base ? "/" : "", base ? base : "", TEXT_ARG(path));
    return config_text(b, n > 0 && (size_t)n < sizeof joined ? text_of(joined) : path);
}

/* --- files --- */

/* Both files stand in one text, so that a template, or [x](+), reaches from one into the other. */
struct files {
    const char *root;
};

static int files_read(void *arg, const char *path, struct text *out)
{
    (void)arg;
    return conf_disk.read(conf_disk.arg, path, out);
}

/* The root file's own name is no pattern, whatever characters it has. */
static int files_expand(void *arg, const char *from, const char *pattern, char ***out)
{
    const struct files *f = arg;
    char **list;

    if (strcmp(pattern, f->root))
        return conf_disk.expand(conf_disk.arg, from, pattern, out);
    list = calloc(2, sizeof *list);
    if (!list)
        return -ENOMEM;
    list[0] = text_dup(text_of(pattern));
    if (!list[0]) {
        free(list);
        return -ENOMEM;
    }
    *out = list;
    return 0;
}

static int read_files(struct config_build *b)
{
    struct files f = { .root = b->c->path };
    const struct conf_source source = { .read = files_read, .expand = files_expand, .arg = &f };
    char both[2 * PATH_MAX + 64], name[PATH_MAX + 32];

    snprintf(name, sizeof name, "%s/(all files)", b->c->directory);
    b->both_name = config_text(b, text_of(name));
    if (!b->both_name)
        return -ENOMEM;
    snprintf(both, sizeof both, "#include \"%s\"\n#tryinclude \"%s/sidetone.d/*.conf\"\n", b->c->path, b->c->directory);
    return conf_parse(&b->conf, name, text_of(both), &source);
}

static int find_directory(struct config_build *b, const char *path)
{
    char copy[PATH_MAX], real[PATH_MAX];

    if (access(path, R_OK) < 0)
        return -errno;
    if (text_copy(copy, sizeof copy, text_of(path)) != strlen(path) || strpbrk(path, "\";\r\n")) /* they end a path in #include */
        return -EINVAL;
    if (!realpath(dirname(copy), real))
        return -errno;
    b->c->directory = config_text(b, text_of(real));
    return b->err;
}

/* --- the whole --- */

/* What Asterisk would pass over with a warning is an error in our own files: a line that is not read is a wish that is not met.
 * A line without "=" may be a secret whose "=" was forgotten, so that one message of the reader is replaced. */
static void take_conf_problems(struct config_build *b)
{
    for (size_t i = 0; i < b->conf->problem_count; i++) {
        const struct conf_problem *p = &b->conf->problems[i];
        const bool is_ours = !strcmp(p->place.file, b->both_name);

        if (text_starts(text_of(p->message), TEXT("expected \"name = value\"")))
            config_problem(b, CONF_ERROR, &p->place, NULL, "expected name = value, came a line without = (not repeated here)");
        else
            config_problem(b, CONF_ERROR, is_ours ? NULL : &p->place, NULL, "%s", p->message);
    }
}

static int compare_problems(const void *left, const void *right, void *arg)
{
    const struct config_problem *l = left, *r = right;
    const char *root = arg;
    const int by_file = strcmp(l->file, r->file);

    if (by_file)
        return !strcmp(l->file, root) ? -1 : !strcmp(r->file, root) ? 1 : by_file;
    return l->line < r->line ? -1 : l->line > r->line;
}

/* Insertion: few, mostly in order, and those of one line keep theirs. */
static void tell_problems(struct config_build *b, config_on_problem *on_problem, void *arg)
{
    for (size_t i = 1; i < b->problem_count; i++) {
        const struct config_problem p = b->problems[i];
        size_t k = i;

        for (; k > 0 && compare_problems(&b->problems[k - 1], &p, (void *)b->c->path) > 0; k--)
            b->problems[k] = b->problems[k - 1];
        b->problems[k] = p;
    }
    for (size_t i = 0; on_problem && i < b->problem_count; i++)
        on_problem(&b->problems[i], arg);
    if (on_problem && b->problems_lost)
        on_problem(&(struct config_problem){ .file = b->c->path, .where = "", .severity = CONF_ERROR,
                                             .message = "and more, not shown" }, arg);
}

static int build(struct config_build *b)
{
    int err = read_files(b);

    if (err)
        return err;
    take_conf_problems(b);
    b->sections = calloc(b->conf->section_count + CONFIG_KIND_COUNT, sizeof *b->sections);
    if (!b->sections)
        return -ENOMEM;
    config_sections_read(b);
    if (!b->err)
        config_check(b);
    return b->err ? b->err : b->error_count ? -EINVAL : 0;
}

static int begin(struct config_build *b, const char *path)
{
    int err = arena_new(&b->arena, CONFIG_MEMORY_MAX);

    if (err)
        return err;
    b->c = config_take(b, sizeof *b->c);
    if (!b->c)
        return -ENOMEM;
    b->c->memory = b->arena;
    b->c->path = config_text(b, text_of(path));
    b->problems = calloc(CONFIG_PROBLEMS_MAX, sizeof *b->problems);
    return b->c->path && b->problems ? 0 : -ENOMEM;
}

int config_load(struct config **out, const char *path, unsigned flags, config_on_problem *on_problem, void *arg)
{
    struct config_build b = { .flags = flags };
    int err = begin(&b, path ? path : CONFIG_DEFAULT_PATH);

    if (!err) {
        err = find_directory(&b, b.c->path);
        if (err && err != -ENOMEM)
            config_problem(&b, CONF_ERROR, NULL, NULL, "expected a configuration file, came: %s", err_text(err));
        if (!err)
            err = build(&b);
        if (err != -ENOMEM)
            tell_problems(&b, on_problem, arg);
    }
    free(b.problems);
    free(b.sections);
    conf_free(b.conf);
    if (!err) {
        *out = b.c;
        return 0;
    }
    if (b.c)
        config_free(b.c);
    else
        arena_free(b.arena);
    return err;
}

/* By the table, so that none is forgotten. */
static void secrets_free(struct config *c, const struct config_kind *kind)
{
    const void *section;

    for (size_t i = 0; (section = config_section(c, kind, i)); i++)
        for (size_t n = 0; n < kind->key_count; n++)
            if (kind->keys[n].type == CONFIG_SECRET)
                secret_free((struct secret *)((char *)(uintptr_t)section + kind->keys[n].offset));
}

void config_free(struct config *c)
{
    if (!c)
        return;
    for (size_t k = 0; k < CONFIG_KIND_COUNT; k++)
        secrets_free(c, &config_kinds[k]);
    arena_free(c->memory);
}
