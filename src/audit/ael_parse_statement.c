/* Reads statements of AEL (res/ael/ael.y of 22.10.1). */
#include "audit/ael_tree.h"

#include <string.h>

/* ---- texts that are taken as they stand ---- */

/* With "(" or "=" as the token that was read last. Then the next token is read. False: damaged, and gone over. */
static bool verbatim(struct ael_tree *t, enum ael_verbatim kind, struct ael_token *out)
{
    const bool is_whole = ael_lexer_verbatim(&t->lexer, kind, out);

    ael_take(t);
    if (is_whole)
        return true;
    while (t->token.sign != AEL_SEMICOLON && t->token.sign != AEL_CLOSE && t->token.sign != AEL_END)
        ael_take(t);
    ael_has(t, AEL_SEMICOLON);
    return false;
}

/* The "(" of a condition or of arguments stands there: t->token. */
static bool expect_left(struct ael_tree *t, const char *what)
{
    if (t->token.sign == AEL_LEFT)
        return true;
    ael_damage(t, what);
    return false;
}

static bool condition(struct ael_tree *t, struct ael_node *n)
{
    struct ael_token written;

    if (!expect_left(t, "\"(\" with a condition") || !verbatim(t, AEL_CONDITION, &written))
        return false;
    n->part[0] = written.text;
    n->value_place = written.place;
    return true;
}

struct ael_node *ael_assignment(struct ael_tree *t, struct ael_token name, enum ael_kind kind)
{
    struct ael_node *n = ael_node_new(t, kind, name.place);
    struct ael_token value;

    if (!n)
        return NULL;
    if (t->token.sign != AEL_EQUALS) {
        ael_damage(t, "\"=\" behind the name of the variable");
        return NULL;
    }
    if (!verbatim(t, AEL_VALUE, &value))
        return NULL;
    n->name = name.text;
    n->part[0] = value.text;
    n->value_place = value.place;
    ael_expect(t, AEL_SEMICOLON, "\";\" behind the value");
    return n;
}

/* ---- calls ---- */

/* Goto(a,b,c) is taken for the statement. */
static void call_is_goto(struct ael_node *n)
{
    struct text rest = n->part[0], one;

    n->kind = AEL_GOTO;
    n->part_count = 0;
    while (n->part_count < 3 && ael_cut(&rest, &one))
        n->part[n->part_count++] = one;
}

static struct ael_node *call(struct ael_tree *t, struct ael_token name)
{
    struct ael_node *n = ael_node_new(t, AEL_CALL, name.place);
    struct ael_token arguments;

    if (!n || !verbatim(t, AEL_ARGUMENTS, &arguments))
        return NULL;
    n->name = name.text;
    n->part[0] = arguments.text;
    n->value_place = arguments.place;
    n->part_count = arguments.text.n > 0;
    if (t->token.sign == AEL_EQUALS) {
        struct ael_token function = name;

        function.text = ael_text(t->b, "%.*s(%.*s)", TEXT_ARG(name.text), TEXT_ARG(arguments.text));
        return ael_assignment(t, function, AEL_SET);
    }
    if (text_eq_nocase(name.text, TEXT("goto"))) {
        if (!n->part_count) {
            ael_problem(&t->lexer, name.place, DIALPLAN_SKIPPED, "Goto() without a place: Asterisk crashes when it loads this");
            n = NULL;
        } else {
            call_is_goto(n);
        }
    }
    ael_expect(t, AEL_SEMICOLON, "\";\" behind the application");
    return n;
}

/* "&name(...)": what stands first in the brackets is a token like any other, so blanks before it go. */
static struct ael_node *macro_call(struct ael_tree *t)
{
    struct ael_node *n;
    struct ael_token arguments;

    ael_take(t);
    n = ael_node_new(t, AEL_MACRO_CALL, t->token.place);
    if (!n)
        return NULL;
    n->name = t->token.text;
    if (!ael_expect(t, AEL_WORD, "the name of a macro behind \"&\"") || !ael_expect(t, AEL_LEFT, "\"(\" behind the name of the macro"))
        return NULL;
    if (ael_has(t, AEL_RIGHT)) {
        ael_expect(t, AEL_SEMICOLON, "\";\" behind the call of the macro");
        return n;
    }
    if (t->token.sign != AEL_WORD && t->token.sign != AEL_COMMA) {
        ael_damage(t, "arguments of the macro");
        return NULL;
    }
    ael_lexer_back(&t->lexer, &t->token);
    if (!verbatim(t, AEL_ARGUMENTS, &arguments))
        return NULL;
    n->part[0] = arguments.text;
    n->value_place = arguments.place;
    n->part_count = 1;
    ael_expect(t, AEL_SEMICOLON, "\";\" behind the call of the macro");
    return n;
}

/* A word at the beginning: an assignment, a label, an application. */
static struct ael_node *word_statement(struct ael_tree *t)
{
    const struct ael_token name = t->token;
    struct ael_node *n;

    ael_take(t);
    switch (t->token.sign) {
    case AEL_EQUALS:
        return ael_assignment(t, name, AEL_SET);
    case AEL_LEFT:
        return call(t, name);
    case AEL_COLON:
    case AEL_SEMICOLON:
        n = ael_node_new(t, t->token.sign == AEL_COLON ? AEL_LABEL : AEL_CALL, name.place);
        if (n)
            n->name = name.text;
        ael_take(t);
        return n;
    default:
        ael_damage(t, "\"(\", \"=\", \":\" or \";\" behind the word");
        return NULL;
    }
}

/* ---- statements with statements in them ---- */

static struct ael_node *conditional(struct ael_tree *t, enum ael_kind kind)
{
    struct ael_node *n = ael_node_new(t, kind, t->token.place);

    if (!n)
        return NULL;
    ael_take(t);
    if (kind == AEL_IFTIME) {
        if (!ael_expect(t, AEL_LEFT, "\"(\" with the times"))
            return NULL;
        n->value_place = t->token.place;
        n->part[0] = ael_times(t);
        if (!n->part[0].p || !ael_expect(t, AEL_RIGHT, "\")\" behind the times"))
            return NULL;
    } else if (!condition(t, n)) {
        return NULL;
    }
    n->child = ael_statement(t);
    if (kind != AEL_WHILE && ael_has(t, KW_ELSE))
        n->otherwise = ael_statement(t);
    return n;
}

static struct ael_node *for_statement(struct ael_tree *t)
{
    struct ael_node *n = ael_node_new(t, AEL_FOR, t->token.place);
    struct ael_token one;

    if (!n)
        return NULL;
    ael_take(t);
    if (!expect_left(t, "\"(\" behind for"))
        return NULL;
    for (unsigned i = 0; i < 3; i++) {
        if (!verbatim(t, i < 2 ? AEL_VALUE : AEL_CONDITION, &one))
            return NULL;
        n->part[i] = one.text;
        if (i == 0)
            n->value_place = one.place;
        if (i < 2 && t->token.sign != AEL_SEMICOLON) {
            ael_damage(t, "\";\" in the head of for");
            return NULL;
        }
    }
    n->child = ael_statement(t);
    return n;
}

static struct ael_node *case_of(struct ael_tree *t)
{
    const enum ael_kind kind = t->token.sign == KW_CASE ? AEL_CASE : t->token.sign == KW_PATTERN ? AEL_PATTERN : AEL_DEFAULT;
    struct ael_node *n = ael_node_new(t, kind, t->token.place);

    if (!n)
        return NULL;
    ael_take(t);
    if (kind != AEL_DEFAULT) {
        n->place = t->token.place;
        n->name = t->token.text;
        if (!ael_expect(t, AEL_WORD, "the value of the case"))
            return NULL;
    }
    if (!ael_expect(t, AEL_COLON, "\":\" behind the case"))
        return NULL;
    n->child = ael_statements(t);
    return n;
}

static struct ael_node *switch_statement(struct ael_tree *t)
{
    struct ael_node *n = ael_node_new(t, AEL_SWITCH, t->token.place), **last;

    if (!n)
        return NULL;
    ael_take(t);
    if (!condition(t, n) || !ael_expect(t, AEL_OPEN, "\"{\" behind the value of switch"))
        return NULL;
    last = &n->child;
    while (t->token.sign != AEL_CLOSE && t->token.sign != AEL_END) {
        if (t->token.sign != KW_CASE && t->token.sign != KW_PATTERN && t->token.sign != KW_DEFAULT) {
            n->is_damaged = true;
            ael_damage(t, "\"case\", \"pattern\" or \"default\"");
            continue;
        }
        *last = case_of(t);
        last = *last ? &(*last)->next : last;
    }
    ael_expect(t, AEL_CLOSE, "\"}\" behind the cases");
    return n;
}

static struct ael_node *block(struct ael_tree *t)
{
    struct ael_node *n = ael_node_new(t, AEL_BLOCK, t->token.place);

    if (!n)
        return NULL;
    ael_take(t);
    n->child = ael_statements(t);
    ael_expect(t, AEL_CLOSE, "\"}\" behind the statements");
    return n;
}

static struct ael_node *plain_word(struct ael_tree *t, enum ael_kind kind)
{
    struct ael_node *n = ael_node_new(t, kind, t->token.place);

    ael_take(t);
    ael_expect(t, AEL_SEMICOLON, "\";\"");
    return n;
}

static struct ael_node *local_statement(struct ael_tree *t)
{
    struct ael_token name;

    ael_take(t);
    name = t->token;
    return ael_expect(t, AEL_WORD, "the name of a variable behind local") ? ael_assignment(t, name, AEL_LOCAL) : NULL;
}

static struct ael_node *statement(struct ael_tree *t)
{
    switch (t->token.sign) {
    case AEL_OPEN:
        return block(t);
    case AEL_SEMICOLON:
        ael_take(t);
        return NULL;
    case AEL_WORD:
        return word_statement(t);
    case AEL_AND:
        return macro_call(t);
    case KW_LOCAL:
        return local_statement(t);
    case KW_GOTO:
        return ael_goto(t);
    case KW_JUMP:
        return ael_jump(t);
    case KW_FOR:
        return for_statement(t);
    case KW_WHILE:
        return conditional(t, AEL_WHILE);
    case KW_IF:
        return conditional(t, AEL_IF);
    case KW_IFTIME:
        return conditional(t, AEL_IFTIME);
    case KW_RANDOM:
        return conditional(t, AEL_RANDOM);
    case KW_SWITCH:
        return switch_statement(t);
    case KW_BREAK:
        return plain_word(t, AEL_BREAK);
    case KW_RETURN:
        return plain_word(t, AEL_RETURN);
    case KW_CONTINUE:
        return plain_word(t, AEL_CONTINUE);
    default:
        ael_damage(t, "a statement");
        return NULL;
    }
}

struct ael_node *ael_statement(struct ael_tree *t)
{
    struct ael_node *n = NULL;

    if (t->depth >= AEL_DEPTH_MAX) {
        ael_problem(&t->lexer, t->token.place, DIALPLAN_SKIPPED, "statements more than %d deep within each other are not read", AEL_DEPTH_MAX);
        ael_skip(t);
        return NULL;
    }
    t->depth++;
    n = statement(t);
    t->depth--;
    return n;
}

struct ael_node *ael_statements(struct ael_tree *t)
{
    struct ael_node *first = NULL, **last = &first;

    while (t->token.sign != AEL_CLOSE && t->token.sign != AEL_END && t->token.sign != KW_CASE && t->token.sign != KW_PATTERN &&
           t->token.sign != KW_DEFAULT) {
        *last = ael_statement(t);
        last = *last ? &(*last)->next : last;
    }
    return first;
}
