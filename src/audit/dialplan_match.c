/* Matches dialled digits against extensions as Asterisk does (main/pbx.c: ext_cmp, _extension_match_core). */
#include "audit/dialplan.h"

#include <string.h>

enum { INCLUDE_DEPTH = 32, VISITS_MAX = 512, DOT = 0x1000, BANG = 0x2000, END = 0x4000 };

/* The set of characters that one position of a pattern matches. */
struct position {
    unsigned char member[32];
    int weight;                    /* members, or DOT, BANG, END */
    int first;
};

static void position_add(struct position *p, unsigned char c)
{
    if (p->member[c >> 3] & (1u << (c & 7)))
        return;
    p->member[c >> 3] = (unsigned char)(p->member[c >> 3] | (1u << (c & 7)));
    p->weight++;
    if (p->first < 0 || c < p->first)
        p->first = c;
}

static void position_range(struct position *p, unsigned char from, unsigned char to)
{
    for (unsigned c = from; c <= to; c++)
        position_add(p, (unsigned char)c);
}

/* A "[...]" set; an unclosed one matches nothing. */
static void read_set(struct text *rest, struct position *out)
{
    const ptrdiff_t close = text_find(*rest, ']');
    const struct text set = text_make(rest->p + 1, close > 0 ? (size_t)close - 1 : 0);

    for (size_t i = 0; i < set.n; i++) {
        if (i + 2 < set.n && set.p[i + 1] == '-') {
            position_range(out, (unsigned char)set.p[i], (unsigned char)set.p[i + 2]);
            i += 2;
        } else {
            position_add(out, (unsigned char)set.p[i]);
        }
    }
    *rest = close > 0 ? text_skip(*rest, (size_t)close + 1) : text_skip(*rest, rest->n);
}

static void read_position(struct text *rest, bool is_pattern, struct position *out)
{
    memset(out, 0, sizeof *out);
    out->first = -1;
    while (rest->n && rest->p[0] == '-')
        *rest = text_skip(*rest, 1);
    if (!rest->n) {
        out->weight = END;
        return;
    }
    if (!is_pattern) {
        position_add(out, (unsigned char)rest->p[0]);
    } else if (rest->p[0] == '[') {
        read_set(rest, out);
        return;
    } else {
        switch (rest->p[0]) {
        case 'X': case 'x': position_range(out, '0', '9'); break;
        case 'Z': case 'z': position_range(out, '1', '9'); break;
        case 'N': case 'n': position_range(out, '2', '9'); break;
        case '.': out->weight = DOT; break;
        case '!': out->weight = BANG; break;
        default: position_add(out, (unsigned char)rest->p[0]); break;
        }
    }
    *rest = text_skip(*rest, 1);
}

static bool has_member(const struct position *p, unsigned char c)
{
    return p->member[c >> 3] & (1u << (c & 7));
}

bool dialplan_matches(struct text pattern, struct text dialled)
{
    const bool is_pattern = text_starts(pattern, TEXT("_"));
    struct text rest = text_skip(pattern, is_pattern);
    struct position p;

    for (;;) {
        while (!is_pattern && rest.n && rest.p[0] == '-') /* ext_cmp_exten of main/pbx.c: a dash counts for nothing in names, too */
            rest = text_skip(rest, 1);
        read_position(&rest, is_pattern, &p);
        while (dialled.n && dialled.p[0] == '-')
            dialled = text_skip(dialled, 1);
        if (p.weight == BANG)
            return true;
        if (p.weight == DOT)
            return dialled.n > 0;
        if (p.weight == END || !dialled.n)
            return p.weight == END && !dialled.n;
        if (!has_member(&p, (unsigned char)dialled.p[0]))
            return false;
        dialled = text_skip(dialled, 1);
    }
}

int dialplan_rank(struct text a, struct text b)
{
    const bool a_pattern = text_starts(a, TEXT("_")), b_pattern = text_starts(b, TEXT("_"));
    struct position x, y;

    if (a_pattern != b_pattern)
        return a_pattern ? 1 : -1;
    a = text_skip(a, a_pattern);
    b = text_skip(b, b_pattern);
    for (;;) {
        read_position(&a, a_pattern, &x);
        read_position(&b, b_pattern, &y);
        if (x.weight == END || y.weight == END)
            return x.weight == y.weight ? 0 : x.weight == END ? 1 : -1;
        if (x.weight != y.weight)
            return x.weight < y.weight ? -1 : 1;
        if (x.weight == DOT || x.weight == BANG)
            return 0;
        if (x.first != y.first)
            return x.first < y.first ? -1 : 1;
        for (size_t i = 0; i < sizeof x.member; i++)
            if (x.member[i] != y.member[i])
                return x.member[i] > y.member[i] ? -1 : 1;
    }
}

/* What an extension must hold: a step of that label, else of that priority, else anything. */
struct wanted {
    unsigned priority;
    struct text label;
};

static bool holds(const struct dialplan_extension *e, const struct wanted *w)
{
    if (w->label.n)
        return dialplan_label_of(e, w->label) != NULL;
    return !w->priority || dialplan_step_of(e, w->priority);
}

static const struct dialplan_extension *best_of(const struct dialplan *d, const struct dialplan_context *c, struct text dialled, const struct wanted *w)
{
    const struct dialplan_extension *best = dialplan_extension_of(d, c, dialled, TEXT_NONE);

    if (best && !best->is_pattern && holds(best, w))
        return best;
    best = NULL;
    for (size_t i = 0; c->pattern_count && i < c->extension_count; i++) {
        const struct dialplan_extension *e = c->extensions[i];

        if (!e->is_pattern || e->caller.p || !holds(e, w) || !dialplan_matches(e->name, dialled))
            continue;
        if (!best || dialplan_rank(e->name, best->name) < 0)
            best = e;
    }
    return best;
}

static const struct dialplan_extension *search(const struct dialplan *d, const struct dialplan_context *c, struct text dialled,
                                               const struct wanted *w, bool *is_open, unsigned depth, unsigned *visits)
{
    const struct dialplan_extension *found;

    if (!c || depth > INCLUDE_DEPTH || ++*visits > VISITS_MAX)
        return NULL;
    found = best_of(d, c, dialled, w);
    *is_open |= c->has_switch;
    for (size_t i = 0; !found && i < c->include_count; i++)
        found = search(d, c->includes[i].target, dialled, w, is_open, depth + 1, visits);
    return found;
}

const struct dialplan_extension *dialplan_match(const struct dialplan *d, const struct dialplan_context *c, struct text dialled, unsigned priority,
                                                bool *is_open)
{
    const struct wanted w = { .priority = priority };
    unsigned visits = 0;

    *is_open = false;
    return search(d, c, dialled, &w, is_open, 0, &visits);
}

const struct dialplan_extension *dialplan_match_label(const struct dialplan *d, const struct dialplan_context *c, struct text dialled, struct text label,
                                                      bool *is_open)
{
    const struct wanted w = { .label = label };
    unsigned visits = 0;

    *is_open = false;
    return search(d, c, dialled, &w, is_open, 0, &visits);
}

static bool has_label(const struct dialplan_context *c, struct text label, unsigned depth, unsigned *visits)
{
    if (!c || depth > INCLUDE_DEPTH || ++*visits > VISITS_MAX)
        return false;
    for (size_t i = 0; i < c->extension_count; i++)
        if (c->extensions[i]->is_pattern && dialplan_label_of(c->extensions[i], label))
            return true;
    for (size_t i = 0; i < c->include_count; i++)
        if (has_label(c->includes[i].target, label, depth + 1, visits))
            return true;
    return false;
}

bool dialplan_has_label(const struct dialplan_context *c, struct text label)
{
    unsigned visits = 0;

    return has_label(c, label, 0, &visits);
}
