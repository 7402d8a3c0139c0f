/* Finds where a step leads. */
#include "audit/flow.h"

#include <stdio.h>
#include <string.h>

#include "audit/expression.h"
#include "audit/known.h"

struct targets {
    const struct dialplan *d;
    const struct dialplan_step *step;
    struct flow_target *out;
    size_t count;
};

bool flow_is(struct text app, const char *name)
{
    return text_eq_nocase(app, text_of(name));
}

struct text flow_argument(struct text args, size_t nth)
{
    struct text one = TEXT_NONE;

    for (size_t i = 0; i <= nth; i++)
        if (!expression_cut(&args, ',', &one))
            return TEXT_NONE;
    return text_trim(one);
}

/* ---- embedded applications ---- */

static struct flow_call call_of(const struct dialplan_step *s, struct text t)
{
    const ptrdiff_t open = text_find(t, '('), close = text_rfind(t, ')');
    struct flow_call c = { .step = s, .app = text_trim(open >= 0 ? text_head(t, (size_t)open) : t) };

    c.args = open >= 0 ? text_skip(t, (size_t)open + 1) : text_skip(t, t.n);
    if (open >= 0 && close > open)
        c.args.n = (size_t)(close - open) - 1;
    return c;
}

size_t flow_calls(const struct dialplan_step *s, struct flow_call out[FLOW_CALLS_MAX])
{
    struct text rest = s->args, part;
    size_t n = 0;

    out[n++] = (struct flow_call){ .app = s->app, .args = s->args, .step = s, .is_sure = true };
    if (flow_is(s->app, "Exec") || flow_is(s->app, "TryExec")) {
        out[n++] = call_of(s, text_trim(rest));
    } else if (flow_is(s->app, "ExecIf") || flow_is(s->app, "ExecIfTime")) {
        if (!expression_cut(&rest, '?', &part))
            return n;
        while (n < FLOW_CALLS_MAX && expression_cut(&rest, ':', &part))
            if (text_trim(part).n)
                out[n++] = call_of(s, text_trim(part));
    }
    return n;
}

/* ---- targets ---- */

/* In Lua all of a function is priority 1 (pbx_lua.c: lua_find_extension). */
static const struct dialplan_step *step_at(const struct dialplan_extension *e, unsigned number, struct text priority)
{
    if (!flow_is_ordered(e) && number != 1)
        return NULL;
    return number ? dialplan_step_of(e, number) : dialplan_label_of(e, priority);
}

/* Another extension that takes the same digits may hold the priority or the label, in an include, too. */
static void target_elsewhere(const struct targets *t, struct flow_target *g, struct text dialled, unsigned number, struct text label, bool *is_open)
{
    const struct dialplan_extension *other = number ? dialplan_match(t->d, g->context, dialled, number, is_open)
                                                    : dialplan_match_label(t->d, g->context, dialled, label, is_open);

    if (!other || !step_at(other, number, label))
        return;
    g->extension = other;
    g->step = step_at(other, number, label);
}

/* A jump to a step of the extension that runs. */
static void target_within(const struct targets *t, struct flow_target *g, unsigned number, struct text priority)
{
    const struct dialplan_extension *own = g->extension;
    bool is_open = false;

    g->step = step_at(own, number, priority);
    if (!g->step && !own->is_pattern)
        target_elsewhere(t, g, own->name, number, priority, &is_open);
    /* Of a pattern nobody knows which digits run. */
    g->state = g->step                                                                                               ? FLOW_FOUND
               : is_open || g->context->has_switch || (own->is_pattern && (number || dialplan_has_label(g->context, priority))) ? FLOW_OPEN
                                                                                                                     : FLOW_NO_PRIORITY;
}

static void target_extension(struct targets *t, struct flow_target *g, struct text extension, struct text priority)
{
    unsigned number = 0;
    bool is_open = false;
    int64_t value;

    if (!expression_is_plain(extension) || !expression_is_plain(priority)) {
        g->state = FLOW_DYNAMIC;
        if (!extension.p || !expression_is_plain(priority))
            return;
    }
    if (g->state == FLOW_DYNAMIC)
        return;
    if (priority.n && text_to_i64(priority, &value) == 0 && value > 0 && value < 1000000)
        number = (unsigned)value;
    /* A jump within the pattern that runs stays in it. */
    if (!extension.p || text_eq(extension, t->step->extension->name))
        g->extension = g->context == t->step->extension->context ? t->step->extension : NULL;
    if (g->extension) {
        target_within(t, g, number, priority);
        return;
    }
    g->extension = dialplan_extension_of(t->d, g->context, extension, TEXT_NONE);
    if (!g->extension)
        g->extension = dialplan_match(t->d, g->context, extension, 0, &is_open);
    if (!g->extension) {
        g->state = is_open || g->context->has_switch ? FLOW_OPEN : FLOW_NO_EXTENSION;
        return;
    }
    g->step = step_at(g->extension, number, priority);
    if (!g->step)
        target_elsewhere(t, g, extension, number, priority, &is_open);
    g->state = g->step ? FLOW_FOUND : is_open ? FLOW_OPEN : FLOW_NO_PRIORITY;
}

static struct flow_target *target_add(struct targets *t, struct text written)
{
    struct flow_target *g;

    if (t->count >= FLOW_TARGETS_MAX)
        return NULL;
    g = t->out + t->count++;
    *g = (struct flow_target){ .written = written };
    return g;
}

static void target_put(struct targets *t, struct text written, struct text context, struct text extension, struct text priority, bool is_sure,
                       bool returns)
{
    struct flow_target *g = target_add(t, written);

    if (!g)
        return;
    g->is_sure = is_sure && flow_is_ordered(t->step->extension);
    g->returns = returns;
    g->is_named = context.n > 0;
    g->context = context.n ? dialplan_context_of(t->d, context) : t->step->extension->context;
    if (context.n && !expression_is_plain(context))
        g->state = FLOW_DYNAMIC;
    else if (!g->context)
        g->state = known_context(context) || t->d->is_open ? FLOW_OPEN : FLOW_NO_CONTEXT;
    else
        target_extension(t, g, extension.n ? extension : TEXT_NONE, priority);
}

/* "[[context,]extension,]priority[(args)]" with its own separator. */
static void target_place(struct targets *t, struct text written, char separator, bool is_sure, bool returns)
{
    struct text rest = text_trim(written), part[3] = { TEXT_NONE, TEXT_NONE, TEXT_NONE }, last;
    size_t n = 0;
    ptrdiff_t open;

    if (!rest.n)
        return;
    while (n < 3 && expression_cut(&rest, separator, &part[n]))
        n++;
    last = part[n - 1];
    open = text_starts(last, TEXT("$")) ? -1 : text_find(last, '(');
    last = text_trim(open >= 0 ? text_head(last, (size_t)open) : last);
    target_put(t, text_trim(written), n == 3 ? text_trim(part[0]) : TEXT_NONE, n >= 2 ? text_trim(part[n - 2]) : TEXT_NONE, last, is_sure, returns);
}

static void target_branches(struct targets *t, struct text args, bool returns)
{
    struct text rest = args, yes = TEXT_NONE, no = TEXT_NONE, condition;
    bool is_sure;

    if (!expression_cut(&rest, '?', &condition) || !expression_cut(&rest, ':', &yes))
        return;
    expression_cut(&rest, ':', &no);
    is_sure = !returns && text_trim(yes).n && text_trim(no).n;
    target_place(t, yes, ',', is_sure, returns);
    target_place(t, no, ',', is_sure, returns);
}

/* The inside of option letter(...), or TEXT_NONE. */
static struct text option_inside(struct text options, char letter)
{
    int depth = 0;

    for (size_t i = 0; i < options.n; i++) {
        if (options.p[i] == '(')
            depth++;
        else if (options.p[i] == ')')
            depth--;
        else if (depth == 0 && options.p[i] == letter && i + 1 < options.n && options.p[i + 1] == '(') {
            const struct text inside = text_skip(options, i + 2);
            int level = 1;

            for (size_t k = 0; k < inside.n; k++) {
                level += (inside.p[k] == '(') - (inside.p[k] == ')');
                if (level == 0)
                    return text_head(inside, k);
            }
            return inside;
        }
    }
    return TEXT_NONE;
}

/* "Local/extension@context[/n]" among the devices. */
static void target_local(struct targets *t, struct text devices)
{
    struct text one;

    while (expression_cut(&devices, '&', &one)) {
        struct text rest = text_trim(one), extension, context;

        if (!text_starts_nocase(rest, TEXT("Local/")))
            continue;
        rest = text_skip(rest, 6);
        if (!expression_cut(&rest, '@', &extension) || !expression_cut(&rest, '/', &context))
            continue;
        target_put(t, text_trim(one), text_trim(context), text_trim(extension), TEXT("1"), false, true);
    }
}

static void target_dial(struct targets *t, struct text args)
{
    const struct text options = flow_argument(args, 2);
    struct text routine = option_inside(options, 'U');

    target_local(t, flow_argument(args, 0));
    if (routine.p) {
        struct text name;

        expression_cut(&routine, '^', &name);
        target_put(t, name, text_trim(name), TEXT("s"), TEXT("1"), false, true);
    }
    target_place(t, option_inside(options, 'b'), '^', false, true);
    target_place(t, option_inside(options, 'B'), '^', false, true);
    target_place(t, option_inside(options, 'G'), '^', false, false);
}

static void target_originate(struct targets *t, struct text args)
{
    target_local(t, flow_argument(args, 0));
    if (text_eq_nocase(flow_argument(args, 1), TEXT("exten"))) {
        const struct text extension = flow_argument(args, 3), priority = flow_argument(args, 4);

        target_put(t, args, flow_argument(args, 2), extension.n ? extension : TEXT("s"), priority.n ? priority : TEXT("1"), false, true);
    }
}

/* "name,argument": context macro-name, extension s, until 20. */
static void target_macro(struct targets *t, struct text args)
{
    char context[96];
    struct text name;
    int n;

    if (!expression_cut(&args, ',', &name) || !text_trim(name).n)
        return;
    n = snprintf(context, sizeof context, "macro-%.*s", TEXT_ARG(text_trim(name)));
    if (n > 0 && (size_t)n < sizeof context)
        target_put(t, text_trim(name), text_make(context, (size_t)n), TEXT("s"), TEXT("1"), false, true);
}

static void target_macro_if(struct targets *t, struct text args)
{
    struct text one;

    if (!expression_cut(&args, '?', &one))
        return;
    while (expression_cut(&args, ':', &one))
        target_macro(t, one);
}

static void target_call(struct targets *t, const struct flow_call *c)
{
    if (flow_is(c->app, "Goto"))
        target_place(t, c->args, ',', c->is_sure, false);
    else if (flow_is(c->app, "Gosub"))
        target_place(t, c->args, ',', false, true);
    else if (flow_is(c->app, "GotoIf") || flow_is(c->app, "GotoIfTime"))
        target_branches(t, c->args, false);
    else if (flow_is(c->app, "GosubIf"))
        target_branches(t, c->args, true);
    else if (flow_is(c->app, "Macro"))
        target_macro(t, c->args);
    else if (flow_is(c->app, "MacroIf"))
        target_macro_if(t, c->args);
    else if (flow_is(c->app, "Dial"))
        target_dial(t, c->args);
    else if (flow_is(c->app, "Page") || flow_is(c->app, "AddQueueMember"))
        target_local(t, flow_argument(c->args, flow_is(c->app, "Page") ? 0 : 1));
    else if (flow_is(c->app, "Originate"))
        target_originate(t, c->args);
    else if (flow_is(c->app, "Queue") && flow_argument(c->args, 6).n)
        target_put(t, flow_argument(c->args, 6), flow_argument(c->args, 6), TEXT("s"), TEXT("1"), false, true);
}

size_t flow_targets(const struct dialplan *d, const struct dialplan_step *s, struct flow_target out[FLOW_TARGETS_MAX])
{
    struct targets t = { .d = d, .step = s, .out = out };
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(s, calls);

    for (size_t i = 0; i < n; i++)
        target_call(&t, calls + i);
    return t.count;
}

bool flow_is_ordered(const struct dialplan_extension *e)
{
    return e->origin != DIALPLAN_LUA;
}

bool flow_ends(const struct dialplan_step *s)
{
    struct text rest = s->args, part, yes = TEXT_NONE, no = TEXT_NONE;

    if (!flow_is_ordered(s->extension))
        return false;
    if (flow_is(s->app, "Goto") || flow_is(s->app, "Hangup") || flow_is(s->app, "Return"))
        return true;
    if ((flow_is(s->app, "Busy") || flow_is(s->app, "Congestion")) && !text_trim(s->args).n)
        return true;
    if (!flow_is(s->app, "GotoIf") && !flow_is(s->app, "GotoIfTime"))
        return false;
    if (!expression_cut(&rest, '?', &part) || !expression_cut(&rest, ':', &yes))
        return false;
    expression_cut(&rest, ':', &no);
    return text_trim(yes).n && text_trim(no).n;
}
