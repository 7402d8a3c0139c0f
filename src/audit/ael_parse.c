/* Reads contexts, macros and globals (res/ael/ael.y of 22.10.1). */
#include "audit/ael_tree.h"

#include <errno.h>
#include <string.h>

/* ---- tokens ---- */

void ael_take(struct ael_tree *t)
{
    t->token = ael_lexer_next(&t->lexer);
}

bool ael_has(struct ael_tree *t, enum ael_sign sign)
{
    if (t->token.sign != sign)
        return false;
    ael_take(t);
    return true;
}

void ael_skip(struct ael_tree *t)
{
    unsigned depth = 0;

    for (; t->token.sign != AEL_END; ael_take(t)) {
        if (t->token.sign == AEL_OPEN) {
            depth++;
        } else if (t->token.sign == AEL_CLOSE) {
            if (depth == 0)
                return;
            if (--depth == 0) {
                ael_take(t);
                return;
            }
        } else if (t->token.sign == AEL_SEMICOLON && depth == 0) {
            ael_take(t);
            return;
        }
    }
}

void ael_damage(struct ael_tree *t, const char *expected)
{
    const struct text found = text_head(t->token.text, 40);

    if (!t->lexer.is_full)
        ael_problem(&t->lexer, t->token.place, DIALPLAN_SKIPPED, t->token.sign == AEL_END ? "expected %s, and found %.*s: Asterisk loads nothing of extensions.ael"
                    : "expected %s, and found \"%.*s\": Asterisk loads nothing of extensions.ael", expected, TEXT_ARG(found));
    ael_skip(t);
}

bool ael_expect(struct ael_tree *t, enum ael_sign sign, const char *what)
{
    if (ael_has(t, sign))
        return true;
    ael_damage(t, what);
    return false;
}

struct ael_node *ael_node_new(struct ael_tree *t, enum ael_kind kind, struct conf_place place)
{
    struct ael_node *n = t->count < AEL_NODES_MAX ? arena_take(t->memory, sizeof *n) : NULL;

    if (!n) {
        if (t->count < AEL_NODES_MAX)
            t->b->err = -ENOMEM;
        else if (!t->lexer.is_full)
            ael_problem(&t->lexer, place, DIALPLAN_SKIPPED, "more than %d statements: the rest is not read", AEL_NODES_MAX);
        t->lexer.is_full = true;
        return NULL;
    }
    n->kind = kind;
    n->place = place;
    t->count++;
    return n;
}

/* ---- parts of a context ---- */

static bool is_context_name(const struct ael_tree *t)
{
    return t->token.sign == AEL_WORD || t->token.sign == KW_DEFAULT;
}

static struct ael_node *include_line(struct ael_tree *t)
{
    struct ael_node *n = ael_node_new(t, AEL_INCLUDE, t->token.place);

    if (!n)
        return NULL;
    n->name = t->token.text;
    ael_take(t);
    if (ael_has(t, AEL_BAR)) {
        n->part[0] = ael_times(t);
        if (!n->part[0].p)
            return n;
    }
    ael_expect(t, AEL_SEMICOLON, "\";\" behind the name of the context");
    return n;
}

static struct ael_node *switch_line(struct ael_tree *t, const char *kind)
{
    struct ael_node *n = ael_node_new(t, AEL_SWITCH_LINE, t->token.place);

    if (!n)
        return NULL;
    n->name = t->token.text;
    n->part[0] = text_of(kind);
    ael_take(t);
    if (ael_has(t, AEL_AT)) {
        n->name = ael_text(t->b, "%.*s@%.*s", TEXT_ARG(n->name), TEXT_ARG(t->token.text));
        if (!ael_expect(t, AEL_WORD, "a context behind \"@\""))
            return n;
    }
    ael_expect(t, AEL_SEMICOLON, "\";\" behind the switch");
    return n;
}

/* What stands between the brackets of includes, switches, eswitches. */
static struct ael_node *lines(struct ael_tree *t, const char *kind)
{
    struct ael_node *first = NULL, **last = &first;

    ael_take(t);
    if (!ael_expect(t, AEL_OPEN, "\"{\""))
        return NULL;
    while (t->token.sign != AEL_CLOSE && t->token.sign != AEL_END) {
        if (kind ? t->token.sign != AEL_WORD : !is_context_name(t)) {
            ael_damage(t, kind ? "a switch" : "the name of a context");
            continue;
        }
        *last = kind ? switch_line(t, kind) : include_line(t);
        last = *last ? &(*last)->next : last;
    }
    ael_expect(t, AEL_CLOSE, "\"}\"");
    return first;
}

static struct ael_node *ignorepat(struct ael_tree *t)
{
    struct ael_node *n;

    ael_take(t);
    if (!ael_expect(t, AEL_ARROW, "\"=>\" behind ignorepat"))
        return NULL;
    n = ael_node_new(t, AEL_IGNOREPAT, t->token.place);
    if (n)
        n->name = t->token.text;
    if (ael_expect(t, AEL_WORD, "a pattern"))
        ael_expect(t, AEL_SEMICOLON, "\";\" behind the pattern");
    return n;
}

/* "PJSIP/1&Custom:x": words with a blank between, and signs. */
static struct text hint_of(struct ael_tree *t)
{
    struct text hint = t->token.text;

    if (!ael_expect(t, AEL_WORD, "a device"))
        return TEXT_NONE;
    while (t->token.sign == AEL_WORD || t->token.sign == AEL_COLON || t->token.sign == AEL_AND || t->token.sign == AEL_AT) {
        const struct text sign = t->token.sign == AEL_WORD ? TEXT(" ") : t->token.text;

        if (t->token.sign != AEL_WORD)
            ael_take(t);
        hint = ael_text(t->b, "%.*s%.*s%.*s", TEXT_ARG(hint), TEXT_ARG(sign), TEXT_ARG(t->token.text));
        if (!ael_expect(t, AEL_WORD, "a device"))
            return TEXT_NONE;
    }
    return ael_expect(t, AEL_RIGHT, "\")\" behind the devices") ? hint : TEXT_NONE;
}

static struct ael_node *extension(struct ael_tree *t, struct ael_token name, bool is_regexten, struct text hint)
{
    struct ael_node *n = ael_node_new(t, AEL_EXTENSION, name.place);

    if (!n)
        return NULL;
    n->name = name.text;
    n->is_regexten = is_regexten;
    n->part[0] = hint;
    if (ael_has(t, AEL_AT)) {
        n->name = ael_text(t->b, "%.*s@%.*s", TEXT_ARG(n->name), TEXT_ARG(t->token.text));
        if (!ael_expect(t, AEL_WORD, "a word behind \"@\""))
            return NULL;
    }
    if (!ael_expect(t, AEL_ARROW, "\"=>\" behind the extension"))
        return NULL;
    n->child = ael_statement(t);
    return n;
}

static struct ael_node *marked_extension(struct ael_tree *t)
{
    const bool is_regexten = ael_has(t, KW_REGEXTEN);
    struct text hint = TEXT_NONE;
    struct ael_token name;

    if (ael_has(t, KW_HINT)) {
        if (!ael_expect(t, AEL_LEFT, "\"(\" behind hint"))
            return NULL;
        hint = hint_of(t);
        if (!hint.p)
            return NULL;
    }
    name = t->token;
    return ael_expect(t, AEL_WORD, "the name of an extension") ? extension(t, name, is_regexten, hint) : NULL;
}

static struct ael_node *element(struct ael_tree *t)
{
    struct ael_token name = t->token;

    switch (t->token.sign) {
    case KW_INCLUDES:
        return lines(t, NULL);
    case KW_SWITCHES:
        return lines(t, "switch");
    case KW_ESWITCHES:
        return lines(t, "eswitch");
    case KW_IGNOREPAT:
        return ignorepat(t);
    case KW_REGEXTEN:
    case KW_HINT:
        return marked_extension(t);
    case KW_LOCAL:
        return ael_statement(t);
    case AEL_WORD:
        ael_take(t);
        return t->token.sign == AEL_EQUALS ? ael_assignment(t, name, AEL_SET) : extension(t, name, false, TEXT_NONE);
    default:
        ael_damage(t, "an extension or a part of a context");
        return NULL;
    }
}

static struct ael_node *list_end(struct ael_node *n)
{
    while (n->next)
        n = n->next;
    return n;
}

static void context_body(struct ael_tree *t, struct ael_node *n)
{
    struct ael_node **last = &n->child;

    if (!ael_expect(t, AEL_OPEN, "\"{\" behind the name of the context"))
        return;
    while (t->token.sign != AEL_CLOSE && t->token.sign != AEL_END) {
        if (ael_has(t, AEL_SEMICOLON))
            continue;
        *last = element(t);
        last = *last ? &list_end(*last)->next : last;
    }
    ael_expect(t, AEL_CLOSE, "\"}\" behind the context");
}

static struct ael_node *context(struct ael_tree *t)
{
    bool is_extended = false;
    struct ael_node *n;

    for (unsigned i = 0; i < 2 && (t->token.sign == KW_ABSTRACT || t->token.sign == KW_EXTEND); i++) {
        is_extended |= t->token.sign == KW_EXTEND;
        ael_take(t);
    }
    if (!ael_expect(t, KW_CONTEXT, "\"context\""))
        return NULL;
    if (!is_context_name(t)) {
        ael_damage(t, "the name of a context");
        return NULL;
    }
    n = ael_node_new(t, AEL_CONTEXT, t->token.place);
    if (!n)
        return NULL;
    n->name = t->token.text;
    n->is_extended = is_extended;
    ael_take(t);
    context_body(t, n);
    return n;
}

/* ---- macros ---- */

static bool macro_arguments(struct ael_tree *t, struct ael_node *n)
{
    while (t->token.sign == AEL_WORD) {
        n->part[0] = n->part_count++ ? ael_text(t->b, "%.*s,%.*s", TEXT_ARG(n->part[0]), TEXT_ARG(t->token.text)) : t->token.text;
        ael_take(t);
        if (!ael_has(t, AEL_COMMA))
            break;
    }
    return ael_expect(t, AEL_RIGHT, "\")\" behind the arguments of the macro");
}

static struct ael_node *catch(struct ael_tree *t)
{
    struct ael_node *n;

    ael_take(t);
    n = ael_node_new(t, AEL_CATCH, t->token.place);
    if (!n)
        return NULL;
    n->name = t->token.text;
    if (!ael_expect(t, AEL_WORD, "the name of an extension") || !ael_expect(t, AEL_OPEN, "\"{\" behind the extension"))
        return NULL;
    n->child = ael_statements(t);
    ael_expect(t, AEL_CLOSE, "\"}\" behind the statements of catch");
    return n;
}

static struct ael_node *macro_part(struct ael_tree *t)
{
    struct ael_node *included;

    if (t->token.sign == KW_CATCH)
        return catch(t);
    if (t->token.sign != KW_INCLUDES)
        return ael_statement(t);
    included = lines(t, NULL);
    if (included)
        ael_problem(&t->lexer, included->place, DIALPLAN_SKIPPED, "Asterisk ignores includes in a macro");
    return NULL;
}

static struct ael_node *macro(struct ael_tree *t)
{
    struct ael_node *n, **last;

    ael_take(t);
    n = ael_node_new(t, AEL_MACRO, t->token.place);
    if (!n)
        return NULL;
    n->name = t->token.text;
    if (!ael_expect(t, AEL_WORD, "the name of a macro") || !ael_expect(t, AEL_LEFT, "\"(\" behind the name of the macro") || !macro_arguments(t, n) ||
        !ael_expect(t, AEL_OPEN, "\"{\" behind the arguments of the macro"))
        return n;
    last = &n->child;
    while (t->token.sign != AEL_CLOSE && t->token.sign != AEL_END) {
        *last = macro_part(t);
        last = *last ? &list_end(*last)->next : last;
    }
    ael_expect(t, AEL_CLOSE, "\"}\" behind the macro");
    return n;
}

/* ---- the whole ---- */

static struct ael_node *globals(struct ael_tree *t)
{
    struct ael_node *n = ael_node_new(t, AEL_GLOBALS, t->token.place), **last;

    if (!n)
        return NULL;
    last = &n->child;
    ael_take(t);
    if (!ael_expect(t, AEL_OPEN, "\"{\" behind globals"))
        return n;
    while (t->token.sign != AEL_CLOSE && t->token.sign != AEL_END) {
        const struct ael_token name = t->token;

        if (!ael_expect(t, AEL_WORD, "the name of a variable"))
            continue;
        *last = ael_assignment(t, name, AEL_SET);
        last = *last ? &(*last)->next : last;
    }
    ael_expect(t, AEL_CLOSE, "\"}\" behind the globals");
    return n;
}

/* NULL: something else, which is told once until one of them comes. */
static struct ael_node *object(struct ael_tree *t, bool *is_lost)
{
    const bool was_lost = *is_lost;

    *is_lost = false;
    switch (t->token.sign) {
    case KW_CONTEXT:
    case KW_ABSTRACT:
    case KW_EXTEND:
        return context(t);
    case KW_MACRO:
        return macro(t);
    case KW_GLOBALS:
        return globals(t);
    default:
        *is_lost = true;
        if (was_lost)
            ael_skip(t);
        else
            ael_damage(t, "\"context\", \"macro\" or \"globals\"");
        ael_has(t, AEL_CLOSE); /* a "}" too many */
        return NULL;
    }
}

void ael_parse(struct ael_tree *t)
{
    struct ael_node **last = &t->first;
    bool is_lost = false;

    ael_take(t);
    while (t->token.sign != AEL_END) {
        if (ael_has(t, AEL_SEMICOLON))
            continue;
        *last = object(t, &is_lost);
        last = *last ? &(*last)->next : last;
    }
}
