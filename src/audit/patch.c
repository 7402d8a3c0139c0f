/* Makes the changes of a plan: as a unified diff, or as whole files. */
#include "audit/plan.h"

#include <stdlib.h>
#include <string.h>

#include "audit/plan_lines.h"

enum { AROUND = 3, WHOLE_MAX = 256 * 1024 * 1024 };

struct lines {
    struct text *items;
    size_t count;
    bool has_end;                  /* the last line ends with LF */
};

static int lines_split(struct lines *l, struct text t)
{
    struct text rest = t, one;
    size_t n = 1;

    for (size_t i = 0; i < t.n; i++)
        n += t.p[i] == '\n';
    l->items = calloc(n, sizeof *l->items);
    if (!l->items)
        return -ENOMEM;
    l->has_end = t.n > 0 && t.p[t.n - 1] == '\n';
    while (l->count < n && text_cut(&rest, '\n', &one))
        l->items[l->count++] = one;
    if (l->has_end)
        l->count--;
    return 0;
}

/* A file, read once more: is it what the plan saw? */
struct opened {
    const char *file;
    struct text content;
    struct lines lines;
    const struct plan_move **moves; /* by line, from 0: what changes it; a template's line is seen in several contexts, and changed once */
};

static void opened_free(struct opened *o)
{
    free(o->moves);
    free(o->lines.items);
    free((char *)o->content.p);
}

static int moves_find(struct opened *o, const struct plan *p)
{
    o->moves = calloc(o->lines.count + 1, sizeof *o->moves);
    if (!o->moves)
        return -ENOMEM;
    for (size_t i = 0; i < p->move_count; i++) {
        const struct plan_move *const m = &p->moves[i];
        const size_t line = m->use->place.line;

        if (m->state != PLAN_PATCH || strcmp(m->use->place.file, o->file) != 0)
            continue;
        if (line > o->lines.count || !plan_line_can_go(m->use->step, o->lines.items[line - 1]))
            return -ESTALE;
        if (!o->moves[line - 1])
            o->moves[line - 1] = m;
    }
    return 0;
}

static int opened_read(struct opened *o, const struct plan *p, const char *file)
{
    const struct conf_source *const disk = p->audit->opt.source;
    int err;

    *o = (struct opened){ .file = file };
    err = disk->read(disk->arg, file, &o->content);
    if (err)
        return err;
    err = lines_split(&o->lines, o->content);
    if (!err)
        err = moves_find(o, p);
    if (err)
        opened_free(o);
    return err;
}

static void line_put(struct buf *out, const struct lines *l, size_t i, char sign)
{
    buf_add_char(out, sign);
    buf_add_text(out, l->items[i]);
    buf_add_char(out, '\n');
    if (i + 1 == l->count && !l->has_end)
        buf_add_text(out, TEXT("\\ No newline at end of file\n"));
}

static void change_put(struct buf *out, const struct plan *p, const struct lines *l, size_t i, const struct plan_move *m)
{
    line_put(out, l, i, '-');
    plan_lines(p, m, l->items[i], "+", out);
}

static void hunks_put(struct buf *out, const struct plan *p, const struct opened *o)
{
    const struct lines *const l = &o->lines;
    size_t i = 0, more = 0;

    while (i < l->count) {
        size_t from, to, grown = 0;

        if (!o->moves[i]) {
            i++;
            continue;
        }
        from = i > AROUND ? i - AROUND : 0;
        for (to = i; to < l->count && to <= i + 2 * AROUND; to++) /* the next change near enough joins in */
            if (o->moves[to]) {
                i = to;
                grown += plan_lines_added(o->moves[to]);
            }
        to = i + AROUND + 1 < l->count ? i + AROUND + 1 : l->count;
        buf_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", from + 1, to - from, from + 1 + more, to - from + grown);
        for (size_t k = from; k < to; k++) {
            if (o->moves[k])
                change_put(out, p, l, k, o->moves[k]);
            else
                line_put(out, l, k, ' ');
        }
        more += grown;
        i = to;
    }
}

static int file_patch(const struct plan *p, const char *file, void *arg)
{
    struct buf *const out = arg;
    const char *name = file + strlen(p->audit->opt.folder);
    struct opened o;
    const int err = opened_read(&o, p, file);

    if (err)
        return err;
    while (*name == '/')
        name++;
    buf_addf(out, "--- %s\n+++ %s\n", name, name);
    hunks_put(out, p, &o);
    opened_free(&o);
    return out->err;
}

static void whole_put(struct buf *out, const struct plan *p, const struct opened *o)
{
    for (size_t i = 0; i < o->lines.count; i++) {
        if (o->moves[i]) {
            plan_lines(p, o->moves[i], o->lines.items[i], "", out);
            continue;
        }
        buf_add_text(out, o->lines.items[i]);
        if (i + 1 < o->lines.count || o->lines.has_end)
            buf_add_char(out, '\n');
    }
}

struct whole_to {
    plan_file_fn *on_file;
    void *arg;
};

static int file_whole(const struct plan *p, const char *file, void *arg)
{
    const struct whole_to *const to = arg;
    struct opened o;
    struct buf b;
    int err = opened_read(&o, p, file);

    if (err)
        return err;
    buf_init(&b, WHOLE_MAX);
    whole_put(&b, p, &o);
    err = b.err ? b.err : to->on_file(to->arg, file, o.content, buf_text(&b));
    buf_free(&b);
    opened_free(&o);
    return err;
}

/* Each file that is changed, once, in the order of the plan. names: room for as many as there are moves. */
static size_t files_find(const struct plan *p, const char **names)
{
    size_t count = 0, k;

    for (size_t i = 0; i < p->move_count; i++) {
        const char *const file = p->moves[i].use->place.file;

        if (p->moves[i].state != PLAN_PATCH)
            continue;
        for (k = count; k > 0 && strcmp(names[k - 1], file) != 0; k--)  /* mostly the one before */
            ;
        if (k == 0)
            names[count++] = file;
    }
    return count;
}

typedef int visit_file(const struct plan *p, const char *file, void *arg);

static int files_each(const struct plan *p, visit_file *visit, void *arg)
{
    const char **names = calloc(p->move_count + 1, sizeof *names);
    size_t count;
    int err = 0;

    if (!names)
        return -ENOMEM;
    count = files_find(p, names);
    for (size_t i = 0; !err && i < count; i++)
        err = visit(p, names[i], arg);
    free(names);
    return err;
}

int plan_patch(const struct plan *p, struct buf *out)
{
    return files_each(p, file_patch, out);
}

int plan_files(const struct plan *p, plan_file_fn *on_file, void *arg)
{
    return files_each(p, file_whole, &(struct whole_to){ .on_file = on_file, .arg = arg });
}
