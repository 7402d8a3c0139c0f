/* Follows what a caller decides. */
#include "audit/taint.h"

#include <errno.h>
#include <string.h>

#include "audit/flow.h"
#include "audit/taint_world.h"

/* Functions whose result a caller writes. */
static const char *const sources[] = { "CALLERID", "CONNECTEDLINE", "REDIRECTING", "PJSIP_HEADER", "PJSIP_HEADERS", "MESSAGE", "MESSAGE_DATA",
                                       "SPEECH_TEXT", "PJSIP_PARSE_URI", "PJSIP_PARSE_URI_FROM", "ENUMLOOKUP", "CURL" };
/* Functions whose result carries no characters of what they are given but harmless ones. FILTER keeps a set that the author chose. */
static const char *const cleaners[] = { "FILTER", "URIENCODE", "SQL_ESC", "LEN", "MD5", "SHA1", "ISNULL", "EXISTS", "REGEX", "MATH", "FIELDQTY", "STRFTIME",
                                        "KEYPADHASH", "DIALPLAN_EXISTS", "VALID_EXTEN", "BASE64_ENCODE", "ABS", "INC", "DEC", "DB_EXISTS", "STAT",
                                        "DEVICE_STATE", "EXTENSION_STATE", "BLACKLIST", "GROUP_COUNT" };
/* Functions that take the name of a variable, not its value. */
static const char *const by_name[] = { "LOCAL", "CUT", "STRREPLACE", "REPLACE", "LISTFILTER", "SHIFT", "POP", "HASH", "ARRAY", "PASSTHRU", "GLOBAL", "SHARED" };
/* Functions that choose with what they are given, and give something else: a caller who picks the key does not write the value. */
static const char *const choosers[] = { "DB", "HASH", "CUT", "GLOBAL", "LOCAL", "SHARED", "SHIFT", "POP", "HINT", "PJSIP_DIAL_CONTACTS", "PJSIP_ENDPOINT",
                                        "PJSIP_AOR", "PJSIP_CONTACT", "SIPPEER", "IAXPEER", "VM_INFO", "VMCOUNT", "MAILBOX_EXISTS", "QUEUE_MEMBER" };
static const char *const plain_variables[] = { "CALLERIDNUM", "CALLERIDNAME", "CALLERID", "DNID", "RDNIS", "INVALID_EXTEN", "SIPDOMAIN" };

static bool is_among(struct text name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_eq(name, text_of(list[i])))
            return true;
    return false;
}

#define AMONG(name, list) is_among((name), (list), sizeof(list) / sizeof *(list))

void taint_begin(struct taint_state *s, const struct taint_world *world, const struct dialplan_extension *e)
{
    s->world = world;
    s->extension = e;
    s->count = 0;
    if (world)
        taint_world_enter(world, s);
}

static enum taint exten_level(const struct dialplan_extension *e)
{
    if (!e->is_pattern)
        return TAINT_NONE;
    return text_find(e->name, '.') >= 0 || text_find(e->name, '!') >= 0 ? TAINT_TEXT : TAINT_DIGITS;
}

const struct taint_name *taint_name_of(const struct taint_name *names, size_t count, struct text name)
{
    for (size_t i = count; i > 0; i--)
        if (text_eq(names[i - 1].name, name))
            return names + i - 1;
    return NULL;
}

struct text taint_family(struct text t)
{
    const ptrdiff_t slash = text_find(t, '/');

    return text_head(t, slash < 0 ? t.n : (size_t)slash);
}

void taint_keep(struct taint_state *s, struct taint_name name)
{
    struct taint_name *old = (struct taint_name *)taint_name_of(s->names, s->count, name.name);

    if (old)
        *old = name;
    else if (name.name.n && s->count < TAINT_NAMES_MAX)
        s->names[s->count++] = name;
}

static void worse(struct taint_value *v, enum taint level, struct text source, const struct taint_origin *origin)
{
    if (level > v->level)
        *v = (struct taint_value){ .level = level, .source = source, .origin = origin };
}

/* Of the channel, else the global one. NULL: nobody set it, as far as can be seen. */
static const struct taint_name *name_of(const struct taint_state *s, struct text name)
{
    const struct taint_name *own = taint_name_of(s->names, s->count, name);

    return own || !s->world ? own : taint_world_global(s->world, name);
}

static void read_by_name(const struct taint_state *s, const struct expression *e, struct taint_value *out)
{
    struct text rest = e->inside, name;
    const struct taint_name *known;

    if (e->kind != EXPRESSION_FUNCTION)
        return;
    if (text_eq(e->name, TEXT("DB")))
        name = taint_family(text_skip(e->text, 2));
    else if (!AMONG(e->name, by_name) || !expression_cut(&rest, ',', &name))
        return;
    known = name_of(s, text_trim(name));
    if (known)
        worse(out, known->level, e->text, known->origin);
}

/* "$[${X}]" or "$["a ${X}"]", as AEL writes assignments: no operator outside of quotes, so the text comes out as it is. */
static bool is_passed_on(const struct expression *sum)
{
    bool is_quoted = false;

    for (const struct expression *e = sum->parts; e; e = e->next)
        for (size_t i = 0; e->kind == EXPRESSION_TEXT && i < e->text.n; i++) {
            is_quoted ^= e->text.p[i] == '"';
            if (!is_quoted && e->text.p[i] && strchr("=<>!&|+-*/%~?:()", e->text.p[i]))
                return false;
        }
    return true;
}

static bool is_chooser(struct text function)
{
    return AMONG(function, choosers) || text_starts(function, TEXT("ODBC_"));
}

static void read_tree(const struct taint_state *s, const struct expression *e, struct taint_value *out)
{
    for (; e; e = e->next) {
        struct taint_value inner = { .level = TAINT_NONE };
        const struct taint_name *known;

        if (e->kind == EXPRESSION_MATH && is_passed_on(e))
            read_tree(s, e->parts, out);
        if (e->kind == EXPRESSION_TEXT || e->kind == EXPRESSION_MATH)
            continue; /* a sum or a comparison gives a number */
        known = name_of(s, e->name);
        if (known) {
            worse(out, known->level, e->text, known->origin);
            continue;
        }
        if (e->kind == EXPRESSION_VARIABLE && text_eq(e->name, TEXT("EXTEN")))
            worse(out, exten_level(s->extension), e->text, NULL);
        else if (e->kind == EXPRESSION_VARIABLE ? AMONG(e->name, plain_variables) : AMONG(e->name, sources))
            worse(out, TAINT_TEXT, e->text, NULL);
        if (e->kind != EXPRESSION_FUNCTION)
            continue;
        read_by_name(s, e, &inner);
        if (!is_chooser(e->name))
            read_tree(s, e->parts, &inner);
        if (AMONG(e->name, cleaners) && inner.level > TAINT_DIGITS)
            inner.level = TAINT_DIGITS;
        worse(out, inner.level, inner.source, inner.origin);
    }
}

int taint_read(const struct taint_state *s, struct arena *memory, struct text t, struct taint_value *out)
{
    struct expression_fault fault;
    struct expression *tree;
    int err;

    *out = (struct taint_value){ .level = TAINT_NONE };
    if (expression_is_plain(t))
        return 0;
    err = expression_parse(&tree, &fault, memory, t);
    if (!err)
        read_tree(s, tree, out);
    return err;
}

static int keep(struct taint_state *s, struct arena *memory, struct text name, const struct taint_value *v, const struct dialplan_step *step)
{
    struct taint_name n = { .level = v->level, .is_own = true, .is_inherited = text_starts(name, TEXT("_")) };
    struct taint_origin *origin;

    while (name.n && name.p[0] == '_')
        name = text_skip(name, 1);
    n.name = name;
    if (n.level) {
        origin = arena_take(memory, sizeof *origin);
        if (!origin)
            return -ENOMEM;
        *origin = (struct taint_origin){ .step = step, .before = v->origin };
        n.origin = origin;
    }
    taint_keep(s, n);
    return 0;
}

/* "NAME", "GLOBAL(NAME)", "HASH(NAME,key)", "ARRAY(A,B)": what is written to. */
static int keep_all(struct taint_state *s, struct arena *memory, struct text name, const struct taint_value *v, const struct dialplan_step *step)
{
    const ptrdiff_t open = text_find(name, '(');
    struct text inside, one;
    bool is_array;
    int err = 0;

    if (open < 0)
        return keep(s, memory, name, v, step);
    if (text_starts(name, TEXT("DB(")))
        return keep(s, memory, taint_family(name), v, step);
    inside = text_skip(name, (size_t)open + 1);
    inside.n -= text_ends(inside, TEXT(")"));
    name = text_head(name, (size_t)open);
    is_array = text_eq(name, TEXT("ARRAY"));
    if (!is_array && !AMONG(name, by_name))
        return 0;
    while (!err && expression_cut(&inside, ',', &one)) {
        err = keep(s, memory, text_trim(one), v, step);
        if (!is_array)
            break;
    }
    return err;
}

static int after_set(struct taint_state *s, struct arena *memory, struct arena *scratch, struct text assignment, const struct dialplan_step *step)
{
    struct text value = assignment, name;
    struct taint_value v;
    int err;

    if (!expression_cut(&value, '=', &name) || !value.p)
        return 0;
    err = taint_read(s, scratch, value, &v);
    return err ? err : keep_all(s, memory, text_trim(name), &v, step);
}

/* ${REGEX("^[0-9]+$" ${X})} in a condition: the author has looked at X. */
static int after_check(struct taint_state *s, struct arena *memory, const struct expression *e, bool is_checked, const struct dialplan_step *step)
{
    static const struct taint_value digits = { .level = TAINT_DIGITS };
    int err = 0;

    for (; !err && e; e = e->next) {
        if (is_checked && ((e->kind == EXPRESSION_VARIABLE && e->name.n) || (e->kind == EXPRESSION_FUNCTION && AMONG(e->name, sources))))
            err = keep(s, memory, e->name, &digits, step);
        if (!err)
            err = after_check(s, memory, e->parts, is_checked || (e->kind == EXPRESSION_FUNCTION && text_eq(e->name, TEXT("REGEX"))), step);
    }
    return err;
}

static int after_call(struct taint_state *s, struct arena *memory, struct arena *scratch, const struct flow_call *c)
{
    static const struct taint_value digits = { .level = TAINT_DIGITS };
    struct text rest = c->args, one;
    int err = 0;

    if (flow_is(c->app, "Set"))
        return after_set(s, memory, scratch, c->args, c->step);
    if (flow_is(c->app, "Read") || flow_is(c->app, "ReadExten"))
        return keep(s, memory, flow_argument(c->args, 0), &digits, c->step);
    if (flow_is(c->app, "MSet"))
        while (!err && expression_cut(&rest, ',', &one))
            err = after_set(s, memory, scratch, one, c->step);
    if (s->world && (flow_is(c->app, "Gosub") || flow_is(c->app, "GosubIf")))
        taint_world_return(s->world, s, c->step);
    return err;
}

int taint_look(struct taint_state *s, struct arena *memory, struct arena *scratch, const struct dialplan_step *step)
{
    struct expression_fault fault;
    struct expression *tree;
    int err;

    if (text_find_text(step->args, TEXT("REGEX(")) < 0)
        return 0;
    err = expression_parse(&tree, &fault, scratch, step->args);
    return err ? err : after_check(s, memory, tree, false, step);
}

int taint_after(struct taint_state *s, struct arena *memory, struct arena *scratch, const struct dialplan_step *step)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(step, calls);
    int err = 0;

    for (size_t i = 0; !err && i < n; i++)
        err = after_call(s, memory, scratch, calls + i);
    return err ? err : taint_look(s, memory, scratch, step);
}

/* Feature codes are dialled by people of the house. */
static bool is_feature_code(struct text extension)
{
    const struct text t = text_skip(extension, text_starts(extension, TEXT("_")) ? 1 : 0);

    return text_starts(t, TEXT("*")) || text_starts(t, TEXT("#"));
}

bool taint_is_stored(const struct taint_value *v)
{
    for (const struct taint_origin *o = v->origin; o; o = o->before)
        if (text_starts(text_trim(o->step->args), TEXT("DB(")) && is_feature_code(o->step->extension->name))
            return true;
    return false;
}
