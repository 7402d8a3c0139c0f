/* Makes extensions of the cases of a switch and of catch (res/ael/pval.c of 22.10.1, gen_prios). */
#include "audit/ael_code.h"

#include <errno.h>
#include <string.h>

struct ael_routine *ael_routine_new(struct ael_code *c, struct dialplan_context *context, struct text name, const struct ael_node *n)
{
    struct ael_routine *r = c->b->err ? NULL : arena_take(c->t->memory, sizeof *r);

    if (!r) {
        c->b->err = -ENOMEM;
        return NULL;
    }
    *r = (struct ael_routine){ .name = name, .node = n, .context = context, .caller = TEXT_NONE };
    return r;
}

/* Cases come directly behind the extension that they belong to, so the last one stands first. */
static struct ael_routine *behind(struct ael_code *c, struct ael_routine *r, struct text name, const struct ael_node *n, const struct ael_routine *mother)
{
    struct ael_routine *made = ael_routine_new(c, r->context, name, n);

    if (!made)
        return NULL;
    if (mother && mother->has_looked) {
        made->has_switch = mother->has_switch;
        made->has_looked = true;
    }
    if (r->has_looked) {
        made->has_switch = r->has_switch;
        made->has_looked = true;
    }
    made->next = r->next;
    r->next = made;
    return made;
}

/* Digits that the pattern takes; of "[a-c]" the first sign. */
static struct text example_of(struct ael_code *c, struct text pattern)
{
    char out[AEL_TEXT_MAX + 1];
    size_t n = 0;

    for (size_t i = 0; i < pattern.n && n < AEL_TEXT_MAX; i++) {
        if (memchr("xnzXNZ", pattern.p[i], 6)) {
            out[n++] = '9';
        } else if (pattern.p[i] == '[' && i + 1 < pattern.n) {
            const ptrdiff_t close = text_find(text_skip(pattern, i + 1), ']');

            out[n++] = pattern.p[i + 1];
            if (close < 0)
                break;
            i += (size_t)close + 1;
            i += i + 1 < pattern.n && pattern.p[i + 1] == ']';
        } else {
            out[n++] = pattern.p[i];
        }
    }
    return ael_text(c->b, "%.*s", (int)n, out);
}

/* The end of a case that does not leave by itself: into the next one, or behind the switch. */
static void fall_through(struct ael_code *c, struct ael_routine *r, const struct ael_node *n, unsigned number, const struct ael_step *end,
                         const struct ael_routine *mother)
{
    const struct ael_node *next = n->next, *last = n->child;

    while (last && last->next)
        last = last->next;
    if (last && (last->kind == AEL_GOTO || last->kind == AEL_BREAK || last->kind == AEL_RETURN))
        return;
    if (!next) {
        struct ael_step *s = ael_step_new(c, AEL_STEP_GOTO, n);

        s->yes = end;
        ael_step_add(c, r, s, mother);
    } else if (next->kind == AEL_DEFAULT) {
        ael_step_made(c, r, mother, n, "Goto", ael_text(c->b, "sw_%u_.,10", number));
    } else {
        const struct text name = next->kind == AEL_PATTERN ? example_of(c, next->name) : next->name;

        ael_step_made(c, r, mother, n, "Goto", ael_text(c->b, "sw_%u_%.*s,10", number, TEXT_ARG(name)));
    }
}

static struct ael_routine *case_routine(struct ael_code *c, struct ael_routine *r, struct text name, const struct ael_node *n, const struct ael_routine *mother)
{
    struct ael_routine *made = behind(c, r, name, n, mother);

    if (!made)
        return NULL;
    made->is_case = true;
    made->on_break = r->on_break;
    made->on_continue = r->on_continue;
    return made;
}

/* "." does not take nothing at all: an extension of its own leads there. */
static void empty_case(struct ael_code *c, struct ael_routine *r, const struct ael_node *n, unsigned number, const struct ael_routine *mother)
{
    struct ael_routine *empty = case_routine(c, r, ael_text(c->b, "sw_%u_", number), n, mother);

    if (empty)
        ael_step_made(c, empty, mother, n, "Goto", ael_text(c->b, "sw_%u_.,10", number));
}

static void case_add(struct ael_code *c, struct ael_routine *r, struct text label, struct ael_node *n, unsigned number, const struct ael_step *end,
                     struct ael_routine *mother)
{
    const bool is_default = n->kind == AEL_DEFAULT;
    const struct text what = is_default ? TEXT("default") : n->name;
    struct ael_routine *made;
    struct text name;

    if (is_default) {
        name = ael_text(c->b, "_sw_%u_.", number);
        empty_case(c, r, n, number, mother);
    } else {
        name = ael_text(c->b, "%ssw_%u_%.*s", n->kind == AEL_PATTERN ? "_" : "", number, TEXT_ARG(n->name));
    }
    made = case_routine(c, r, name, n, mother);
    if (!made)
        return;
    ael_body(c, made, ael_text(c->b, "sw_%.*s_%.*s_%u", TEXT_ARG(label), TEXT_ARG(what), number), n->child, r);
    fall_through(c, made, n, number, end, mother);
}

void ael_switch(struct ael_code *c, struct ael_routine *r, struct text label, struct ael_node *n, struct ael_routine *mother)
{
    const struct ael_step *const on_break = r->on_break, *const on_continue = r->on_continue;
    const unsigned number = ++c->count;
    struct ael_step *go, *end;

    go = ael_step_made(c, r, mother, n, "Goto", ael_text(c->b, "sw_%u_%.*s,10", number, TEXT_ARG(n->part[0])));
    go->origin = n;
    go->app_column = go->args_column = n->place.column;
    end = ael_step_made(c, r, mother, n, "NoOp", ael_text(c->b, "Finish switch_%.*s_%u", TEXT_ARG(label), number));
    end->origin = n;
    r->on_break = end;
    r->on_continue = NULL;
    for (struct ael_node *one = n->child; one && !c->b->err; one = one->next)
        case_add(c, r, label, one, number, end, mother);
    r->on_break = on_break;
    r->on_continue = on_continue;
}

void ael_catch(struct ael_code *c, struct ael_routine *r, struct ael_node *n, struct ael_routine *mother)
{
    const unsigned number = ++c->count;
    struct ael_routine *made = behind(c, r, n->name, n, mother);

    if (made)
        ael_body(c, made, ael_text(c->b, "catch_%.*s_%u", TEXT_ARG(n->name), number), n->child, mother);
}
