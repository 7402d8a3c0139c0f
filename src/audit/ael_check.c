/* Looks at a dialplan in AEL as Asterisk does before it compiles it (res/ael/pval.c of 22.10.1, ael2_semantic_check). */
#include "audit/ael_tree.h"

#include <stdlib.h>
#include <string.h>

enum { CANDIDATES_MAX = 4096, INCLUDED_MAX = 256 };

struct check {
    struct ael_tree *t;
    struct ael_labels *labels;
};

bool ael_cut(struct text *rest, struct text *one)
{
    size_t depth = 0, i = 0;

    if (!rest->p)
        return false;
    for (; i < rest->n; i++) {
        const char c = rest->p[i];

        if (i > 0 && rest->p[i - 1] == '\\')
            continue;
        if (c == ',' && depth == 0)
            break;
        depth += c == '(';
        depth -= c == ')' && depth > 0;
    }
    *one = text_head(*rest, i);
    *rest = i < rest->n ? text_skip(*rest, i + 1) : TEXT_NONE;
    return true;
}

static size_t count_of(struct text list, bool is_there)
{
    struct text one;
    size_t n = 0;

    while (is_there && ael_cut(&list, &one))
        n++;
    return n;
}

static int by_name(const void *x, const void *y)
{
    const struct ael_node *a = *(const struct ael_node *const *)x, *b = *(const struct ael_node *const *)y;
    const int order = text_order(a->name, b->name);

    return order ? order : (a->order > b->order) - (a->order < b->order);
}

/* The first of that name that stands at or behind the place; count: none. */
static size_t found_at(const struct ael_index *in, struct text name, size_t order)
{
    size_t low = 0, high = in->count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int side = text_order(in->of[middle]->name, name);

        if (side < 0 || (side == 0 && in->of[middle]->order < order))
            low = middle + 1;
        else
            high = middle;
    }
    return low < in->count && text_eq(in->of[low]->name, name) ? low : in->count;
}

/* The first of that name between two places; NULL: none. */
static const struct ael_node *found_between(const struct ael_index *in, struct text name, size_t from, size_t to)
{
    const size_t i = found_at(in, name, from);

    return i < in->count && in->of[i]->order < to ? in->of[i] : NULL;
}

static const struct ael_node *object_of(const struct ael_labels *l, struct text name)
{
    return found_between(&l->objects, name, 0, SIZE_MAX);
}

/* ---- what Asterisk adds ---- */

static struct ael_node *made(struct ael_tree *t, enum ael_kind kind, struct conf_place place)
{
    struct ael_node *n = ael_node_new(t, kind, place);

    if (n)
        n->is_made = true;
    return n;
}

static void macro_finish(struct ael_tree *t, struct ael_node *macro)
{
    struct ael_node **last = &macro->child;

    while (*last && (*last)->next)
        last = &(*last)->next;
    if (*last && (*last)->kind == AEL_RETURN)
        return;
    last = *last ? &(*last)->next : last;
    *last = made(t, AEL_RETURN, macro->place);
}

static void switch_finish(struct ael_tree *t, struct ael_node *n)
{
    struct ael_node **last = &n->child;

    if (!n->child && n->is_damaged)
        return;
    if (!n->child) {
        ael_problem(&t->lexer, n->place, DIALPLAN_SKIPPED, "a switch without a case: Asterisk crashes when it loads this");
        return;
    }
    for (; *last; last = &(*last)->next)
        if ((*last)->kind == AEL_DEFAULT)
            return;
    *last = made(t, AEL_DEFAULT, n->place);
}

/* ---- the walk ---- */

static void keep(struct check *c, struct ael_index *in, const struct ael_node *n)
{
    if (in->count == in->room) {
        const size_t want = in->room ? in->room * 2 : 64;
        const struct ael_node **bigger = arena_take(c->t->memory, want * sizeof *bigger);

        if (!bigger) {
            c->t->b->err = -ENOMEM;
            return;
        }
        if (in->count)
            memcpy(bigger, in->of, in->count * sizeof *bigger);
        in->of = bigger;
        in->room = want;
    }
    in->of[in->count++] = n;
}

static void walk(struct check *c, struct ael_node *n, struct ael_node *dad, size_t *order)
{
    for (; n && !c->t->b->err; n = n->next) {
        n->dad = dad;
        n->order = ++*order;
        if (n->kind == AEL_MACRO)
            macro_finish(c->t, n);
        else if (n->kind == AEL_SWITCH)
            switch_finish(c->t, n);
        else if (n->kind == AEL_CALL && text_eq_nocase(n->name, TEXT("MacroExit")))
            n->kind = AEL_RETURN;  /* Asterisk makes that of it */
        else if (n->kind == AEL_LABEL)
            keep(c, &c->labels->labels, n);
        else if (n->kind == AEL_EXTENSION)
            keep(c, &c->labels->extensions, n);
        if (n->kind == AEL_CONTEXT || n->kind == AEL_MACRO)
            keep(c, &c->labels->objects, n);
        walk(c, n->child, n, order);
        walk(c, n->otherwise, n, order);
        n->end = *order + 1;
    }
}

static void sort(struct ael_index *in)
{
    if (in->count)
        qsort(in->of, in->count, sizeof *in->of, by_name);
}

/* ---- where jumps lead ---- */

static const struct ael_node *around(const struct ael_node *n, bool is_extension_enough)
{
    while (n && n->kind != AEL_CONTEXT && n->kind != AEL_MACRO && !(is_extension_enough && n->kind == AEL_EXTENSION))
        n = n->dad;
    return n;
}

bool ael_is_in_case(const struct ael_node *n)
{
    for (; n && n->kind != AEL_MACRO && n->kind != AEL_CONTEXT; n = n->dad)
        if (n->kind == AEL_CASE || n->kind == AEL_DEFAULT || n->kind == AEL_PATTERN)
            return true;
    return false;
}

static bool is_variable(const struct ael_node *jump)
{
    for (unsigned i = 0; i < jump->part_count; i++)
        if (text_find_text(jump->part[i], TEXT("${")) >= 0)
            return true;
    return false;
}

static bool takes(const struct ael_node *extension, struct text dialled)
{
    return text_eq(extension->name, dialled) || (text_starts(extension->name, TEXT("_")) && dialplan_matches(extension->name, dialled));
}

/* Priority 1 of an extension: its first statement. */
static const struct ael_node *first_of(const struct ael_labels *l, const struct ael_node *scope, struct text extension)
{
    const struct ael_node *exact = found_between(&l->extensions, extension, scope->order, scope->end);
    size_t tried = 0;

    if (exact && exact->child)
        return exact->child;
    for (const struct ael_node *e = scope->child; e; e = e->next)
        if (e->kind == AEL_EXTENSION && e->child && (++tried > CANDIDATES_MAX || takes(e, extension)))
            return e->child; /* of so many, one will do */
    return NULL;
}

static const struct ael_node *label_in(const struct ael_labels *l, const struct ael_node *scope, struct text extension, struct text label)
{
    const struct ael_index *in = &l->labels;
    size_t i = found_at(in, label, scope->order);

    if (text_eq(label, TEXT("1")) && scope->kind == AEL_CONTEXT)
        return first_of(l, scope, extension);
    for (size_t n = 0; i < in->count && text_eq(in->of[i]->name, label) && in->of[i]->order < scope->end; n++, i++) {
        const struct ael_node *e = around(in->of[i], true);

        if (scope->kind == AEL_MACRO || n > CANDIDATES_MAX || (e && e->kind == AEL_EXTENSION && takes(e, extension)))
            return in->of[i];
    }
    return NULL;
}

static bool is_among(const struct ael_node *const *list, size_t count, const struct ael_node *n)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == n)
            return true;
    return false;
}

/* In the context, or in one that it includes, each once. Of so many that the list is full, the last one will do. */
static const struct ael_node *label_around(const struct ael_labels *l, const struct ael_node *scope, struct text extension, struct text label)
{
    const struct ael_node *looked_at[INCLUDED_MAX] = { scope }, *found = NULL;
    size_t count = 1;

    for (size_t i = 0; !found && i < count; i++) {
        found = label_in(l, looked_at[i], extension, label);
        for (const struct ael_node *n = looked_at[i]->child; !found && n; n = n->next) {
            const struct ael_node *included = n->kind == AEL_INCLUDE ? object_of(l, n->name) : NULL;

            if (!included || included->kind != AEL_CONTEXT || is_among(looked_at, count, included))
                continue;
            if (count == INCLUDED_MAX)
                found = included;
            else
                looked_at[count++] = included;
        }
    }
    return found;
}

static const struct ael_node *target_named(const struct ael_labels *l, const struct ael_node *jump)
{
    const struct ael_index *in = &l->objects;
    const struct ael_node *found = NULL, *first = object_of(l, jump->part[0]);

    for (size_t i = found_at(in, jump->part[0], 0); !found && i < in->count && text_eq(in->of[i]->name, jump->part[0]); i++)
        found = label_in(l, in->of[i], jump->part[1], jump->part[2]);
    return found || !first || first->kind == AEL_MACRO ? found : label_around(l, first, jump->part[1], jump->part[2]);
}

const struct ael_node *ael_target(const struct ael_labels *labels, const struct ael_node *jump, bool is_compiling)
{
    const struct ael_node *scope;

    if (is_variable(jump))
        return NULL;
    if (jump->part_count == 3)
        return is_compiling ? NULL : target_named(labels, jump);
    scope = around(jump, jump->part_count == 1);
    if (!scope)
        return NULL;
    if (jump->part_count == 2) /* Asterisk looks for extensions in a macro's arguments, and finds none */
        return scope->kind == AEL_MACRO ? NULL : is_compiling ? label_in(labels, scope, jump->part[0], jump->part[1])
                                                               : label_around(labels, scope, jump->part[0], jump->part[1]);
    if (scope->kind == AEL_EXTENSION && text_eq(jump->part[0], TEXT("1")))
        return scope->child;
    /* Asterisk looks on behind the extension, too, as far as the list goes that it stands in. */
    return found_between(&labels->labels, jump->part[0], scope->order, scope->dad ? scope->dad->end : SIZE_MAX);
}

/* ---- what makes Asterisk refuse the file ---- */

#define REFUSED "Asterisk loads nothing of extensions.ael"

static bool is_within_loop(const struct ael_node *n, bool with_cases)
{
    for (; n && n->kind != AEL_MACRO && n->kind != AEL_CONTEXT; n = n->dad)
        if (n->kind == AEL_WHILE || n->kind == AEL_FOR || (with_cases && (n->kind == AEL_CASE || n->kind == AEL_DEFAULT || n->kind == AEL_PATTERN)))
            return true;
    return false;
}

static void check_jump(struct check *c, const struct ael_node *n)
{
    const bool is_elsewhere = n->part_count == 3 && !object_of(c->labels, n->part[0]); /* in extensions.conf, perhaps */

    if (!is_variable(n) && !is_elsewhere && !ael_target(c->labels, n, false))
        ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "Asterisk's compiler finds no label \"%.*s\" for this jump: " REFUSED,
                    TEXT_ARG(text_head(n->part[n->part_count - 1], 60)));
}

static void check_label(struct check *c, const struct ael_node *n)
{
    const struct ael_node *e = around(n, true), *first = e ? found_between(&c->labels->labels, n->name, e->order, e->end) : NULL;

    if (first && first != n)
        ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "the label \"%.*s\" stands on line %u already: " REFUSED, TEXT_ARG(text_head(n->name, 60)),
                    first->place.line);
}

static void check_macro_call(struct check *c, const struct ael_node *n)
{
    const struct ael_node *macro = object_of(c->labels, n->name);
    const size_t given = count_of(n->part[0], n->part_count > 0);

    if (macro && macro->kind == AEL_CONTEXT)
        ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "\"%.*s\" is a context, not a macro: " REFUSED, TEXT_ARG(text_head(n->name, 60)));
    else if (macro && given != macro->part_count)
        ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "the macro takes %u arguments, and is called with %zu: " REFUSED, macro->part_count, given);
}

static void check_statement(struct check *c, const struct ael_node *n)
{
    const struct ael_node *macro;

    switch (n->kind) {
    case AEL_GOTO:
        check_jump(c, n);
        break;
    case AEL_LABEL:
        check_label(c, n);
        break;
    case AEL_MACRO_CALL:
        check_macro_call(c, n);
        break;
    case AEL_CALL:
        macro = object_of(c->labels, n->name);
        if (macro && macro->kind == AEL_MACRO)
            ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "\"%.*s\" is a macro, and has no \"&\" before it: " REFUSED, TEXT_ARG(text_head(n->name, 60)));
        break;
    case AEL_BREAK:
        if (!is_within_loop(n, true))
            ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "break stands in no loop and in no switch: " REFUSED);
        break;
    case AEL_CONTINUE:
        if (!is_within_loop(n, false))
            ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "continue stands in no loop: " REFUSED);
        break;
    default:
        break;
    }
}

static void check_all(struct check *c, const struct ael_node *n)
{
    for (; n && !c->t->b->err; n = n->next) {
        if (n->kind != AEL_GLOBALS) {
            check_statement(c, n);
            check_all(c, n->child);
            check_all(c, n->otherwise);
        }
    }
}

bool ael_check(struct ael_tree *t, struct ael_labels *labels)
{
    struct check c = { .t = t, .labels = labels };
    size_t order = 0;

    walk(&c, t->first, NULL, &order);
    if (t->b->err)
        return false;
    sort(&labels->labels);
    sort(&labels->objects);
    sort(&labels->extensions);
    check_all(&c, t->first);
    return !t->b->err;
}
