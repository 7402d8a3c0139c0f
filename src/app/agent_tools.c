/* Reads the tools of an agent: the comments of their files, the sections of services, and the rules for those that are built in. */
#include "app/agent_tools.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/tool_http.h"
#include "base/arena.h"
#include "base/buf.h"

enum { TOOL_MAX = 256 * 1024, COMMENT_MAX = 16 * 1024, RULES_MAX = 256 * 1024 };

int agent_text_read(const char *path, size_t max, char **out)
{
    FILE *f = fopen(path, "re");
    struct buf b;
    char piece[8192];
    size_t n;
    int err;

    if (!f)
        return -errno;
    buf_init(&b, max + 1);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0 && buf_add(&b, piece, n) == 0)
        ;
    err = ferror(f) ? -EIO : b.n > max ? -EFBIG : b.err == -ENOBUFS ? -EFBIG : b.err;
    fclose(f);
    if (!err) {
        *out = text_dup(buf_text(&b).p ? buf_text(&b) : TEXT(""));
        err = *out ? 0 : -ENOMEM;
    }
    buf_free(&b);
    return err;
}

/* ---- comments of a tool ---- */

static int comment_keep(char **out, const struct buf *b)
{
    free(*out);
    *out = text_dup(text_trim(buf_text(b)));
    return *out ? b->err : -ENOMEM;
}

static int comment_of(struct text source, struct text mark, char **out)
{
    bool is_inside = false;
    struct text line;
    struct buf b;
    int err;

    buf_init(&b, COMMENT_MAX);
    while (text_cut(&source, '\n', &line)) {
        struct text words = text_trim(line);
        const bool is_comment = text_starts(words, TEXT("--"));

        words = text_trim(text_skip(words, 2));
        if (is_comment && text_starts(words, mark))
            is_inside = true;
        else if (!is_comment || text_starts(words, TEXT("@")))
            is_inside = false;
        if (!is_inside)
            continue;
        buf_add_text(&b, text_starts(words, mark) ? text_trim(text_skip(words, mark.n)) : words);
        buf_add_char(&b, ' ');
    }
    err = b.n > 0 || b.err ? comment_keep(out, &b) : 0;
    buf_free(&b);
    return err;
}

int tool_comments_read(struct text source, char **description, char **parameters, const char **why)
{
    int err;

    *description = *parameters = NULL;
    err = comment_of(source, TEXT("@description"), description);
    if (!err)
        err = comment_of(source, TEXT("@parameters"), parameters);
    if (err == -ENOBUFS) {
        *why = "@description and @parameters may have 16 KiB each";
        err = -EINVAL;
    }
    if (err) {
        free(*description);
        free(*parameters);
        *description = *parameters = NULL;
    }
    return err;
}

/* ---- the rules for those that are built in ---- */

static const char *keep(struct agent_tools *t, const char *s)
{
    return arena_text(t->memory, text_of(s));
}

static const char *const *names_keep(struct agent_tools *t, const struct config_list *from, int *err)
{
    const char **names = arena_take(t->memory, (from->count + 1) * sizeof *names);

    for (size_t i = 0; names && i < from->count; i++) {
        names[i] = keep(t, from->items[i]);
        if (!names[i])
            *err = -ENOMEM;
    }
    if (!names)
        *err = -ENOMEM;
    return names;
}

static int targets_keep(struct agent_tools *t, const struct config_agent *from)
{
    struct builtin_target *targets = arena_take(t->memory, (from->transfer.count + 1) * sizeof *targets);

    for (size_t i = 0; targets && i < from->transfer.count; i++) {
        const struct config_target *c = &from->targets[i];

        targets[i] = (struct builtin_target){ keep(t, c->name), keep(t, c->place.context), keep(t, c->place.extension), keep(t, c->place.priority) };
        if (!targets[i].name || !targets[i].context || !targets[i].extension || !targets[i].priority)
            return -ENOMEM;
    }
    t->rules.targets = targets;
    t->rules.target_count = from->transfer.count;
    return targets ? 0 : -ENOMEM;
}

static int rules_keep(struct agent_tools *t, const struct config_agent *from)
{
    int err = arena_new(&t->memory, RULES_MAX);

    if (!err)
        err = targets_keep(t, from);
    if (err)
        return err;
    t->rules.transfer_context = from->transfer_context ? keep(t, from->transfer_context) : NULL;
    t->rules.patterns = names_keep(t, &from->transfer_numbers, &err);
    t->rules.pattern_count = from->transfer_numbers.count;
    t->rules.variables = names_keep(t, &from->variables, &err);
    t->rules.variable_count = from->variables.count;
    t->rules.agents = names_keep(t, &from->switch_to, &err);
    t->rules.agent_count = from->switch_to.count;
    return from->transfer_context && !t->rules.transfer_context ? -ENOMEM : err;
}

/* ---- the tools ---- */

static int take_schema(struct agent_tool *t, const char *place, const struct agent_complaint *to)
{
    char why[SCHEMA_WHY_MAX], line[SCHEMA_WHY_MAX + 100];
    int err;

    if (!t->parameters)
        return 0;
    err = schema_new(&t->schema, text_of(t->parameters), why);
    if (err == -EINVAL) {
        snprintf(line, sizeof line, "tool %.60s: parameters: %s", t->name, why);
        agent_complain(to, place, line);
    }
    t->entry.schema = t->schema;
    return err;
}

static int read_file(struct agent_tool *t, const struct config_tool *from, const struct agent_complaint *to)
{
    const char *why = NULL;
    char *source = NULL;
    int err = agent_text_read(from->path, TOOL_MAX, &source);

    if (err)
        why = err_text(err);
    else
        err = tool_comments_read(text_of(source), &t->description, &t->parameters, &why);
    free(source);
    if (err && err != -ENOMEM) {
        agent_complain(to, from->path, why);
        return -EINVAL;
    }
    t->path = strdup(from->path);
    return err ? err : t->path ? take_schema(t, from->path, to) : -ENOMEM;
}

/* Inline, or a file beside the configuration file. */
static int read_parameters(struct agent_tool *t, const struct config_tool_section *from, const char *place, const struct agent_complaint *to)
{
    const char *written = from->parameters, *slash = from->head.file ? strrchr(from->head.file, '/') : NULL;
    char path[4096], line[300];
    int err;

    if (!written)
        return 0;
    if (written[0] == '{') {
        t->parameters = strdup(written);
        return t->parameters ? 0 : -ENOMEM;
    }
    if (written[0] == '/' || !slash)
        snprintf(path, sizeof path, "%s", written);
    else
        snprintf(path, sizeof path, "%.*s%.1000s", (int)(slash - from->head.file) + 1, from->head.file, written);
    err = agent_text_read(path, COMMENT_MAX, &t->parameters);
    if (!err || err == -ENOMEM)
        return err;
    snprintf(line, sizeof line, "tool %.60s: parameters: %.100s: %s", t->name, written, err == -EFBIG ? "more than 16 KiB" : err_text(err));
    agent_complain(to, place, line);
    return -EINVAL;
}

static int read_service(struct agent_tool *t, const struct config_tool_section *from, const struct agent_complaint *to)
{
    char why[300] = "", line[400], place[400];
    int err;

    snprintf(place, sizeof place, "%.380s:%u", from->head.file ? from->head.file : "", from->head.line);
    t->description = from->description ? strdup(from->description) : NULL;
    if (from->description && !t->description)
        return -ENOMEM;
    err = read_parameters(t, from, place, to);
    if (!err)
        err = take_schema(t, place, to);
    if (err)
        return err;
    err = tool_http_new(&t->http, from, t->schema, why, sizeof why);
    if (err == -EINVAL) {
        snprintf(line, sizeof line, "tool %.60s: %s", t->name, why);
        agent_complain(to, place, line);
    }
    return err;
}

static int read_built_in(struct agent_tool *t, enum builtin b, const struct builtin_rules *r)
{
    char why[SCHEMA_WHY_MAX];

    t->entry.builtin = b;
    t->name = strdup(builtin_name(b));
    t->description = strdup(builtin_description(b));
    t->parameters = builtin_parameters(b, r);
    if (!t->name || !t->description || !t->parameters)
        return -ENOMEM;
    const int err = schema_new(&t->schema, text_of(t->parameters), why);
    t->entry.schema = t->schema;
    return err;
}

/* is_file: this turn takes those of files, the next the others. */
static int read_named(struct agent_tools *t, const struct config_agent *from, bool is_file, const struct agent_complaint *to)
{
    int err = 0;

    for (size_t i = 0; i < from->tool_count && !err; i++) {
        const struct config_tool *c = &from->tools[i];
        struct agent_tool *item = &t->items[t->count];

        if (!c->path == is_file)
            continue;
        t->count++;
        item->name = strdup(c->name);
        item->entry.deadline_ms = c->section ? c->section->deadline_ms : 0;
        err = !item->name ? -ENOMEM : is_file ? read_file(item, c, to) : read_service(item, c->section, to);
    }
    return err;
}

int agent_tools_read(struct agent_tools *t, const struct config_agent *from, const struct agent_complaint *to)
{
    int err = rules_keep(t, from);

    t->items = calloc(from->tool_count + BUILTIN_COUNT, sizeof *t->items);
    t->told = calloc(from->tool_count + BUILTIN_COUNT, sizeof *t->told);
    if (!t->items || !t->told)
        err = -ENOMEM;
    if (!err)
        err = read_named(t, from, true, to);
    t->file_count = t->count;
    if (!err)
        err = read_named(t, from, false, to);
    for (int b = BUILTIN_NONE + 1; b < BUILTIN_COUNT && !err; b++)
        if (from->built_in & 1u << b)
            err = read_built_in(&t->items[t->count++], (enum builtin)b, &t->rules);
    for (size_t i = 0; t->told && i < t->count; i++) {
        struct agent_tool *item = &t->items[i];

        item->entry.is_masked = from->mask == CONFIG_MASK_NUMBERS;
        t->told[i] = (struct ai_tool){ .name = item->name, .description = item->description, .parameters = item->parameters };
    }
    return err;
}

void agent_tools_free(struct agent_tools *t)
{
    for (size_t i = 0; t->items && i < t->count; i++) {
        schema_free(t->items[i].schema);
        tool_http_free(t->items[i].http);
        free(t->items[i].name);
        free(t->items[i].path);
        free(t->items[i].description);
        free(t->items[i].parameters);
    }
    free(t->items);
    free(t->told);
    arena_free(t->memory);
    *t = (struct agent_tools){ 0 };
}

const struct agent_tool *agent_tools_find(const struct agent_tools *t, struct text name)
{
    for (size_t i = 0; i < t->count; i++)
        if (text_eq(text_of(t->items[i].name), name))
            return &t->items[i];
    return NULL;
}
