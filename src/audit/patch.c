/* Writes the changes of a plan as a unified diff. */
#include "audit/plan.h"

#include <stdlib.h>
#include <string.h>

enum { AROUND = 3 };

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
    buf_addf(out, "%c%.*s\n", sign, TEXT_ARG(l->items[i]));
    if (i + 1 == l->count && !l->has_end)
        buf_add_text(out, TEXT("\\ No newline at end of file\n"));
}

/* The first line keeps the priority and the label; the old line stays, for when nobody answers. BUSY: the script did not begin. After any other
 * state it may have run, and is not run twice. */
static void change_put(struct buf *out, const struct lines *l, size_t i, const struct plan_move *m)
{
    const struct inventory_use *u = m->use;
    const size_t at = u->step->app_column - 1;

    line_put(out, l, i, '-');
    buf_addf(out, "+%.*sSet(SIDETONE_STATUS=)\n", TEXT_ARG(text_head(l->items[i], at)));
    buf_addf(out, "+ same => n,AGI(agi://127.0.0.1:4573/%s%s%.*s)\n", m->route->name, u->args.n ? "," : "", TEXT_ARG(u->args));
    buf_addf(out, "+ same => n,GotoIf($[\"${SIDETONE_STATUS}\" != \"\" & \"${SIDETONE_STATUS}\" != \"BUSY\"]?sidetone-%zu)\n", i + 1);
    buf_addf(out, "+ same => n,%.*s\n", TEXT_ARG(text_skip(l->items[i], at)));
    buf_addf(out, "+ same => n(sidetone-%zu),NoOp(${SIDETONE_STATUS})\n", i + 1);
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

static int file_patch(struct buf *out, const struct plan *p, const char *file)
{
    const struct conf_source *const disk = p->audit->opt.source;
    const char *name = file + strlen(p->audit->opt.folder);
    struct lines l = { 0 };
    struct text t;
    int err = disk->read(disk->arg, file, &t);

    if (err)
        return err;
    while (*name == '/')
        name++;
    err = lines_split(&l, t);
    for (size_t i = 0; !err && i < p->move_count; i++) { /* read once more: is it what the plan saw? */
        const struct plan_move *const m = &p->moves[i];

        if (m->state == PLAN_PATCH && strcmp(m->use->place.file, file) == 0 &&
            (m->use->place.line > l.count || !plan_line_fits(m->use->step, l.items[m->use->place.line - 1])))
            err = -ESTALE;
    }
    if (!err) {
        buf_addf(out, "--- %s\n+++ %s\n", name, name);
        hunks_put(out, p, file, &l);
        err = out->err;
    }
    free(l.items);
    free((char *)t.p);
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
