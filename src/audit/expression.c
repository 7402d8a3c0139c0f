/* Reads ${} and $[] into trees. */
#include "audit/expression.h"

#include <errno.h>
#include <string.h>

struct parser {
    struct arena *memory;
    struct text source;
    struct expression_fault *fault;
    size_t nodes;
};

static int parse(struct parser *p, struct text t, unsigned depth, struct expression **out);

static void fault_at(struct parser *p, const char *at, const char *what)
{
    if (!p->fault->what)
        *p->fault = (struct expression_fault){ .what = what, .at = (size_t)(at - p->source.p) };
}

static bool opens(struct text t, size_t i)
{
    return i + 1 < t.n && t.p[i] == '$' && (t.p[i + 1] == '{' || t.p[i + 1] == '[');
}

/* Length of the bracketed text at t, brackets included; 0 when it is never closed. Only brackets of its own sort count (seen in
 * pbx_substitute_variables_helper_full). */
static size_t bracket_length(struct text t)
{
    const char open = t.p[1], close = open == '{' ? '}' : ']';
    size_t depth = 0;

    for (size_t i = 1; i < t.n; i++) {
        depth += t.p[i] == open;
        if (t.p[i] == close && --depth == 0)
            return i + 1;
    }
    return 0;
}

/* Where the name ends: at the first ":" outside of brackets; the rest is an offset and a length (parse_variable_name, main/pbx_variables.c). */
static size_t name_end(struct text t)
{
    size_t depth = 0, inner = 0;

    for (size_t i = 0; i < t.n; i++) {
        if (opens(t, i) && (inner = bracket_length(text_skip(t, i))) > 0) {
            i += inner - 1;
            continue;
        }
        if (t.p[i] == ':' && depth == 0)
            return i;
        depth += t.p[i] == '(';
        depth -= t.p[i] == ')' && depth > 0;
    }
    return t.n;
}

static void name_node(struct expression *e)
{
    size_t n = 0;

    while (n < e->inside.n && e->inside.p[n] != '(' && e->inside.p[n] != ':' && e->inside.p[n] != '$')
        n++;
    e->name = text_head(e->inside, n);
    if (n < e->inside.n && e->inside.p[n] == '(') {
        const ptrdiff_t close = text_rfind(text_head(e->inside, name_end(e->inside)), ')');

        e->kind = EXPRESSION_FUNCTION;
        e->inside = text_skip(e->inside, n + 1);
        if (close > (ptrdiff_t)n)
            e->inside.n = (size_t)close - n - 1;
    } else if (n < e->inside.n && e->inside.p[n] == '$') {
        e->name = text_head(e->inside, 0);
    }
}

static int read_node(struct parser *p, struct text *rest, unsigned depth, struct expression *e)
{
    size_t n = 0;

    if (opens(*rest, 0)) {
        n = bracket_length(*rest);
        if (!n)
            fault_at(p, rest->p, rest->p[1] == '{' ? "\"${\" is never closed" : "\"$[\" is never closed");
        if (depth >= EXPRESSION_DEPTH_MAX)
            fault_at(p, rest->p, "nested too deep to be read");
    }
    if (n && depth < EXPRESSION_DEPTH_MAX) {
        e->text = text_head(*rest, n);
        e->inside = text_make(rest->p + 2, n - 3);
        e->kind = rest->p[1] == '{' ? EXPRESSION_VARIABLE : EXPRESSION_MATH;
        *rest = text_skip(*rest, n);
        if (e->kind == EXPRESSION_VARIABLE)
            name_node(e);
        return parse(p, e->inside, depth + 1, &e->parts);
    }
    n = rest->n ? 1 : 0;
    while (n < rest->n && !opens(*rest, n))
        n++;
    e->text = text_head(*rest, n);
    *rest = text_skip(*rest, n);
    return 0;
}

static int parse(struct parser *p, struct text t, unsigned depth, struct expression **out)
{
    while (t.n) {
        struct expression *e;
        int err;

        if (p->nodes++ >= EXPRESSION_NODES_MAX) {
            fault_at(p, t.p, "too many parts to be read");
            return 0;
        }
        e = arena_take(p->memory, sizeof *e);
        if (!e)
            return -ENOMEM;
        *out = e;
        out = &e->next;
        err = read_node(p, &t, depth, e);
        if (err)
            return err;
    }
    return 0;
}

int expression_parse(struct expression **out, struct expression_fault *fault, struct arena *memory, struct text source)
{
    struct parser p = { .memory = memory, .source = source, .fault = fault };

    *out = NULL;
    *fault = (struct expression_fault){ .what = NULL };
    return parse(&p, source, 0, out);
}

bool expression_is_plain(struct text source)
{
    for (size_t i = 0; i < source.n; i++)
        if (opens(source, i))
            return false;
    return true;
}

/* AST_STANDARD_APP_ARGS: round and square brackets nest, quotes shield, a backslash shields one byte; ${} is not yet text there, so it nests. */
bool expression_cut(struct text *rest, char separator, struct text *head)
{
    int round = 0, square = 0, curly = 0;
    bool is_quoted = false;

    if (!rest->p)
        return false;
    for (size_t i = 0; i < rest->n; i++) {
        const char c = rest->p[i];

        if (c == '\\' && i + 1 < rest->n) {
            i++;
            continue;
        }
        if (c == '"')
            is_quoted = !is_quoted;
        if (!is_quoted && c == separator && round <= 0 && square <= 0 && curly <= 0) {
            *head = text_head(*rest, i);
            *rest = text_skip(*rest, i + 1);
            return true;
        }
        round += (c == '(') - (c == ')' && round > 0);
        square += (c == '[') - (c == ']' && square > 0);
        curly += (c == '{') - (c == '}' && curly > 0);
    }
    *head = *rest;
    *rest = TEXT_NONE;
    return true;
}
