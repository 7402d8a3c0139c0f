/* Makes the changes of a plan: as a unified diff, or as whole files. */
#include "audit/plan.h"

#include <stdlib.h>
#include <string.h>

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

/* The move that changes this line; a template's line is seen in several contexts, and changed once. */
static const struct plan_move *move_at(const struct plan *p, const char *file, size_t line)
{
    for (size_t i = 0; i < p->move_count; i++)
        if (p->moves[i].state == PLAN_PATCH && p->moves[i].use->place.line == line && strcmp(p->moves[i].use->place.file, file) == 0)
            return &p->moves[i];
    return NULL;
}

static void line_put(struct buf *out, const struct lines *l, size_t i, char sign)
{
    buf_add_char(out, sign);
    buf_add_text(out, l->items[i]);
    buf_add_char(out, '\n');
    if (i + 1 == l->count && !l->has_end)
        buf_add_text(out, TEXT("\\ No newline at end of file\n"));
}

/* The first line keeps the priority and the label; the old line stays, for when nobody answers. BUSY: the script did not begin. After any other
 * state it may have run, and is not run twice. Added as text: a file may hold a NUL, at which a format would end. */
static void fresh_put(struct buf *out, struct text line, const struct plan_move *m, const char *sign)
{
    const struct inventory_use *u = m->use;
    const size_t at = u->step->app_column - 1;
    const unsigned n = u->place.line;

    buf_add_text(out, text_of(sign));
    buf_add_text(out, text_head(line, at));
    buf_addf(out, "Set(SIDETONE_STATUS=)\n%s same => n,AGI(agi://127.0.0.1:4573/%s%s", sign, m->route->name, u->args.n ? "," : "");
    buf_add_text(out, u->args);
    buf_addf(out, ")\n%s same => n,GotoIf($[\"${SIDETONE_STATUS}\" != \"\" & \"${SIDETONE_STATUS}\" != \"BUSY\"]?sidetone-%u)\n", sign, n);
    buf_addf(out, "%s same => n,", sign);
    buf_add_text(out, text_skip(line, at));
    buf_addf(out, "\n%s same => n(sidetone-%u),NoOp(${SIDETONE_STATUS})\n", sign, n);
}

static void change_put(struct buf *out, const struct lines *l, size_t i, const struct plan_move *m)
{
    line_put(out, l, i, '-');
    fresh_put(out, l->items[i], m, "+");
}

static void hunks_put(struct buf *out, const struct plan *p, const char *file, const struct lines *l)
{
    size_t i = 0, more = 0;

    while (i < l->count) {
        size_t from, to, changes = 0;

        if (!move_at(p, file, i + 1)) {
            i++;
            continue;
        }
        from = i > AROUND ? i - AROUND : 0;
        for (to = i; to < l->count && to <= i + 2 * AROUND; to++) /* the next change near enough joins in */
            if (move_at(p, file, to + 1)) {
                i = to;
                changes++;
            }
        to = i + AROUND + 1 < l->count ? i + AROUND + 1 : l->count;
        buf_addf(out, "@@ -%zu,%zu +%zu,%zu @@\n", from + 1, to - from, from + 1 + more, to - from + changes * 4);
        for (size_t k = from; k < to; k++) {
            const struct plan_move *const m = move_at(p, file, k + 1);

            if (m)
                change_put(out, l, k, m);
            else
                line_put(out, l, k, ' ');
        }
        more += changes * 4;
        i = to;
    }
}

/* A file, read once more: is it what the plan saw? */
struct opened {
    const char *file;
    struct text content;
    struct lines lines;
};

static void opened_free(struct opened *o)
{
    free(o->lines.items);
    free((char *)o->content.p);
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
    for (size_t i = 0; !err && i < p->move_count; i++) {
        const struct plan_move *const m = &p->moves[i];

        if (m->state == PLAN_PATCH && strcmp(m->use->place.file, file) == 0 &&
            (m->use->place.line > o->lines.count || !plan_line_fits(m->use->step, o->lines.items[m->use->place.line - 1])))
            err = -ESTALE;
    }
    if (err)
        opened_free(o);
    return err;
}

static int file_patch(struct buf *out, const struct plan *p, const char *file)
{
    const char *name = file + strlen(p->audit->opt.folder);
    struct opened o;
    const int err = opened_read(&o, p, file);

    if (err)
        return err;
    while (*name == '/')
        name++;
    buf_addf(out, "--- %s\n+++ %s\n", name, name);
    hunks_put(out, p, file, &o.lines);
    opened_free(&o);
    return out->err;
}

static void whole_put(struct buf *out, const struct plan *p, const struct opened *o)
{
    for (size_t i = 0; i < o->lines.count; i++) {
        const struct plan_move *const m = move_at(p, o->file, i + 1);

        if (m) {
            fresh_put(out, o->lines.items[i], m, "");
            continue;
        }
        buf_add_text(out, o->lines.items[i]);
        if (i + 1 < o->lines.count || o->lines.has_end)
            buf_add_char(out, '\n');
    }
}

static int file_whole(const struct plan *p, const char *file, plan_file_fn *on_file, void *arg)
{
    struct opened o;
    struct buf b;
    int err = opened_read(&o, p, file);

    if (err)
        return err;
    buf_init(&b, WHOLE_MAX);
    whole_put(&b, p, &o);
    err = b.err ? b.err : on_file(arg, file, o.content, buf_text(&b));
    buf_free(&b);
    opened_free(&o);
    return err;
}

static bool is_first_of_file(const struct plan *p, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (p->moves[i].state == PLAN_PATCH && strcmp(p->moves[i].use->place.file, p->moves[at].use->place.file) == 0)
            return false;
    return p->moves[at].state == PLAN_PATCH;
}

int plan_patch(const struct plan *p, struct buf *out)
{
    int err = 0;

    for (size_t i = 0; !err && i < p->move_count; i++)
        if (is_first_of_file(p, i))
            err = file_patch(out, p, p->moves[i].use->place.file);
    return err;
}

int plan_files(const struct plan *p, plan_file_fn *on_file, void *arg)
{
    int err = 0;

    for (size_t i = 0; !err && i < p->move_count; i++)
        if (is_first_of_file(p, i))
            err = file_whole(p, p->moves[i].use->place.file, on_file, arg);
    return err;
}
