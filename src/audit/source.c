/* Keeps configuration files and an index of their lines. */
#include "audit/source.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct line {
    uint32_t at;                   /* a file has at most 64 MiB */
    uint32_t section;              /* the line of the "[" above it, or itself; 0: none */
};

struct file {
    char *name;
    struct text content;
    struct line *lines;            /* by number - 1 */
    size_t count;
};

struct source {
    const struct conf_source *from;
    struct file **files;
    size_t count, room, bytes;
    struct file *last;             /* findings come by file */
    int err;
};

int source_open(struct source **out, const struct conf_source *from)
{
    struct source *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->from = from ? from : &conf_disk;
    *out = s;
    return 0;
}

static void file_free(struct file *f)
{
    if (!f)
        return;
    free(f->name);
    free((char *)f->content.p);
    free(f->lines);
    free(f);
}

void source_free(struct source *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        file_free(s->files[i]);
    free(s->files);
    free(s);
}

static int index_lines(struct file *f)
{
    struct text rest = f->content, line;
    uint32_t section = 0;
    size_t n = 1;

    for (size_t i = 0; i < f->content.n; i++)
        n += f->content.p[i] == '\n';
    f->lines = calloc(n, sizeof *f->lines);
    if (!f->lines)
        return -ENOMEM;
    while (f->count < n && text_cut(&rest, '\n', &line)) {
        const struct text words = text_trim(line);

        if (words.n && words.p[0] == '[')
            section = (uint32_t)f->count + 1;
        f->lines[f->count++] = (struct line){ .at = (uint32_t)(line.p - f->content.p), .section = section };
    }
    return 0;
}

/* A file that cannot be read is kept, too, without lines: it is not tried again for each finding. */
static int file_read(struct source *s, struct file *f)
{
    int err = s->from->read(s->from->arg, f->name, &f->content);

    if (err) {
        f->content = TEXT_NONE;
        return err == -ENOMEM ? err : 0;
    }
    if (f->content.n >= SOURCE_BYTES_MAX - s->bytes) {
        free((char *)f->content.p);
        f->content = TEXT_NONE;
        return 0;
    }
    s->bytes += f->content.n;
    return index_lines(f);
}

static int file_add(struct source *s, const char *name, struct file **out)
{
    struct file *f;
    int err = 0;

    if (s->count == s->room) {
        const size_t want = s->room ? s->room * 2 : 8;
        struct file **bigger = realloc(s->files, want * sizeof *bigger);

        if (!bigger)
            return -ENOMEM;
        s->files = bigger;
        s->room = want;
    }
    f = calloc(1, sizeof *f);
    if (f)
        f->name = strdup(name);
    err = f && f->name ? file_read(s, f) : -ENOMEM;
    if (err) {
        file_free(f);
        return err;
    }
    s->files[s->count++] = f;
    *out = f;
    return 0;
}

static const struct file *file_of(struct source *s, const char *name)
{
    struct file *f = NULL;
    int err;

    if (!name)
        return NULL;
    if (s->last && strcmp(s->last->name, name) == 0)
        return s->last;
    for (size_t i = 0; i < s->count && !f; i++)
        if (strcmp(s->files[i]->name, name) == 0)
            f = s->files[i];
    if (!f) {
        err = file_add(s, name, &f);
        if (err)
            s->err = err;
    }
    if (f)
        s->last = f;
    return f;
}

static struct text line_of(const struct file *f, unsigned line)
{
    struct text rest, found = TEXT_NONE;

    if (!f || line == 0 || line > f->count)
        return TEXT_NONE;
    rest = text_skip(f->content, f->lines[line - 1].at);
    text_cut(&rest, '\n', &found);
    if (found.n && found.p[found.n - 1] == '\r')
        found.n--;
    return found;
}

struct text source_line(struct source *s, const char *file, unsigned line)
{
    return line_of(file_of(s, file), line);
}

struct text source_section(struct source *s, const char *file, unsigned line)
{
    const struct file *const f = file_of(s, file);

    return f && line && line <= f->count && f->lines[line - 1].section ? line_of(f, f->lines[line - 1].section) : TEXT("");
}

int source_error(const struct source *s)
{
    return s->err;
}
