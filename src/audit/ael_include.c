/* Opens the files of a dialplan in AEL and follows #include (ael.flex of 22.10.1: setup_filestack). */
#include "audit/ael_include.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int file_load(struct ael_lexer *x, const char *path, struct ael_file *out)
{
    struct text content = TEXT_NONE;
    const char *nul;
    int err;

    if (++x->file_count > AEL_FILES_MAX)
        return -EFBIG;
    err = x->source->read(x->source->arg, path, &content);
    if (err)
        return err;
    x->bytes += content.n;
    if (x->bytes > AEL_BYTES_MAX) {
        free((char *)content.p);
        return -EFBIG;
    }
    nul = content.n ? memchr(content.p, '\0', content.n) : NULL;
    if (nul)
        content.n = (size_t)(nul - content.p); /* Asterisk reads no further */
    out->name = arena_text(x->b->d->memory, text_of(path));
    out->content.p = arena_text(x->b->d->memory, content);
    out->content.n = content.n;
    out->at = out->line_start = 0;
    out->line = 1;
    free((char *)content.p);
    return out->name && out->content.p ? 0 : -ENOMEM;
}

int ael_lexer_open(struct ael_lexer *x, struct dialplan_build *b, struct audit *a)
{
    char *path = NULL;
    int err;

    *x = (struct ael_lexer){ .b = b, .source = a->opt.source, .folder = a->opt.folder };
    if (asprintf(&path, "%s/extensions.ael", a->opt.folder) < 0)
        return -ENOMEM;
    err = file_load(x, path, x->files);
    free(path);
    if (!err)
        x->depth = 1;
    return err;
}

static void others_drop(struct ael_file *f)
{
    for (size_t i = 0; f->others && f->others[i]; i++)
        free(f->others[i]);
    free(f->others);
    f->others = NULL;
}

void ael_lexer_close(struct ael_lexer *x)
{
    for (size_t i = 0; i < x->depth; i++)
        others_drop(x->files + i);
    x->depth = 0;
}

/* The length of `#include "`, blanks and tabs between; 0: something else. */
static size_t directive_head(struct text t)
{
    const struct text word = TEXT("#include");
    size_t n = word.n;

    if (!text_starts(t, word))
        return 0;
    while (n < t.n && (t.p[n] == ' ' || t.p[n] == '\t'))
        n++;
    return n > word.n && n < t.n && t.p[n] == '"' ? n + 1 : 0;
}

/* For the first of a pattern Asterisk does not look at the file that includes it, only at those around: a file may include itself once. */
static bool is_open_already(const struct ael_lexer *x, const char *path, bool is_first)
{
    for (size_t i = 0; i + (is_first ? 2 : 1) < x->depth; i++)
        if (strcmp(x->files[i].name, path) == 0)
            return true;
    return false;
}

/* Opens the next of the paths that can be read, in the file's place. */
static bool others_open(struct ael_lexer *x, struct ael_file *f, struct conf_place place)
{
    while (f->others && f->others[f->next]) {
        const char *path = f->others[f->next++];
        int err;

        if (is_open_already(x, path, f->next == 1)) {
            ael_problem(x, place, DIALPLAN_SKIPPED, "\"%s\" includes itself in the end: Asterisk leaves it out", path);
            continue;
        }
        err = file_load(x, path, f);
        if (err == -ENOMEM)
            x->b->err = err;
        else if (err)
            ael_problem(x, place, DIALPLAN_SKIPPED, "\"%s\" cannot be read: %s; Asterisk goes on without it", path, err_text(err));
        if (err == -EFBIG || err == -ENOMEM)
            x->is_full = true;
        if (!err)
            return true;
    }
    return false;
}

static void enter(struct ael_lexer *x, struct text pattern, struct conf_place place)
{
    struct ael_file *f = x->files + x->depth;
    char *name;
    int err;

    if (x->depth > AEL_INCLUDE_DEPTH - 1) {
        ael_problem(x, place, DIALPLAN_SKIPPED, "includes are nested deeper than %d: Asterisk leaves this one out", AEL_INCLUDE_DEPTH - 1);
        return;
    }
    name = text_dup(pattern);
    *f = (struct ael_file){ .line = 1 };
    err = name ? x->source->expand(x->source->arg, x->folder, name, &f->others) : -ENOMEM;
    free(name);
    if (err == -ENOMEM)
        x->b->err = err;
    if (err) {
        f->others = NULL;
        return;
    }
    if (!f->others[0])
        ael_problem(x, place, DIALPLAN_SKIPPED, "no file \"%.*s\": Asterisk goes on without it", (int)(pattern.n < 120 ? pattern.n : 120), pattern.p);
    x->depth++;
    if (others_open(x, f, place))
        return;
    others_drop(f);
    x->depth--;
}

bool ael_include_enter(struct ael_lexer *x)
{
    struct ael_file *f = x->files + x->depth - 1;
    const struct text rest = text_skip(f->content, f->at);
    const size_t head = directive_head(rest);
    const struct conf_place place = { .file = f->name, .line = f->line, .column = (unsigned)(f->at - f->line_start) + 1 };
    struct text pattern;
    ptrdiff_t end;

    if (!head)
        return false;
    pattern = text_skip(rest, head);
    end = text_find(pattern, '"');
    if (end <= 0)
        return false;
    pattern = text_head(pattern, (size_t)end);
    for (size_t i = 0; i < pattern.n; i++)
        if (pattern.p[i] == '\n') {
            f->line++;
            f->line_start = f->at + head + i + 1;
        }
    f->at += head + pattern.n + 1;
    enter(x, pattern, place);
    return true;
}

bool ael_include_leave(struct ael_lexer *x)
{
    struct ael_file *f = x->files + x->depth - 1;

    if (x->depth <= 1)
        return false;
    if (others_open(x, f, (struct conf_place){ .file = f->name, .line = 1, .column = 1 }))
        return true;
    others_drop(f);
    x->depth--;
    return true;
}
