/* Follows #include and #tryinclude, and notes #exec without ever running it. */
#include "wire/conf_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* One #include or #tryinclude at work. */
struct inclusion {
    struct conf_build *b;
    struct conf_place place;
    struct text pattern;
    bool is_try;
};

static void report(const struct inclusion *in, enum conf_severity severity, const char *what)
{
    conf_problem(in->b, severity, in->place, "#%s \"%.*s\": %s", in->is_try ? "tryinclude" : "include",
                 (int)(in->pattern.n < 120 ? in->pattern.n : 120), in->pattern.p, what);
}

static bool within_ceilings(const struct inclusion *in, size_t bytes)
{
    in->b->files++;
    in->b->bytes += bytes;
    if (in->b->files <= CONF_FILES_MAX && in->b->bytes <= CONF_BYTES_MAX)
        return true;
    conf_stop(in->b, in->place, "more than 10000 files or 256 MiB were included");
    return false;
}

/* True when the file was there and is read. */
static bool read_file(const struct inclusion *in, struct conf_lexer *x, const char *path, ssize_t *section, unsigned level)
{
    struct conf_build *b = in->b;
    struct text content = TEXT_NONE;
    const int err = b->source->read(b->source->arg, path, &content);
    struct text name;

    if (err == -ENOMEM)
        b->err = err;
    else if (err && err != -ENOENT && err != -ENOLINK)
        report(in, CONF_WARNING, err_text(err));
    if (err)
        return false;
    name = conf_keep(b, text_of(path));
    if (name.p && within_ceilings(in, content.n)) {
        conf_lexer_file(x, name.p, content);
        conf_build_lines(b, x, section, level);
    }
    free((void *)content.p);
    return true;
}

static void include(const struct inclusion *in, unsigned level)
{
    struct conf_build *b = in->b;
    const enum conf_severity severity = in->is_try ? CONF_WARNING : CONF_ERROR;
    struct conf_lexer x = { .depth = 0 };
    ssize_t section = b->current;
    char **paths = NULL;
    size_t found = 0;
    int err;

    if (level > CONF_INCLUDE_DEPTH || !b->source) {
        report(in, severity,
               b->source ? "included files nest deeper than 10; do they include each other?" : "not followed here");
        return;
    }
    err = b->source->expand(b->source->arg, b->from, in->pattern.p, &paths);
    if (err == -ENOMEM)
        b->err = err;
    else if (err)
        report(in, severity, err_text(err));
    if (err)
        return;
    for (size_t i = 0; paths[i]; i++) {
        if (!b->err && !b->is_full)
            found += read_file(in, &x, paths[i], &section, level);
        free(paths[i]);
    }
    free(paths);
    if (!found && !in->is_try)
        report(in, CONF_ERROR, "no such file: Asterisk would refuse the whole configuration");
}

/* "x" and <x> lose their marks only when both are there. */
static struct text unquote(struct text t)
{
    const char close = t.p[0] == '<' ? '>' : '"';

    if ((t.p[0] != '"' && t.p[0] != '<') || t.p[t.n - 1] != close)
        return t;
    return text_make(t.p + 1, t.n > 1 ? t.n - 2 : 0);
}

void conf_build_directive(struct conf_build *b, const struct conf_line *l, const char *file, unsigned level)
{
    const struct conf_place place = { .file = file, .line = l->number, .column = conf_column(l, l->p) };
    const struct text line = text_make(l->p + 1, l->n - 1);
    struct text name, argument;
    struct inclusion in = { .b = b, .place = place };
    size_t n = 0;
    bool is_exec;

    while (n < line.n && (unsigned char)line.p[n] > ' ')
        n++;
    name = text_head(line, n);
    argument = text_trim(text_skip(line, n));
    is_exec = text_eq_nocase(name, TEXT("exec"));
    in.is_try = text_eq_nocase(name, TEXT("tryinclude"));
    if (!is_exec && !in.is_try && !text_eq_nocase(name, TEXT("include"))) {
        conf_problem(b, CONF_WARNING, place, "unknown directive \"#%.*s\": the line is ignored", (int)(n < 40 ? n : 40),
                     name.p);
        return;
    }
    if (!argument.n) {
        conf_problem(b, CONF_WARNING, place, "\"#%.*s\" needs a file name: the line is ignored", (int)n, name.p);
        return;
    }
    argument = unquote(argument);
    conf_directive_add(b, is_exec ? CONF_EXEC : in.is_try ? CONF_TRYINCLUDE : CONF_INCLUDE, argument, place);
    if (b->err || b->is_full)
        return;
    if (is_exec) {
        conf_problem(b, CONF_WARNING, place, "#exec is never run here: what it would print is missing");
        return;
    }
    in.pattern = b->c->directives[b->c->directive_count - 1].argument; /* the line's own bytes will be overwritten */
    include(&in, level + 1);
}
