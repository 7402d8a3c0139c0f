/* Decides for each use of AGI how it moves, and tells the steps. */
#include "audit/plan.h"

#include <stdlib.h>
#include <string.h>

#include "audit/clean.h"
#include "audit/flow.h"
#include "audit/source.h"

struct maker {
    struct plan *p;
    struct audit *a;
    struct source *source;
    unsigned *counted;             /* by number of the extension */
};

/* ---- may a line be put in here? ---- */

bool plan_line_fits(const struct dialplan_step *s, struct text line)
{
    const size_t at = s->app_column ? s->app_column - 1 : 0;
    size_t open = at + s->app.n;

    if (!s->app_column || at >= line.n || !text_starts(text_skip(line, at), s->app))
        return false;
    /* `\;` and comments in the middle are not as written any more once they were read. */
    return open < line.n && line.p[open] == '(' && text_find(line, '\\') < 0 && text_find_text(line, TEXT(";--")) < 0 &&
           text_starts(text_skip(line, open + 1), s->args);
}

/* "n" or "n(label)", nothing that counts. */
static bool is_next(struct text line, const struct dialplan_step *s)
{
    struct text before = text_trim(text_head(line, s->app_column ? s->app_column - 1 : 0));
    ptrdiff_t open;

    if (!before.n || before.p[before.n - 1] != ',')
        return false;
    before = text_trim(text_head(before, before.n - 1));
    open = text_rfind(before, '(');
    if (before.n && before.p[before.n - 1] == ')' && open >= 0)
        before = text_trim(text_head(before, (size_t)open));
    return before.n > 1 && before.p[before.n - 1] == 'n' && memchr(",>= \t", before.p[before.n - 2], 5);
}

static bool is_number(struct text written)
{
    const ptrdiff_t comma = text_rfind(written, ',');
    int64_t n;

    return text_to_i64(text_trim(comma >= 0 ? text_skip(written, (size_t)comma + 1) : written), &n) == 0;
}

/* For each extension the highest priority that a jump names by number. */
static int counted_find(struct maker *m)
{
    const struct dialplan *d = m->a->dialplan;
    struct flow_target targets[FLOW_TARGETS_MAX];

    m->counted = arena_take(m->a->memory, (d->extension_count + 1) * sizeof *m->counted);
    if (!m->counted)
        return -ENOMEM;
    for (size_t i = 0; i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->extension_count; k++)
            for (size_t n = 0; n < d->contexts[i]->extensions[k]->step_count; n++) {
                const size_t count = flow_targets(d, &d->contexts[i]->extensions[k]->steps[n], targets);

                for (size_t t = 0; t < count; t++) {
                    const struct dialplan_step *const s = targets[t].step;

                    if (s && (s->label.n == 0 || is_number(targets[t].written)) && m->counted[s->extension->number] < s->priority)
                        m->counted[s->extension->number] = s->priority;
                }
            }
    return 0;
}

static bool script_jumps(const struct inventory_script *s)
{
    for (size_t i = 0; i < s->commands.count; i++) {
        const struct text c = s->commands.items[i].name;

        if (text_starts_nocase(c, TEXT("SET CONTEXT")) || text_starts_nocase(c, TEXT("SET EXTENSION")) || text_starts_nocase(c, TEXT("SET PRIORITY")) ||
            text_starts_nocase(c, TEXT("EXEC Goto")))
            return true;
    }
    return false;
}

static bool is_guarded(const struct dialplan_step *s)
{
    const struct dialplan_step *before = s->priority > 1 ? dialplan_step_of(s->extension, s->priority - 1) : NULL;

    return before && flow_is(before->app, "GotoIf") && text_find_text(before->args, TEXT("SIDETONE_STATUS")) >= 0;
}

static bool is_inside(const char *folder, const char *file)
{
    size_t n = strlen(folder);

    while (n > 0 && folder[n - 1] == '/')
        n--;
    return strncmp(file, folder, n) == 0 && file[n] == '/' && !strstr(file + n, "/../");
}

static const char *why_not_there(const struct maker *m, const struct dialplan_step *s)
{
    const struct dialplan_extension *e = s->extension;

    if (e->origin != DIALPLAN_CONF)
        return "it is written in another language than extensions.conf: change it by hand";
    if (!flow_is(s->app, "AGI") && !flow_is(s->app, "DeadAGI"))
        return "another application runs it: change it by hand";
    if (!plan_line_fits(s, source_line(m->source, s->place.file, s->place.line)))
        return "its line holds an escape or a comment: change it by hand";
    if (!is_inside(m->a->opt.folder, s->place.file))
        return "its file is outside of the folder";
    if (strcmp(s->place.file, e->context->place.file) != 0 || s->place.line < e->context->place.line)
        return "its line comes from a template, or from a file that is included in the middle of a context, and may stand for several places";
    for (size_t i = 0; i < e->step_count; i++) {
        if (text_find_text(e->steps[i].args, TEXT("AGISTATUS")) >= 0)
            return "its extension looks at AGISTATUS, which says SUCCESS behind agi:// even when a script fails: look at SIDETONE_STATUS there";
        if (text_find_text(e->steps[i].args, TEXT("PRIORITY")) >= 0)
            return "its extension computes with PRIORITY, and lines are to be put in";
        if (e->steps[i].priority > s->priority && !is_next(source_line(m->source, e->steps[i].place.file, e->steps[i].place.line), &e->steps[i]))
            return "priorities behind it are written as numbers: write `n` first";
    }
    return m->counted[e->number] > s->priority ? "a jump names a priority behind it by number: give it a label first" : NULL;
}

static void move_judge(const struct maker *m, struct plan_move *v)
{
    const struct inventory_use *u = v->use;

    v->state = PLAN_HAND;
    if (u->kind == INVENTORY_FASTAGI || u->kind == INVENTORY_ASYNCAGI) {
        v->state = PLAN_LEAVE;
        v->why = u->reason;
    } else if (u->kind == INVENTORY_EAGI || u->advice == INVENTORY_STASIS) {
        v->why = "it wants the caller's voice, which agi:// does not carry: make it an agent, and enter Stasis() behind a guard (docs/conversation.md)";
    } else if (u->is_dynamic || !u->script || !u->step) {
        v->why = "which script runs is decided in the call: give each that can run a route of its own";
    } else if (u->script->err) {
        v->why = "its script cannot be read: see the inventory";
    } else if (is_guarded(u->step)) {
        v->state = PLAN_DONE;
    } else if (u->advice == INVENTORY_KEEP) {
        v->state = PLAN_LEAVE;
        v->why = u->reason;
    } else if (script_jumps(u->script)) {
        v->why = "its script jumps in the dialplan, and lines put in behind it would move where it arrives: check that by hand";
    } else {
        v->why = why_not_there(m, u->step);
        v->state = v->why ? PLAN_HAND : PLAN_PATCH;
    }
}

/* ---- routes ---- */

/* The file's name up to its dot; what a URL or a section's name could not hold becomes "-". */
static const char *route_name(const struct maker *m, struct text target)
{
    const ptrdiff_t slash = text_rfind(target, '/');
    struct text base = slash >= 0 ? text_skip(target, (size_t)slash + 1) : target;
    const ptrdiff_t dot = text_rfind(base, '.');
    struct buf b;
    const char *kept;
    size_t same = 1;

    base = dot > 0 ? text_head(base, (size_t)dot) : base;
    buf_init(&b, 256);
    for (size_t i = 0; i < base.n && i < 60; i++) {
        const char c = base.p[i];

        buf_add_char(&b, (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ? c : '-');
    }
    for (size_t i = 0; i < m->p->route_count; i++)
        same += text_starts(text_of(m->p->routes[i].name), buf_text(&b));
    if (same > 1)
        buf_addf(&b, "-%zu", same);
    kept = b.err ? NULL : arena_text(m->a->memory, buf_text(&b));
    buf_free(&b);
    return kept;
}

static int route_of(const struct maker *m, struct plan_move *v)
{
    struct plan *p = m->p;

    for (size_t i = 0; i < p->route_count; i++)
        if (p->routes[i].script == v->use->script) {
            v->route = &p->routes[i];
            return 0;
        }
    p->routes[p->route_count] = (struct plan_route){ .script = v->use->script, .name = route_name(m, v->use->target), .target = v->use->target };
    if (!p->routes[p->route_count].name)
        return -ENOMEM;
    v->route = &p->routes[p->route_count++];
    return 0;
}

int plan_make(struct plan **out, struct audit *a, const struct inventory *v, const char *agi_dir)
{
    struct maker m = { .a = a };
    int err;

    m.p = arena_take(a->memory, sizeof *m.p);
    if (!m.p)
        return -ENOMEM;
    m.p->audit = a;
    m.p->agi_dir = agi_dir;
    m.p->moves = arena_take(a->memory, (v->use_count + 1) * sizeof *m.p->moves);
    m.p->routes = arena_take(a->memory, (v->script_count + 1) * sizeof *m.p->routes);
    if (!m.p->moves || !m.p->routes)
        return -ENOMEM;
    if (a->dialplan && counted_find(&m))
        return -ENOMEM;
    err = source_open(&m.source, a->opt.source);
    for (size_t i = 0; !err && i < v->use_count; i++) {
        struct plan_move *const move = &m.p->moves[m.p->move_count++];

        move->use = &v->uses[i];
        move_judge(&m, move);
        err = move->state == PLAN_PATCH ? route_of(&m, move) : 0;
    }
    if (!err)
        err = source_error(m.source);
    source_free(m.source);
    if (!err)
        *out = m.p;
    return err;
}

/* ---- the steps ---- */

static void place_put(const struct plan_move *v, FILE *to)
{
    fputs("   ", to);
    clean_put(text_of(v->use->place.file), to);
    fprintf(to, ":%u: %s(", v->use->place.line, inventory_kind_name(v->use->kind));
    clean_put(v->use->target, to);
    fputs(")", to);
    if (v->use->script && !v->use->script->err)
        fprintf(to, "  %s, risk %s", inventory_class_name(v->use->script->class), inventory_risk_name(v->use->script->risk));
    fprintf(to, "%s%s\n", v->why ? "\n      " : "", v->why ? v->why : "");
}

static void state_put(const struct plan *p, enum plan_state state, const char *title, FILE *to)
{
    size_t n = 0;

    for (size_t i = 0; i < p->move_count; i++) {
        if (p->moves[i].state != state)
            continue;
        if (n++ == 0)
            fprintf(to, "%s\n", title);
        place_put(&p->moves[i], to);
    }
    if (n)
        putc('\n', to);
}

void plan_routes_write(const struct plan *p, FILE *to)
{
    for (int risk = INVENTORY_RISK_LOW; risk <= INVENTORY_RISK_HIGH; risk++)
        for (size_t i = 0; i < p->route_count; i++) {
            if ((int)p->routes[i].script->risk != risk)
                continue;
            fprintf(to, "   [route %s]\n   script = ", p->routes[i].name);
            clean_put(p->routes[i].target, to);
            fputs("\n\n", to);
        }
}

static void command_put(const struct plan *p, const char *option, const char *why, FILE *to)
{
    fprintf(to, "   sidetone audit %s ", option);
    clean_put(text_of(p->audit->opt.folder), to);
    if (p->agi_dir) {
        fputs(" --agi-dir ", to);
        clean_put(text_of(p->agi_dir), to);
    }
    fprintf(to, "%s\n", why);
}

void plan_write(const struct plan *p, FILE *to)
{
    if (p->move_count == 0) {
        fputs("The dialplan uses no AGI: there is nothing to move.\n", to);
        return;
    }
    if (p->route_count) {
        fputs("1. Give each script a route in sidetone.conf (low risk first), and restart the daemon; nothing changes for callers yet:\n\n", to);
        plan_routes_write(p, to);
        state_put(p, PLAN_PATCH, "2. Change these places; where the daemon does not answer, or is full, the old line runs as before:", to);
        command_put(p, "--patch", "   # look at them", to);
        command_put(p, "--apply", "   # make them; --undo takes them back", to);
        fputs("   asterisk -rx 'dialplan reload'\n\n", to);
        fputs("3. Record calls (`record = yes`), and rewrite what is asked often as a handler, with proof: docs/migration.md\n\n", to);
    }
    state_put(p, PLAN_HAND, "By hand:", to);
    state_put(p, PLAN_DONE, "Moved already:", to);
    state_put(p, PLAN_LEAVE, "Left as it is:", to);
}
