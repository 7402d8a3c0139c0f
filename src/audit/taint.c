/* Follows what a caller decides. */
#include "audit/taint.h"

#include <errno.h>
#include <string.h>

#include "audit/flow.h"

/* Functions whose result a caller writes. */
static const char *const sources[] = { "CALLERID", "CONNECTEDLINE", "REDIRECTING", "PJSIP_HEADER", "PJSIP_HEADERS", "MESSAGE", "MESSAGE_DATA",
                                       "SPEECH_TEXT", "PJSIP_PARSE_URI", "PJSIP_PARSE_URI_FROM", "ENUMLOOKUP", "CURL" };
/* Functions whose result carries no characters of what they are given but harmless ones. FILTER keeps a set that the author chose. */
static const char *const cleaners[] = { "FILTER", "URIENCODE", "SQL_ESC", "LEN", "MD5", "SHA1", "ISNULL", "EXISTS", "REGEX", "MATH", "FIELDQTY",
                                        "KEYPADHASH", "DIALPLAN_EXISTS", "VALID_EXTEN", "BASE64_ENCODE", "ABS", "INC", "DEC", "DB_EXISTS", "STAT",
                                        "DEVICE_STATE", "EXTENSION_STATE", "BLACKLIST", "GROUP_COUNT" };
static const char *const plain_variables[] = { "CALLERIDNUM", "CALLERIDNAME", "CALLERID", "DNID", "RDNIS", "INVALID_EXTEN", "SIPDOMAIN" };

static bool is_among(struct text name, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (text_eq(name, text_of(list[i])))
            return true;
    return false;
}

#define AMONG(name, list) is_among((name), (list), sizeof(list) / sizeof *(list))

void taint_begin(struct taint_state *s, const struct dialplan_extension *e)
{
    s->extension = e;
    s->count = 0;
}

static enum taint exten_level(const struct dialplan_extension *e)
{
    if (!e->is_pattern)
        return TAINT_NONE;
    return text_find(e->name, '.') >= 0 || text_find(e->name, '!') >= 0 ? TAINT_TEXT : TAINT_DIGITS;
}

static const struct taint_name *name_of(const struct taint_state *s, struct text name)
{
    for (size_t i = s->count; i > 0; i--)
        if (text_eq(s->names[i - 1].name, name))
            return s->names + i - 1;
    return NULL;
}

static void worse(struct taint_value *v, enum taint level, struct text source, const struct dialplan_step *from)
{
    if (level > v->level)
        *v = (struct taint_value){ .level = level, .source = source, .from = from };
}

static void read_tree(const struct taint_state *s, const struct expression *e, struct taint_value *out)
{
    for (; e; e = e->next) {
        struct taint_value inner = { .level = TAINT_NONE };
        const struct taint_name *known;

        if (e->kind == EXPRESSION_TEXT || e->kind == EXPRESSION_MATH)
            continue; /* a sum or a comparison gives a number */
        known = name_of(s, e->name);
        if (known) {
            worse(out, known->level, e->text, known->from);
            continue;
        }
        if (e->kind == EXPRESSION_VARIABLE && text_eq(e->name, TEXT("EXTEN")))
            worse(out, exten_level(s->extension), e->text, NULL);
        else if (e->kind == EXPRESSION_VARIABLE ? AMONG(e->name, plain_variables) : AMONG(e->name, sources))
            worse(out, TAINT_TEXT, e->text, NULL);
        if (e->kind != EXPRESSION_FUNCTION)
            continue;
        read_tree(s, e->parts, &inner);
        if (AMONG(e->name, cleaners) && inner.level > TAINT_DIGITS)
            inner.level = TAINT_DIGITS;
        worse(out, inner.level, inner.source, inner.from);
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

static void keep(struct taint_state *s, struct text name, enum taint level, const struct dialplan_step *from)
{
    while (name.n && name.p[0] == '_')
        name = text_skip(name, 1);
    if (text_starts(name, TEXT("GLOBAL(")) && text_ends(name, TEXT(")")))
        name = text_make(name.p + 7, name.n - 8);
    if (name.n && s->count < TAINT_NAMES_MAX)
        s->names[s->count++] = (struct taint_name){ .name = name, .level = level, .from = from };
}

static int after_set(struct taint_state *s, struct arena *memory, struct text assignment, const struct dialplan_step *step)
{
    struct text value = assignment, name;
    struct taint_value v;
    int err;

    if (!expression_cut(&value, '=', &name) || !value.p)
        return 0;
    err = taint_read(s, memory, value, &v);
    if (!err)
        keep(s, text_trim(name), v.level, v.level ? step : NULL);
    return err;
}

/* ${REGEX("^[0-9]+$" ${X})} in a condition: the author has looked at X. */
static void after_check(struct taint_state *s, const struct expression *e, bool is_checked, const struct dialplan_step *step)
{
    for (; e; e = e->next) {
        if (is_checked && e->kind == EXPRESSION_VARIABLE && e->name.n)
            keep(s, e->name, TAINT_DIGITS, step);
        if (is_checked && e->kind == EXPRESSION_FUNCTION && AMONG(e->name, sources))
            keep(s, e->name, TAINT_DIGITS, step);
        after_check(s, e->parts, is_checked || (e->kind == EXPRESSION_FUNCTION && text_eq(e->name, TEXT("REGEX"))), step);
    }
}

int taint_after(struct taint_state *s, struct arena *memory, const struct dialplan_step *step)
{
    struct flow_call calls[FLOW_CALLS_MAX];
    const size_t n = flow_calls(step, calls);
    struct expression_fault fault;
    struct expression *tree;
    int err = 0;

    for (size_t i = 0; !err && i < n; i++) {
        if (flow_is(calls[i].app, "Set")) {
            err = after_set(s, memory, calls[i].args, step);
        } else if (flow_is(calls[i].app, "MSet")) {
            struct text rest = calls[i].args, one;

            while (!err && expression_cut(&rest, ',', &one))
                err = after_set(s, memory, one, step);
        } else if (flow_is(calls[i].app, "Read") || flow_is(calls[i].app, "ReadExten")) {
            keep(s, flow_argument(calls[i].args, 0), TAINT_DIGITS, step);
        }
    }
    if (err || text_find_text(step->args, TEXT("REGEX(")) < 0)
        return err;
    err = expression_parse(&tree, &fault, memory, step->args);
    if (!err)
        after_check(s, tree, false, step);
    return err;
}
