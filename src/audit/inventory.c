/* Finds the uses of AGI in a dialplan and opens the scripts that they name. */
#include "audit/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/flow.h"
#include "audit/script/facts.h"
#include "audit/settings.h"
#include "audit/ways.h"
#include "base/buf.h"

enum { SCRIPT_BYTES_MAX = 1 << 20, SCRIPTS_MAX = 2000, USES_MAX = 50000, ENTRIES_MAX = 32 };

struct maker {
    struct audit_rule rule;        /* first: ways_each hands it to its visitors; it is no rule, and finds nothing */
    struct inventory *v;
    struct audit *a;
    const struct conf_source *disk;
    const char *agi_dir;
    size_t *first_use;             /* by number of the extension; SIZE_MAX: it has none. Uses stand in the dialplan's order */
};

/* ---- names ---- */

static const char *name_at(const char *const *names, size_t count, size_t i)
{
    return i < count ? names[i] : NULL;
}
#define NAME_AT(names, i) name_at(names, sizeof names / sizeof *(names), (size_t)(i))

const char *inventory_kind_name(enum inventory_kind k)
{
    static const char *const names[] = { "AGI", "EAGI", "DeadAGI", "FastAGI", "AsyncAGI" };

    return NAME_AT(names, k);
}

const char *inventory_language_name(enum inventory_language l)
{
    static const char *const names[] = { "unknown", "Python", "Perl", "PHP", "shell", "Lua", "Ruby", "JavaScript", "C", "binary" };

    return NAME_AT(names, l);
}

const char *inventory_class_name(enum inventory_class c)
{
    static const char *const names[] = { "unknown", "look-up", "routing", "menu", "do-not-call", "recording", "conversation" };

    return NAME_AT(names, c);
}

const char *inventory_risk_name(enum inventory_risk r)
{
    static const char *const names[] = { "low", "middle", "high" };

    return NAME_AT(names, r);
}

const char *inventory_advice_name(enum inventory_advice a)
{
    static const char *const names[] = { "keep", "host", "rewrite", "stasis" };

    return NAME_AT(names, a);
}

const char *inventory_trait_name(size_t bit)
{
    static const char *const names[] = { "database", "http", "files", "system", "audio on fd 3", "loop", "speech", "originates calls", "secret in the source", "sleeps" };

    return NAME_AT(names, bit);
}

/* ---- scripts ---- */

static const char *join(struct maker *m, struct text folder, struct text name, const char *more)
{
    struct buf b;
    const char *kept = NULL;

    buf_init(&b, 4096);
    if (name.n > 0 && name.p[0] == '/')
        buf_addf(&b, "%.*s%s", TEXT_ARG(name), more);
    else
        buf_addf(&b, "%.*s/%.*s%s", TEXT_ARG(folder), TEXT_ARG(name), more);
    if (!b.err)
        kept = arena_text(m->a->memory, buf_text(&b));
    buf_free(&b);
    return kept;
}

static int facts_read(struct maker *m, struct inventory_script *s, struct text source)
{
    return script_facts(s, m->a->memory, text_head(source, SCRIPT_BYTES_MAX));
}

/* foo, foo.c, src/foo.c */
static int binary_read(struct maker *m, struct inventory_script *s)
{
    const struct text path = text_of(s->path);
    const char *tried[2] = { join(m, TEXT(""), path, ".c"), NULL };
    size_t slash = path.n;

    while (slash > 0 && path.p[slash - 1] != '/')
        slash--;
    struct buf b;

    buf_init(&b, 4096);
    buf_addf(&b, "%.*ssrc/%.*s.c", TEXT_ARG(text_head(path, slash)), TEXT_ARG(text_skip(path, slash)));
    tried[1] = b.err ? NULL : arena_text(m->a->memory, buf_text(&b));
    buf_free(&b);
    for (size_t i = 0; i < 2; i++) {
        struct text source;
        int err;

        if (!tried[i])
            return -ENOMEM;
        if (m->disk->read(m->disk->arg, tried[i], &source))
            continue;
        s->source = tried[i];
        s->language = INVENTORY_C;
        err = facts_read(m, s, source);
        free((char *)source.p);
        return err;
    }
    return 0;
}

static int script_read(struct maker *m, struct inventory_script *s)
{
    struct text source;
    int err = m->disk->read(m->disk->arg, s->path, &source);

    if (err == -ENOMEM)
        return err;
    s->err = err;
    if (!err) {
        s->language = script_language(text_of(s->path), source);
        if (s->language == INVENTORY_BINARY)
            err = binary_read(m, s);
        else
            err = facts_read(m, s, source);
        free((char *)source.p);
        if (err)
            return err;
    }
    return script_judge(s, m->a->memory);
}

static int script_of(struct maker *m, struct text target, size_t *index)
{
    const char *path = join(m, text_of(m->agi_dir), target, "");
    struct inventory *v = m->v;

    if (!path)
        return -ENOMEM;
    for (*index = 0; *index < v->script_count; ++*index)
        if (strcmp(v->scripts[*index].path, path) == 0)
            return 0;
    if (v->script_count == SCRIPTS_MAX)
        return -ENOBUFS;
    if (v->script_count == v->script_room) {
        const size_t room = v->script_room ? v->script_room * 2 : 16;
        struct inventory_script *more = arena_take(m->a->memory, room * sizeof *more);

        if (!more)
            return -ENOMEM;
        if (v->script_count > 0)
            memcpy(more, v->scripts, v->script_count * sizeof *more);
        v->scripts = more;
        v->script_room = room;
    }
    v->scripts[v->script_count] = (struct inventory_script){ .path = path };
    return script_read(m, &v->scripts[v->script_count++]);
}

/* ---- uses ---- */

static bool kind_of(const struct flow_call *c, enum inventory_kind *out)
{
    struct text target = flow_argument(c->args, 0);

    if (flow_is(c->app, "AGI"))
        *out = INVENTORY_AGI;
    else if (flow_is(c->app, "EAGI"))
        *out = INVENTORY_EAGI;
    else if (flow_is(c->app, "DeadAGI"))
        *out = INVENTORY_DEADAGI;
    else
        return false;
    if (text_starts_nocase(target, TEXT("agi:async")))
        *out = INVENTORY_ASYNCAGI;
    else if (text_starts_nocase(target, TEXT("agi://")) || text_starts_nocase(target, TEXT("agis://")) || text_starts_nocase(target, TEXT("hagi://")))
        *out = INVENTORY_FASTAGI;
    return true;
}

static struct inventory_use *use_add(struct maker *m)
{
    struct inventory *v = m->v;

    if (v->use_count == v->use_room) {
        const size_t room = v->use_room ? v->use_room * 2 : 32;
        struct inventory_use *more = arena_take(m->a->memory, room * sizeof *more);

        if (!more)
            return NULL;
        if (v->use_count > 0)
            memcpy(more, v->uses, v->use_count * sizeof *more);
        v->uses = more;
        v->use_room = room;
    }
    return &v->uses[v->use_count++];
}

static void advise(struct inventory_use *u)
{
    u->advice = INVENTORY_KEEP;
    if (u->kind == INVENTORY_FASTAGI)
        u->reason = "it is answered by a server already; compare that one with ours by `shadow` before anything is moved";
    else if (u->kind == INVENTORY_ASYNCAGI)
        u->reason = "another program drives these calls over the manager; `asyncagi = yes` of a node can serve them";
    else if (u->is_dynamic) {
        u->advice = INVENTORY_HOST;
        u->reason = "which script runs is decided in the call: find out which ones can, and give each a route of its own";
    } else {
        u->reason = "";            /* the script's */
    }
}

/* As written: Asterisk gives a script its arguments with their blanks. */
static struct text behind_comma(struct text t)
{
    const ptrdiff_t comma = text_find(t, ',');

    return comma >= 0 ? text_skip(t, (size_t)comma + 1) : TEXT_NONE;
}

static int use_take(struct maker *m, const struct dialplan_step *step, const struct flow_call *c, enum inventory_kind kind)
{
    const struct text target = flow_argument(c->args, 0);
    const size_t skipped = (size_t)(target.p - c->args.p) + target.n;
    struct inventory_use *u;
    size_t script;
    int err;

    if (m->v->use_count == USES_MAX)
        return 0;
    u = use_add(m);
    if (!u)
        return -ENOMEM;
    *u = (struct inventory_use){ .step = step, .place = step->place, .kind = kind, .target = target, .is_dynamic = text_find(target, '$') >= 0 };
    if (target.p && skipped < c->args.n)
        u->args = behind_comma(text_skip(c->args, skipped));
    advise(u);
    if (kind == INVENTORY_FASTAGI || kind == INVENTORY_ASYNCAGI || u->is_dynamic || target.n == 0)
        return 0;
    err = script_of(m, target, &script);
    u->script_index = err ? SIZE_MAX : script;
    return err == -ENOBUFS ? 0 : err;
}

static int uses_find(struct maker *m)
{
    const struct dialplan *d = m->a->dialplan;
    int err = 0;

    for (size_t i = 0; i < d->context_count; i++) {
        const struct dialplan_context *c = d->contexts[i];

        for (size_t k = 0; k < c->extension_count; k++) {
            for (size_t n = 0; n < c->extensions[k]->step_count && !err; n++) {
                const struct dialplan_step *s = &c->extensions[k]->steps[n];
                struct flow_call calls[FLOW_CALLS_MAX];
                const size_t count = flow_calls(s, calls);
                enum inventory_kind kind;

                for (size_t x = 0; x < count && !err; x++)
                    if (kind_of(&calls[x], &kind))
                        err = use_take(m, s, &calls[x], kind);
            }
        }
    }
    return err;
}

/* The array of scripts may have moved while it grew. */
static void scripts_link(struct inventory *v)
{
    for (size_t i = 0; i < v->use_count; i++) {
        struct inventory_use *u = &v->uses[i];

        if (u->kind == INVENTORY_FASTAGI || u->kind == INVENTORY_ASYNCAGI || u->is_dynamic || u->script_index >= v->script_count || u->target.n == 0)
            continue;
        u->script = &v->scripts[u->script_index];
        u->advice = u->script->advice;
        u->reason = u->script->reason;
    }
}

/* ---- who gets there ---- */

static int entry_add(struct maker *m, struct inventory_use *u, const struct dialplan_context *entry)
{
    const struct dialplan_context **list = (const struct dialplan_context **)u->reached_from;

    for (size_t i = 0; i < u->reached_count; i++)
        if (list[i] == entry)
            return 0;
    if (!list) {
        list = arena_take(m->a->memory, ENTRIES_MAX * sizeof *list);
        if (!list)
            return -ENOMEM;
        u->reached_from = list;
    }
    if (u->reached_count < ENTRIES_MAX)
        list[u->reached_count++] = entry;
    return 0;
}

static int on_step(struct ways *w, const struct audit_rule *self, size_t node, const struct dialplan_step *s)
{
    struct maker *m = (struct maker *)(uintptr_t)self;
    int err = 0;

    (void)node;
    for (size_t i = m->first_use[s->extension->number]; i < m->v->use_count && m->v->uses[i].step->extension == s->extension && !err; i++)
        if (m->v->uses[i].step == s)
            err = entry_add(m, &m->v->uses[i], w->entry->context);
    return err;
}

static int on_node(struct ways *w, const struct audit_rule *self, size_t node)
{
    return ways_each_step(w, self, node, on_step);
}

static int entries_find(struct maker *m)
{
    const struct inventory *const v = m->v;
    const size_t extensions = m->a->dialplan ? m->a->dialplan->extension_count : 0;

    if (v->use_count == 0)
        return 0;
    m->first_use = arena_take(m->a->memory, extensions * sizeof *m->first_use);
    if (!m->first_use)
        return -ENOMEM;
    for (size_t i = 0; i < extensions; i++)
        m->first_use[i] = SIZE_MAX;
    for (size_t i = v->use_count; i-- > 0;)
        m->first_use[v->uses[i].step->extension->number] = i;
    return ways_each(m->a, &m->rule, on_node);
}

/* ---- the whole ---- */

static const char *folder_of(struct audit *a, const char *given)
{
    struct settings s;
    struct text value = TEXT_NONE;

    if (given)
        return given;
    if (a->files[AUDIT_ASTERISK] && settings_read(&s, a->memory, a->files[AUDIT_ASTERISK]) == 0)
        value = settings_value(settings_find(&s, "directories"), "astagidir");
    return value.n > 0 ? arena_text(a->memory, value) : "/usr/share/asterisk/agi-bin";
}

int inventory_make(struct inventory **out, struct audit *a, const char *agi_dir)
{
    struct maker m = { .a = a, .disk = a->opt.source };
    int err = 0;

    if (a->inventory) {
        *out = a->inventory;
        return 0;
    }
    m.agi_dir = folder_of(a, agi_dir);
    m.v = arena_take(a->memory, sizeof *m.v);
    if (!m.v || !m.agi_dir)
        return -ENOMEM;
    if (a->dialplan)
        err = uses_find(&m);
    scripts_link(m.v);
    if (!err)
        err = entries_find(&m);
    if (!err)
        *out = a->inventory = m.v;
    return err;
}
