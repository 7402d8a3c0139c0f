/* Makes steps of statements, one kind after the other (res/ael/pval.c of 22.10.1, gen_prios). */
#include "audit/ael_code.h"

#include <errno.h>
#include <string.h>

struct ael_step *ael_step_new(struct ael_code *c, enum ael_step_kind kind, const struct ael_node *n)
{
    struct ael_step *s = c->b->err ? NULL : arena_take(c->t->memory, sizeof *s);

    if (!s) {
        c->b->err = -ENOMEM;
        s = &c->none;
    }
    *s = (struct ael_step){ .kind = kind, .place = n->place, .app = TEXT(""), .args = TEXT("") };
    return s;
}

/* With what is in the place of one text put in another's. */
static struct text replaced(struct ael_code *c, struct text args, struct text old, const char *new)
{
    ptrdiff_t at;

    while (!c->b->err && (at = text_find_text(args, old)) >= 0) {
        const struct text behind = text_skip(args, (size_t)at + old.n);

        args = ael_text(c->b, "%.*s%s%.*s", (int)at, args.p, new, TEXT_ARG(behind));
    }
    return args;
}

void ael_step_add(struct ael_code *c, struct ael_routine *r, struct ael_step *s, const struct ael_routine *mother)
{
    if (s == &c->none)
        return;
    if (r->last)
        r->last->next = s;
    else
        r->first = s;
    r->last = s;
    if (!s->routine)
        s->routine = r;
    if (!((mother && mother->has_switch) || r->has_switch) || text_find_text(s->args, TEXT("${EXTEN")) < 0)
        return;
    s->args = replaced(c, s->args, TEXT("${EXTEN}"), "${~~EXTEN~~}");
    s->args = replaced(c, s->args, TEXT("${EXTEN:"), "${~~EXTEN~~:");
}

struct ael_step *ael_step_made(struct ael_code *c, struct ael_routine *r, const struct ael_routine *mother, const struct ael_node *n, const char *app,
                               struct text args)
{
    struct ael_step *s = ael_step_new(c, AEL_STEP_CALL, n);

    s->app = text_of(app);
    s->args = args;
    ael_step_add(c, r, s, mother);
    return s;
}

/* A step that stands in the file: its application, and where its arguments are written. before: what is put before them. */
static struct ael_step *written(struct ael_code *c, const struct ael_node *n, struct text app, struct text args, unsigned before)
{
    struct ael_step *s = ael_step_new(c, AEL_STEP_CALL, n);

    s->app = app;
    s->args = args;
    s->origin = n;
    if (n->is_made)
        return s;
    s->app_column = s->args_column = n->place.column;
    if (n->value_place.line == n->place.line && n->value_place.column > before)
        s->args_column = n->value_place.column - before;
    return s;
}

/* ---- does a switch come? ---- */

static bool has_switch(const struct ael_node *n)
{
    for (; n; n = n->next)
        if (n->kind == AEL_SWITCH || has_switch(n->child) || has_switch(n->otherwise))
            return true;
    return false;
}

/* A switch changes ${EXTEN}: it is kept before. In a macro, local and then once more (pval.c: the same for both turns when it is the outermost). */
static void exten_keep(struct ael_code *c, struct ael_routine *r, struct ael_routine *mother, const struct ael_node *body)
{
    struct ael_routine *of = mother ? mother : r;
    const bool is_macro = text_eq(of->name, TEXT("~~s~~"));

    for (unsigned turn = is_macro ? 0 : 1; turn < 2; turn++) {
        const bool is_local = is_macro && (turn == 0 || !mother);

        ael_step_made(c, r, mother, body, "MSet", is_local ? TEXT("LOCAL(~~EXTEN~~)=${EXTEN}") : TEXT("~~EXTEN~~=${EXTEN}"));
        r->has_switch = of->has_switch = true;
    }
}

static void look_for_switch(struct ael_code *c, struct ael_routine *r, struct ael_routine *mother, const struct ael_node *body)
{
    if ((!mother || mother->has_looked) && r->has_looked)
        return;
    if (has_switch(body) && !(mother ? mother : r)->has_switch)
        exten_keep(c, r, mother, body);
    else if (has_switch(body))
        return; /* as it stands in pval.c */
    r->has_looked = true;
    if (mother)
        mother->has_looked = true;
}

/* ---- plain statements ---- */

/* "NAME=$[VALUE]": blanks up to the "=" go. */
static struct text assignment(struct ael_code *c, const char *before, struct text name, const char *behind, struct text value)
{
    const struct text whole = ael_text(c->b, "%s%.*s%s=$[%.*s]", before, TEXT_ARG(name), behind, TEXT_ARG(value));
    char plain[AEL_TEXT_MAX + 1];
    bool is_left = true;
    size_t n = 0;

    for (size_t i = 0; i < whole.n; i++) {
        is_left &= whole.p[i] != '=';
        if (!is_left || !strchr(" \n\r\t", whole.p[i]))
            plain[n++] = whole.p[i];
    }
    return n == whole.n ? whole : ael_text(c->b, "%.*s", (int)n, plain);
}

static void set_add(struct ael_code *c, struct ael_routine *r, const struct ael_node *n, const struct ael_routine *mother)
{
    const bool is_local = n->kind == AEL_LOCAL;
    const struct text args = assignment(c, is_local ? "LOCAL(" : "", n->name, is_local ? ")" : "", n->part[0]);

    ael_step_add(c, r, written(c, n, TEXT("MSet"), args, (unsigned)n->name.n + (is_local ? 10 : 3)), mother);
}

static void goto_add(struct ael_code *c, struct ael_routine *r, const struct ael_node *n, const struct ael_routine *mother)
{
    struct text args = n->part[0];

    if (n->part_count == 1 && mother)
        args = ael_text(c->b, "%.*s,%.*s", TEXT_ARG(mother->name), TEXT_ARG(n->part[0]));
    else if (n->part_count == 2)
        args = ael_text(c->b, "%.*s,%.*s", TEXT_ARG(n->part[0]), TEXT_ARG(n->part[1]));
    else if (n->part_count == 3)
        args = ael_text(c->b, "%.*s,%.*s,%.*s", TEXT_ARG(n->part[0]), TEXT_ARG(n->part[1]), TEXT_ARG(n->part[2]));
    ael_step_add(c, r, written(c, n, TEXT("Goto"), args, 0), mother);
}

static void macro_call_add(struct ael_code *c, struct ael_routine *r, const struct ael_node *n, const struct ael_routine *mother)
{
    const struct text args = n->part_count ? ael_text(c->b, "%.*s,~~s~~,1(%.*s)", TEXT_ARG(n->name), TEXT_ARG(n->part[0]))
                                           : ael_text(c->b, "%.*s,~~s~~,1", TEXT_ARG(n->name));

    ael_step_add(c, r, written(c, n, TEXT("Gosub"), args, (unsigned)n->name.n + 9), mother);
}

static void leap_add(struct ael_code *c, struct ael_routine *r, const struct ael_node *n, const struct ael_step *to, const struct ael_routine *mother)
{
    struct ael_step *s = ael_step_new(c, AEL_STEP_GOTO, n);

    s->origin = n;
    s->yes = to;
    s->args_column = n->place.column; /* dead or not, nobody minds; what stands behind it is told */
    if (to)
        ael_step_add(c, r, s, mother);
    else if (n->kind == AEL_CONTINUE && r->is_case)
        ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "continue in a switch: Asterisk crashes when it loads this");
}

static void label_add(struct ael_code *c, struct ael_routine *r, struct ael_node *n, const struct ael_routine *mother)
{
    struct ael_step *s = ael_step_new(c, AEL_STEP_LABEL, n);

    s->origin = n;
    n->compiled = r->name;
    ael_step_add(c, r, s, mother);
}

/* ---- loops ---- */

/* A part of a for that is no assignment: "&macro(x)" or "app(x)". Brackets are looked for as Asterisk does: the first and the last. */
static void for_call(struct ael_code *c, struct ael_step *s, struct text t)
{
    ptrdiff_t open, close;
    bool is_macro;

    while (t.n && strchr(" \t\n\r\v\f", t.p[0]))
        t = text_skip(t, 1);
    is_macro = text_starts(t, TEXT("&"));
    if (is_macro)
        t = text_skip(t, 1);
    while (is_macro && t.n && strchr(" \t\n\r\v\f", t.p[0]))
        t = text_skip(t, 1);
    open = text_find(t, '(');
    close = text_rfind(t, ')');
    if (is_macro) {
        s->app = TEXT("Gosub");
        s->args = open < 0 ? t : ael_text(c->b, "%.*s,%.*s", (int)open, t.p, (int)(close > open ? close - open - 1 : (ptrdiff_t)t.n - open - 1), t.p + open + 1);
    } else if (open >= 0) {
        s->app = text_head(t, (size_t)open);
        s->args = text_make(t.p + open + 1, (size_t)(close > open ? close - open - 1 : (ptrdiff_t)t.n - open - 1));
    }
}

static struct ael_step *for_part(struct ael_code *c, const struct ael_node *n, struct text t, const char *otherwise)
{
    struct ael_step *s = written(c, n, text_of(otherwise), TEXT(""), 0);
    const ptrdiff_t equals = text_find(t, '=');

    s->origin = NULL;
    s->app_column = 0;
    if (equals < 0) {
        for_call(c, s, t);
        return s;
    }
    s->app = TEXT("MSet");
    s->args = assignment(c, "", text_head(t, (size_t)equals), "", text_skip(t, (size_t)equals + 1));
    return s;
}

static struct ael_step *finish_of(struct ael_code *c, const struct ael_node *n, const char *what, struct text label, unsigned number)
{
    struct ael_step *s = ael_step_new(c, AEL_STEP_CALL, n);

    s->app = TEXT("NoOp");
    s->args = ael_text(c->b, "Finish %s_%.*s_%u", what, TEXT_ARG(label), number);
    return s;
}

static struct ael_step *test_of(struct ael_code *c, enum ael_step_kind kind, const struct ael_node *n, struct text args)
{
    struct ael_step *s = written(c, n, TEXT("GotoIf"), args, 2);

    s->kind = kind;
    return s;
}

static void loop_add(struct ael_code *c, struct ael_routine *r, struct text label, struct ael_node *n, struct ael_routine *mother)
{
    const bool is_for = n->kind == AEL_FOR;
    const char *what = is_for ? "for" : "while";
    const struct ael_step *const on_break = r->on_break, *const on_continue = r->on_continue;
    const struct text below = ael_text(c->b, "%s_%.*s_%u", what, TEXT_ARG(label), ++c->count);
    struct ael_step *first = is_for ? for_part(c, n, n->part[0], "MSet") : NULL, *step = is_for ? for_part(c, n, n->part[2], "") : NULL;
    struct ael_step *test = test_of(c, AEL_STEP_LOOP, n, ael_text(c->b, "$[%.*s]", TEXT_ARG(is_for ? n->part[1] : n->part[0])));
    struct ael_step *back = ael_step_new(c, AEL_STEP_GOTO, n), *end = finish_of(c, n, what, label, c->count);

    test->origin = NULL;
    test->no = end;
    back->yes = test;
    back->origin = n;
    if (first)
        ael_step_add(c, r, first, mother);
    ael_step_add(c, r, test, mother);
    r->on_break = end;
    r->on_continue = is_for ? step : test;
    ael_body(c, r, below, n->child, mother);
    if (step)
        ael_step_add(c, r, step, mother);
    ael_step_add(c, r, back, mother);
    ael_step_add(c, r, end, mother);
    r->on_break = on_break;
    r->on_continue = on_continue;
}

/* ---- conditions ---- */

static struct text condition_of(struct ael_code *c, const struct ael_node *n)
{
    if (n->kind == AEL_IFTIME)
        return n->part[0];
    if (n->kind == AEL_RANDOM)
        return ael_text(c->b, "$[${RAND(0,99)} < (%.*s)]", TEXT_ARG(n->part[0]));
    return ael_text(c->b, "$[%.*s]", TEXT_ARG(n->part[0]));
}

static void if_add(struct ael_code *c, struct ael_routine *r, struct text label, struct ael_node *n, struct ael_routine *mother)
{
    const bool is_time = n->kind == AEL_IFTIME;
    const char *what = is_time ? "iftime" : "if";
    const struct text below = ael_text(c->b, "%s_%.*s_%u", what, TEXT_ARG(label), ++c->count);
    struct ael_step *test = test_of(c, is_time ? AEL_STEP_IFTIME : AEL_STEP_IF, n, condition_of(c, n));
    struct ael_step *end = finish_of(c, n, what, label, c->count), *skip = NULL, *no;

    if (n->otherwise) {
        skip = ael_step_new(c, AEL_STEP_GOTO, n);
        skip->yes = end;
        skip->origin = is_time ? n : NULL;
    }
    test->no = skip ? skip : end;
    ael_step_add(c, r, test, mother);
    if (is_time) {
        test->app = TEXT("GotoIfTime");
        no = ael_step_new(c, AEL_STEP_GOTO, n);
        no->yes = test->no;
        ael_step_add(c, r, no, mother);
    }
    ael_body(c, r, below, n->child, mother);
    if (skip) {
        ael_step_add(c, r, skip, mother);
        ael_body(c, r, below, n->otherwise, mother);
    }
    ael_step_add(c, r, end, mother);
}

/* ---- the whole ---- */

static void statement_add(struct ael_code *c, struct ael_routine *r, struct text label, struct ael_node *n, struct ael_routine *mother)
{
    switch (n->kind) {
    case AEL_SET:
    case AEL_LOCAL:
        set_add(c, r, n, mother);
        break;
    case AEL_GOTO:
        goto_add(c, r, n, mother);
        break;
    case AEL_LABEL:
        label_add(c, r, n, mother);
        break;
    case AEL_FOR:
    case AEL_WHILE:
        loop_add(c, r, label, n, mother);
        break;
    case AEL_SWITCH:
        ael_switch(c, r, label, n, mother);
        break;
    case AEL_MACRO_CALL:
        macro_call_add(c, r, n, mother);
        break;
    case AEL_CALL:
        ael_step_add(c, r, written(c, n, n->name, n->part_count ? n->part[0] : TEXT(""), 0), mother);
        break;
    case AEL_RETURN:
        ael_step_add(c, r, written(c, n, TEXT("Return"), TEXT(""), 0), mother);
        break;
    case AEL_BREAK:
        leap_add(c, r, n, r->on_break, mother);
        break;
    case AEL_CONTINUE:
        leap_add(c, r, n, r->on_continue, mother);
        break;
    case AEL_IF:
    case AEL_IFTIME:
    case AEL_RANDOM:
        if_add(c, r, label, n, mother);
        break;
    case AEL_BLOCK:
        ael_body(c, r, label, n->child, mother);
        break;
    case AEL_CATCH:
        ael_catch(c, r, n, mother);
        break;
    default:
        break;
    }
}

static bool has_room(struct ael_code *c, const struct ael_node *n)
{
    if (!c->is_full && c->looked++ % 1024 == 0 && arena_used(c->b->d->memory) > AEL_DIALPLAN_MAX) {
        c->is_full = true;
        ael_problem(&c->t->lexer, n->place, DIALPLAN_SKIPPED, "the dialplan takes more than %d MiB: the rest is not read", AEL_DIALPLAN_MAX >> 20);
    }
    return !c->is_full;
}

void ael_body(struct ael_code *c, struct ael_routine *r, struct text label, struct ael_node *body, struct ael_routine *mother)
{
    look_for_switch(c, r, mother, body);
    for (; body && !c->b->err && has_room(c, body); body = body->next)
        statement_add(c, r, label, body, mother);
}
