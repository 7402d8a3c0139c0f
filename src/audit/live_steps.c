/* Sorts the steps of both sides and walks them side by side. */
#include "audit/live_steps.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "audit/dialplan.h"
#include "audit/settings.h"

enum { PRIORITY_MAX = 1000000, NAME_SHOWN = 40 };

struct step {
    struct text context, extension;
    unsigned priority;
    uint64_t mark;
    const struct dialplan_step *of_file; /* NULL: of the running system */
};

struct side {
    struct step *steps;            /* by context, extension, priority, mark */
    size_t count;
};

static int compare_extension(const struct step *x, const struct step *y)
{
    const int order = text_order(x->context, y->context);

    return order ? order : text_order(x->extension, y->extension);
}

static int compare_place(const struct step *x, const struct step *y)
{
    const int order = compare_extension(x, y);

    return order ? order : (x->priority > y->priority) - (x->priority < y->priority);
}

static int compare(const void *a, const void *b)
{
    const struct step *x = a, *y = b;
    const int order = compare_place(x, y);

    return order ? order : (x->mark > y->mark) - (x->mark < y->mark);
}

/* ---- the two sides ---- */

/* Extensions of AEL and Lua have another registrar; those that users.conf makes (pbx_config.c:pbx_load_users) have not. */
static bool is_elsewhere(const struct audit *a, const struct settings *phones, struct text context, struct text extension)
{
    const struct dialplan_context *c = dialplan_context_of(a->dialplan, context);
    const struct dialplan_extension *e = c ? dialplan_extension_of(a->dialplan, c, extension, TEXT_NONE) : NULL;

    if (!c || (e && e->origin != DIALPLAN_CONF))
        return true;
    for (size_t i = 0; i < phones->count; i++)
        if (text_eq(phones->groups[i].name, extension))
            return true;
    return phones->count && text_eq(settings_value(settings_find(phones, "general"), "vmexten"), extension);
}

/* "12 00c1d2e3f4a5b6c7 NoOp" */
static bool read_step(struct text t, struct step *out)
{
    char mark[17];
    struct text word;
    char *end;
    int64_t priority;

    if (!text_cut(&t, ' ', &word) || text_to_i64(word, &priority) || priority < 1 || priority > PRIORITY_MAX || !text_cut(&t, ' ', &word) || word.n != 16)
        return false;
    text_copy(mark, sizeof mark, word);
    out->mark = strtoull(mark, &end, 16);
    out->priority = (unsigned)priority;
    return *end == '\0';
}

static int read_running(struct side *out, struct audit *a, const struct conf_section *s)
{
    struct step now = { 0 };
    struct settings phones;
    bool is_passed_over = true;

    out->steps = arena_take(a->memory, (s->count + 1) * sizeof *out->steps);
    if (!out->steps || settings_read(&phones, a->memory, a->files[AUDIT_USERS]))
        return -ENOMEM;
    for (size_t i = 0; i < s->count; i++) {
        const struct conf_item *item = &s->items[i];

        if (text_eq(item->name, TEXT("context"))) {
            now.context = item->value;
            is_passed_over = true;
        } else if (text_eq(item->name, TEXT("extension"))) {
            now.extension = item->value;
            is_passed_over = !now.context.p || is_elsewhere(a, &phones, now.context, now.extension);
        } else if (!is_passed_over && read_step(item->value, &now)) {
            out->steps[out->count++] = now;
        }
    }
    if (out->count)
        qsort(out->steps, out->count, sizeof *out->steps, compare);
    return 0;
}

static void read_extension(struct side *out, const struct dialplan_extension *e)
{
    if (e->origin != DIALPLAN_CONF || !live_is_plain(e->name))
        return;
    for (size_t i = 0; i < e->step_count; i++) {
        const struct dialplan_step *s = &e->steps[i];

        out->steps[out->count++] =
            (struct step){ .context = e->context->name, .extension = e->name, .priority = s->priority, .mark = live_step_mark(s->app, s->args), .of_file = s };
    }
}

static int read_files(struct side *out, struct audit *a, const struct conf_section *contexts)
{
    const struct dialplan *d = a->dialplan;
    struct live_names loaded;

    out->steps = arena_take(a->memory, (d->step_count + 1) * sizeof *out->steps);
    if (!out->steps || live_names_of(&loaded, a, contexts))
        return -ENOMEM;
    for (size_t i = 0; i < d->context_count; i++) {
        const struct dialplan_context *c = d->contexts[i];

        if (live_names_have(&loaded, c->name))
            for (size_t k = 0; k < c->extension_count; k++)
                read_extension(out, c->extensions[k]);
    }
    if (out->count)
        qsort(out->steps, out->count, sizeof *out->steps, compare);
    return 0;
}

/* ---- differences ---- */

struct comparing {
    struct audit *audit;
    struct live_difference *list;
    size_t count, room;
    int err;
};

static struct live_difference *difference_of(struct comparing *c, const struct step *s)
{
    if (c->count && text_eq(c->list[c->count - 1].context, s->context))
        return &c->list[c->count - 1];
    if (c->count == c->room) {
        const size_t room = c->room ? c->room * 2 : 16;
        struct live_difference *bigger = arena_take(c->audit->memory, room * sizeof *bigger);

        if (!bigger) {
            c->err = -ENOMEM;
            return NULL;
        }
        if (c->count)
            memcpy(bigger, c->list, c->count * sizeof *bigger);
        c->list = bigger;
        c->room = room;
    }
    c->list[c->count] =
        (struct live_difference){ .context = s->context,
                                  .place = s->of_file ? s->of_file->place : dialplan_context_of(c->audit->dialplan, s->context)->place };
    return &c->list[c->count++];
}

static void name_one(struct live_difference *d, const struct step *s, bool is_whole)
{
    if (d->named_count < LIVE_NAMED_MAX)
        d->named[d->named_count++] = (struct live_example){ .extension = s->extension, .priority = is_whole ? 0 : s->priority };
}

static void note_extension(struct comparing *c, const struct step *s)
{
    struct live_difference *d = difference_of(c, s);

    if (d) {
        d->extensions++;
        name_one(d, s, true);
    }
}

static void note_steps(struct comparing *c, const struct step *s, size_t count)
{
    struct live_difference *d = count ? difference_of(c, s) : NULL;

    if (d) {
        d->steps += count;
        name_one(d, s, false);
    }
}

static size_t run_of(const struct step *s, size_t left, int (*order)(const struct step *, const struct step *))
{
    size_t n = 1;

    while (n < left && order(s, s + n) == 0)
        n++;
    return left ? n : 0;
}

/* How many marks both lists have; both are sorted. */
static size_t common(const struct step *x, size_t nx, const struct step *y, size_t ny)
{
    size_t i = 0, k = 0, both = 0;

    while (i < nx && k < ny) {
        if (x[i].mark == y[k].mark) {
            both++;
            i++;
            k++;
        } else if (x[i].mark < y[k].mark) {
            i++;
        } else {
            k++;
        }
    }
    return both;
}

/* An extension that both have. Steps of one priority are several where callers are told apart ("2/100"), which ShowDialPlan does not tell (seen). Where
 * other arguments are loaded the file's step counts as not loaded, and the loaded one not as one too many. */
static void compare_steps(struct comparing *loaded, struct comparing *file, const struct step *l, size_t nl, const struct step *f, size_t nf)
{
    while (nl || nf) {
        const int order = !nl ? 1 : !nf ? -1 : compare_place(l, f);
        const size_t rl = order <= 0 ? run_of(l, nl, compare_place) : 0, rf = order >= 0 ? run_of(f, nf, compare_place) : 0;

        note_steps(loaded, l, rl > rf ? rl - rf : 0);
        note_steps(file, f, rf - common(l, rl, f, rf));
        l += rl;
        nl -= rl;
        f += rf;
        nf -= rf;
    }
}

static void compare_sides(struct comparing *loaded, struct comparing *file, const struct side *running, const struct side *files)
{
    size_t i = 0, k = 0;

    while ((i < running->count || k < files->count) && !loaded->err && !file->err) {
        const struct step *l = running->steps + i, *f = files->steps + k;
        const int order = i == running->count ? 1 : k == files->count ? -1 : compare_extension(l, f);
        const size_t rl = order <= 0 ? run_of(l, running->count - i, compare_extension) : 0,
                     rf = order >= 0 ? run_of(f, files->count - k, compare_extension) : 0;

        if (order < 0)
            note_extension(loaded, l);
        else if (order > 0)
            note_extension(file, f);
        else
            compare_steps(loaded, file, l, rl, f, rf);
        i += rl;
        k += rf;
    }
}

static int compare_all(struct live_differences *out, struct audit *a)
{
    const struct conf_section *contexts = live_section(a, "contexts"), *steps = live_section(a, "steps");
    struct comparing loaded = { .audit = a }, file = { .audit = a };
    struct side running = { 0 }, files = { 0 };
    int err;

    if (!contexts || !steps || !a->dialplan)
        return 0;
    err = read_running(&running, a, steps);
    if (!err)
        err = read_files(&files, a, contexts);
    if (err)
        return err;
    compare_sides(&loaded, &file, &running, &files);
    *out = (struct live_differences){ .loaded_only = loaded.list, .loaded_only_count = loaded.count, .file_only = file.list, .file_only_count = file.count };
    return loaded.err ? loaded.err : file.err;
}

int live_steps_compare(const struct live_differences **out, struct audit *a)
{
    struct live_differences *d = a->differences;
    int err = 0;

    if (!d) {
        d = arena_take(a->memory, sizeof *d);
        err = d ? compare_all(d, a) : -ENOMEM;
    }
    if (!err)
        *out = a->differences = d;
    return err;
}

/* ---- words ---- */

static size_t put(char *out, size_t size, size_t n, const char *format, ...) __attribute__((format(printf, 4, 5)));

static size_t put(char *out, size_t size, size_t n, const char *format, ...)
{
    va_list ap;
    int more;

    va_start(ap, format);
    more = vsnprintf(out + n, size - n, format, ap);
    va_end(ap);
    return more < 0 || n + (size_t)more >= size ? size - 1 : n + (size_t)more;
}

static size_t put_named(const struct live_difference *d, char *out, size_t size, size_t n)
{
    n = put(out, size, n, " (");
    for (size_t i = 0; i < d->named_count; i++) {
        const struct text name = text_head(d->named[i].extension, NAME_SHOWN);

        n = put(out, size, n, "%s%.*s", i ? ", " : "", TEXT_ARG(name));
        if (d->named[i].priority)
            n = put(out, size, n, " priority %u", d->named[i].priority);
    }
    return put(out, size, n, "%s)", d->extensions + d->steps > d->named_count ? ", ..." : "");
}

void live_difference_write(const struct live_difference *d, char *out, size_t size)
{
    size_t n = 0;

    *out = '\0';
    if (d->extensions)
        n = put(out, size, n, "%zu extension%s", d->extensions, d->extensions == 1 ? "" : "s");
    if (d->steps)
        n = put(out, size, n, "%s%zu step%s", d->extensions ? " and " : "", d->steps, d->steps == 1 ? "" : "s");
    put_named(d, out, size, n);
}
