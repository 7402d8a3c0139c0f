/* Gives the steps of AEL their numbers and puts them into the dialplan (res/ael/pval.c of 22.10.1: set_priorities, add_extensions). */
#include "audit/ael_code.h"

#include <errno.h>
#include <string.h>

enum { BUBBLE_FROM = 9991, EXTENSION_MAX = 255 };

static const char bubble_name[] = "ael-builtin-h-bubble";

/* ---- numbers ---- */

/* A label has the number of what follows it. */
static void numbers_set(struct ael_routine *r)
{
    unsigned number = r->is_case ? 10 : r->is_regexten ? 2 : 1;

    for (struct ael_step *s = r->first; s; s = s->next) {
        s->number = number;
        number += s->kind != AEL_STEP_LABEL;
    }
}

static struct text goto_args(struct ael_code *c, const struct ael_step *to)
{
    const struct ael_node *origin = to->origin;

    if (origin && origin->kind == AEL_SWITCH)
        return ael_text(c->b, "%.*s,%u", TEXT_ARG(to->routine->name), to->number);
    return ael_text(c->b, "%u", to->number + (origin && origin->kind == AEL_IFTIME && origin->otherwise));
}

/* A jump to a label in a case goes to the extension of the case. */
static struct text jump_args(struct ael_code *c, const struct ael_step *s)
{
    const struct ael_node *n = s->origin, *target = ael_target(c->labels, n, true);

    if (!target || target->kind != AEL_LABEL || !target->compiled.p || !ael_is_in_case(target))
        return s->args;
    return ael_text(c->b, "%.*s,%.*s", TEXT_ARG(target->compiled), TEXT_ARG(n->part[n->part_count - 1]));
}

static void step_finish(struct ael_code *c, struct ael_step *s)
{
    switch (s->kind) {
    case AEL_STEP_GOTO:
        s->app = TEXT("Goto");
        s->args = goto_args(c, s->yes);
        break;
    case AEL_STEP_LOOP:
        s->args = ael_text(c->b, "%.*s?%u:%u", TEXT_ARG(s->args), s->number + 1, s->no->number);
        break;
    case AEL_STEP_IF:
        s->args = ael_text(c->b, "%.*s?%u:%u", TEXT_ARG(s->args), s->number + 1, s->no->number + (s->origin->otherwise ? 1 : 0));
        break;
    case AEL_STEP_IFTIME:
        s->args = ael_text(c->b, "%.*s?%u", TEXT_ARG(s->args), s->number + 2);
        break;
    default:
        if (s->origin && s->origin->kind == AEL_GOTO)
            s->args = jump_args(c, s);
        break;
    }
}

/* ---- names ---- */

static struct text global_of(const struct ael_code *c, struct text name)
{
    const struct text value = dialplan_global_of(c->b->d, name);

    return value.p || !c->audit->files[AUDIT_EXTENSIONS] ? value : conf_get(c->audit->files[AUDIT_EXTENSIONS], TEXT("globals"), name);
}

/* Globals are put in at load time, and once. */
static struct text name_of(struct ael_code *c, struct text written)
{
    char name[EXTENSION_MAX + 1];
    size_t n = 0;

    if (text_find_text(written, TEXT("${")) < 0)
        return written;
    for (size_t i = 0; i < written.n && n < EXTENSION_MAX; i++) {
        const struct text rest = text_skip(written, i);
        const ptrdiff_t close = text_starts(rest, TEXT("${")) ? text_find(rest, '}') : -1;

        if (close > 0) {
            n += text_copy(name + n, sizeof name - n, global_of(c, text_make(rest.p + 2, (size_t)close - 2)));
            i += (size_t)close;
        } else {
            name[n++] = written.p[i];
        }
    }
    return ael_text(c->b, "%.*s", (int)n, name);
}

/* ---- into the dialplan ---- */

static void step_put(struct ael_code *c, struct dialplan_extension *e, const struct ael_step *s, struct text label)
{
    struct dialplan_step step = { .place = s->place, .app_column = s->app_column, .args_column = s->args_column, .priority = s->number, .label = label,
                                  .app = s->app, .args = s->args };

    dialplan_step_put(c->b, e, step);
}

/* Two extensions of one name: Asterisk keeps the step that was there first, number by number. Told once. */
static bool is_taken(struct ael_code *c, struct dialplan_extension *e, const struct ael_routine *r, const struct ael_step *s, bool *is_told)
{
    if (!dialplan_step_of(e, s->number))
        return false;
    if (!*is_told)
        dialplan_problem_put(c->b, DIALPLAN_TWICE, r->node->place,
                             "the dialplan has this extension already: Asterisk keeps the steps that were there, and only adds those behind them");
    *is_told = true;
    return true;
}

static void hint_put(struct ael_code *c, const struct ael_routine *r, struct dialplan_extension *e)
{
    if (!r->hint.p)
        return;
    if (e->hint.p)
        dialplan_problem_put(c->b, DIALPLAN_TWICE, r->node->place, "this extension already has a hint: Asterisk keeps the first and drops this one");
    else
        e->hint = r->hint;
}

static void routine_put(struct ael_code *c, struct ael_routine *r)
{
    struct dialplan_extension *e;
    struct text label = TEXT("");
    bool is_told = false;

    if (!r->first && !r->hint.p)
        return;
    e = dialplan_extension_put(c->b, r->context, name_of(c, r->name), r->caller, r->node->place);
    if (!e)
        return;
    hint_put(c, r, e);
    for (struct ael_step *s = r->first; s && !c->b->err; s = s->next) {
        if (s->kind == AEL_STEP_LABEL) {
            label = s->origin->name;
            continue;
        }
        step_finish(c, s);
        if (!is_taken(c, e, r, s, &is_told))
            step_put(c, e, s, label);
        label = TEXT("");
    }
}

/* What Asterisk adds to every dialplan in AEL: a macro's "h" leads to that of the one who called it. */
static void bubble_put(struct ael_code *c, const struct ael_node *n)
{
    static const struct {
        unsigned number;
        const char *app, *args;
    } steps[] = {
        { 1, "Goto", "9991" },
        { BUBBLE_FROM, "Set", "~~parentcxt~~=${STACK_PEEK(1,c,1)}" },
        { BUBBLE_FROM + 1, "GotoIf", "$[\"${~~parentcxt~~}\"=\"\"]?9996" },
        { BUBBLE_FROM + 2, "GotoIf", "${DIALPLAN_EXISTS(${~~parentcxt~~},h,1)}?9994:9996" },
        { BUBBLE_FROM + 3, "StackPop", "" },
        { BUBBLE_FROM + 4, "Goto", "${~~parentcxt~~},h,1" },
        { BUBBLE_FROM + 5, "NoOp", "" },
    };
    struct dialplan_context *context = dialplan_context_put(c->b, text_of(bubble_name), n->place);
    struct dialplan_extension *e = context ? dialplan_extension_put(c->b, context, TEXT("h"), TEXT_NONE, n->place) : NULL;

    for (size_t i = 0; e && !c->b->err && i < sizeof steps / sizeof *steps; i++)
        dialplan_step_put(c->b, e, (struct dialplan_step){ .place = n->place, .priority = steps[i].number, .label = TEXT(""), .app = text_of(steps[i].app),
                                                           .args = text_of(steps[i].args) });
}

void ael_put(struct ael_code *c)
{
    for (struct ael_routine *r = c->first; r; r = r->next)
        numbers_set(r);
    for (struct ael_routine *r = c->first; r && !c->b->err; r = r->next) {
        routine_put(c, r);
        if (!c->b->err && text_eq(r->name, TEXT("~~s~~")))
            dialplan_include_put(c->b, r->context, (struct dialplan_include){ .name = text_of(bubble_name), .times = TEXT_NONE, .place = r->node->place });
    }
    if (!c->b->err && c->t->first)
        bubble_put(c, c->t->first);
}
