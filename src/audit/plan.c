/* Decides for each use of AGI how it moves. */
#include "audit/plan.h"

#include <string.h>

#include "audit/flow.h"
#include "audit/plan_lines.h"
#include "audit/source.h"

enum { ROUTE_MAX = 76 };

struct facts {                     /* of an extension, found once */
    bool is_known, has_agistatus, has_priority;
    unsigned counts;               /* the last priority that is written as a number */
};

struct maker {
    struct plan *p;
    struct audit *a;
    struct source *source;
    unsigned *counted;             /* by number of the extension: the highest priority that a jump names by number */
    struct facts *facts;           /* likewise */
};

/* Then lines are told that a person may paste. */
static const char of_lua[] = "it is written in Lua: put lines such as these in its place (of a talk: docs/audit.md says which)";
static const char of_ael[] = "its statement is not alone on its line: put these lines in its place";

/* ---- may a line be put in here? ---- */

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

/* Jumps that Asterisk's compiler of AEL makes (of `if`, of `switch`) are made anew with the lines; `goto` and GotoIf() are written by a person. */
static bool is_compiled(const struct maker *m, const struct dialplan_step *s)
{
    const struct text line = s->app_column ? source_line(m->source, s->place.file, s->place.line) : TEXT_NONE;

    return s->extension->origin == DIALPLAN_AEL && (!s->app_column || s->app_column > line.n || !text_starts_nocase(text_skip(line, s->app_column - 1), s->app));
}

/* For each extension the highest priority that a jump names by number. */
static int counted_find(struct maker *m)
{
    const struct dialplan *d = m->a->dialplan;
    struct flow_target targets[FLOW_TARGETS_MAX];

    m->counted = arena_take(m->a->memory, (d->extension_count + 1) * sizeof *m->counted);
    m->facts = arena_take(m->a->memory, (d->extension_count + 1) * sizeof *m->facts);
    if (!m->counted || !m->facts)
        return -ENOMEM;
    for (size_t i = 0; i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->extension_count; k++)
            for (size_t n = 0; n < d->contexts[i]->extensions[k]->step_count; n++) {
                const struct dialplan_step *const from = &d->contexts[i]->extensions[k]->steps[n];
                const size_t count = is_compiled(m, from) ? 0 : flow_targets(d, from, targets);

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

/* Asterisk passes over such lines whole: the longest that the patch makes of one is the old line behind our " same => n,", the start of it before
 * our Set(), or the address with the old arguments. */
static bool is_too_long(const struct maker *m, const struct inventory_use *u, struct text line)
{
    const size_t before = u->step->app_column - 1, room = CONF_LINE_MAX - ROUTE_MAX - 128;

    return line.n - before > room || before > room || strlen(m->p->opt.agi) + u->args.n > room;
}

static const struct facts *facts_of(const struct maker *m, const struct dialplan_extension *e)
{
    struct facts *const f = &m->facts[e->number];

    for (size_t i = 0; !f->is_known && i < e->step_count; i++) {
        const struct dialplan_step *const s = &e->steps[i];

        f->has_agistatus = f->has_agistatus || text_find_text(s->args, TEXT("AGISTATUS")) >= 0;
        f->has_priority = f->has_priority || text_find_text(s->args, TEXT("PRIORITY")) >= 0;
        if (e->origin == DIALPLAN_CONF && !is_next(source_line(m->source, s->place.file, s->place.line), s))
            f->counts = s->priority;
    }
    f->is_known = true;
    return f;
}

static const char *why_not_there(const struct maker *m, const struct inventory_use *u)
{
    const struct dialplan_step *s = u->step;
    const struct dialplan_extension *e = s->extension;
    const struct text line = source_line(m->source, s->place.file, s->place.line);
    const struct facts *const f = facts_of(m, e);

    if (!flow_is(s->app, "AGI") && !flow_is(s->app, "DeadAGI") && !flow_is(s->app, "EAGI"))
        return "another application runs it: change it by hand";
    if (e->origin == DIALPLAN_LUA)
        return of_lua;
    if (f->has_agistatus)
        return "its extension looks at AGISTATUS, which says SUCCESS behind agi:// even when a script fails: look at SIDETONE_STATUS there";
    if (f->has_priority)
        return "its extension computes with PRIORITY, and lines are to be put in";
    if (m->counted[e->number] > s->priority)
        return "a jump names a priority behind it by number: give it a label first";
    if (!plan_line_can_go(s, line))
        return e->origin == DIALPLAN_AEL ? of_ael : "its line holds an escape or a comment: change it by hand";
    if (is_too_long(m, u, line))
        return "a line of the change would be too long for Asterisk, which passes over such lines";
    if (!is_inside(m->a->opt.folder, s->place.file))
        return "its file is outside of the folder";
    if (e->origin == DIALPLAN_CONF && (strcmp(s->place.file, e->context->place.file) != 0 || s->place.line < e->context->place.line))
        return "its line comes from a template, or from a file that is included in the middle of a context, and may stand for several places";
    return f->counts > s->priority ? "priorities behind it are written as numbers: write `n` first" : NULL;
}

static bool is_talk(const struct inventory_use *u)
{
    return u->advice == INVENTORY_STASIS || u->kind == INVENTORY_EAGI;
}

static const char *why_no_talk(const struct maker *m, const struct inventory_use *u)
{
    const struct inventory_script *const s = u->script;

    if (u->advice != INVENTORY_STASIS && s->language != INVENTORY_UNKNOWN && s->language != INVENTORY_BINARY)
        return "as far as its source says, nothing in it listens to the caller's voice: write AGI() instead of EAGI(), and it can move behind agi://";
    if (text_eq(u->step->extension->name, TEXT("h")))
        return "there is nobody left to talk with in extension h";
    if (!m->p->opt.with_talks)
        return "it wants the caller's voice, which agi:// does not carry: make it an agent, whose words a person must write; with --with-talks the "
               "patch enters Stasis() behind a guard (docs/conversation.md)";
    return NULL;
}

static const char *why_not(const struct maker *m, const struct inventory_use *u)
{
    const char *const why = is_talk(u) ? why_no_talk(m, u) : NULL;

    if (why)
        return why;
    if (script_jumps(u->script))
        return "its script jumps in the dialplan, and lines put in behind it would move where it arrives: check that by hand";
    return why_not_there(m, u);
}

static void move_judge(const struct maker *m, struct plan_move *v)
{
    const struct inventory_use *u = v->use;

    v->state = PLAN_HAND;
    if (u->kind == INVENTORY_FASTAGI || u->kind == INVENTORY_ASYNCAGI) {
        v->state = PLAN_LEAVE;
        v->why = u->reason;
    } else if (u->is_dynamic || !u->script || !u->step) {
        v->why = "which script runs is decided in the call: give each that can run a route of its own";
    } else if (is_guarded(u->step)) {
        v->state = PLAN_DONE;
    } else if (u->script->err) {
        v->why = "its script cannot be read: see the inventory";
    } else if (u->advice == INVENTORY_KEEP) {
        v->state = PLAN_LEAVE;
        v->why = u->reason;
    } else {
        v->why = why_not(m, u);
        v->state = v->why ? PLAN_HAND : PLAN_PATCH;
    }
}

/* ---- routes ---- */

static bool is_same_section(const struct plan_known *k, struct text target, bool is_talk)
{
    return is_talk || (k->script && text_eq(text_of(k->script), target)); /* an agent of that name was written for it */
}

static const struct plan_known *known_of(const struct maker *m, struct text name, bool is_talk)
{
    for (size_t i = 0; i < m->p->opt.known_count; i++)
        if (m->p->opt.known[i].is_agent == is_talk && text_eq(text_of(m->p->opt.known[i].name), name))
            return &m->p->opt.known[i];
    return NULL;
}

static bool is_taken(const struct maker *m, struct text name, struct text target, bool is_talk)
{
    const struct plan_known *const k = known_of(m, name, is_talk);

    for (size_t i = 0; i < m->p->route_count; i++)
        if (m->p->routes[i].is_talk == is_talk && text_eq(text_of(m->p->routes[i].name), name))
            return true;
    /* a route of that name takes what fits no other */
    return text_eq(name, TEXT("default")) || (k && !is_same_section(k, target, is_talk));
}

/* The file's name up to its dot; what a URL or a section's name could not hold becomes "-". */
static const char *route_name(const struct maker *m, struct text target, bool is_talk)
{
    const ptrdiff_t slash = text_rfind(target, '/');
    struct text base = slash >= 0 ? text_skip(target, (size_t)slash + 1) : target;
    const ptrdiff_t dot = text_rfind(base, '.');
    struct buf b;
    const char *kept;
    size_t plain;

    base = dot > 0 ? text_head(base, (size_t)dot) : base;
    buf_init(&b, 256);
    for (size_t i = 0; i < base.n && i < ROUTE_MAX - 16; i++) {
        const char c = base.p[i];

        buf_add_char(&b, (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ? c : '-');
    }
    plain = b.n;
    for (size_t n = 2; !b.err && is_taken(m, buf_text(&b), target, is_talk); n++) {
        b.n = plain;
        buf_addf(&b, "-%zu", n);
    }
    kept = b.err ? NULL : arena_text(m->a->memory, buf_text(&b));
    buf_free(&b);
    return kept;
}

static int route_of(const struct maker *m, struct plan_move *v)
{
    struct plan *p = m->p;
    const bool talks = is_talk(v->use);
    struct plan_route *r;

    for (size_t i = 0; i < p->route_count; i++)
        if (p->routes[i].script == v->use->script && p->routes[i].is_talk == talks) {
            v->route = &p->routes[i];
            return 0;
        }
    r = &p->routes[p->route_count];
    *r = (struct plan_route){ .script = v->use->script, .name = route_name(m, v->use->target, talks), .target = v->use->target, .is_talk = talks };
    if (!r->name)
        return -ENOMEM;
    r->is_there = known_of(m, text_of(r->name), talks);
    v->route = r;
    p->route_count++;
    return 0;
}

/* One that its extension does not have yet: an older patch may have left one of the same line. */
static int label_of(const struct maker *m, struct plan_move *v)
{
    struct buf b;

    buf_init(&b, 256);
    buf_addf(&b, "sidetone-%u", v->use->place.line);
    while (!b.err && dialplan_label_of(v->use->step->extension, buf_text(&b)))
        buf_add_char(&b, 'a');
    v->label = b.err ? NULL : arena_text(m->a->memory, buf_text(&b));
    buf_free(&b);
    return v->label ? 0 : -ENOMEM;
}

/* Routes before agents, each with the low risks first; what is alike stays in the order of the dialplan. */
static void sections_order(struct plan *p)
{
    size_t n = 0;

    for (int talks = 0; talks <= 1; talks++)
        for (int risk = INVENTORY_RISK_LOW; risk <= INVENTORY_RISK_HIGH; risk++)
            for (size_t i = 0; i < p->route_count; i++)
                if (p->routes[i].is_talk == talks && (int)p->routes[i].script->risk == risk)
                    p->order[n++] = i;
}

int plan_make(struct plan **out, struct audit *a, const struct inventory *v, const struct plan_options *opt)
{
    struct maker m = { .a = a };
    int err;

    m.p = arena_take(a->memory, sizeof *m.p);
    if (!m.p)
        return -ENOMEM;
    m.p->audit = a;
    m.p->opt = *opt;
    if (!opt->agi)
        m.p->opt.agi = "127.0.0.1:4573";
    if (!opt->app)
        m.p->opt.app = "sidetone";
    m.p->order = arena_take(a->memory, (2 * v->script_count + 1) * sizeof *m.p->order);
    m.p->moves = arena_take(a->memory, (v->use_count + 1) * sizeof *m.p->moves);
    m.p->routes = arena_take(a->memory, (2 * v->script_count + 1) * sizeof *m.p->routes /* a script may be run by both */);
    if (!m.p->moves || !m.p->routes || !m.p->order)
        return -ENOMEM;
    err = source_open(&m.source, a->opt.source);
    if (!err && a->dialplan)
        err = counted_find(&m);
    for (size_t i = 0; !err && i < v->use_count; i++) {
        struct plan_move *const move = &m.p->moves[m.p->move_count++];

        move->use = &v->uses[i];
        move_judge(&m, move);
        if (move->state == PLAN_PATCH || move->why == of_lua || move->why == of_ael)
            err = route_of(&m, move);
        if (!err && move->state == PLAN_PATCH)
            err = label_of(&m, move);
    }
    if (!err)
        err = source_error(m.source);
    source_free(m.source);
    sections_order(m.p);
    if (!err)
        *out = m.p;
    return err;
}

/* ---- what is told of it ---- */

bool plan_has_patch(const struct plan *p)
{
    for (size_t i = 0; i < p->move_count; i++)
        if (p->moves[i].state == PLAN_PATCH)
            return true;
    return false;
}

bool plan_has_section(const struct plan *p, bool is_talk)
{
    for (size_t i = 0; i < p->route_count; i++)
        if (p->routes[i].is_talk == is_talk && !p->routes[i].is_there)
            return true;
    return false;
}

const struct plan_route *plan_section(const struct plan *p, size_t i)
{
    return &p->routes[p->order[i]];
}

/* `dialplan reload` reads extensions.conf only. */
static bool has_ael(const struct plan *p)
{
    for (size_t i = 0; i < p->move_count; i++)
        if (p->moves[i].state == PLAN_PATCH && p->moves[i].use->step->extension->origin == DIALPLAN_AEL)
            return true;
    return false;
}

size_t plan_command_count(const struct plan *p)
{
    return has_ael(p) ? 4 : 3;
}

void plan_command(const struct plan *p, size_t i, struct buf *out)
{
    if (i >= 2) {
        buf_add_text(out, i == 2 ? TEXT("asterisk -rx 'dialplan reload'") : TEXT("asterisk -rx 'module reload pbx_ael.so'"));
        return;
    }
    buf_addf(out, "sidetone audit %s %s%s", i == 0 ? "--patch" : "--apply", p->audit->opt.folder, p->opt.with_talks ? " --with-talks" : "");
    if (p->opt.agi_dir)
        buf_addf(out, " --agi-dir %s", p->opt.agi_dir);
    if (p->opt.config)
        buf_addf(out, " --config %s", p->opt.config);
}
