/* Reads times and places to jump to, which are made of words and signs (res/ael/ael.y of 22.10.1). */
#include "audit/ael_tree.h"

/* ---- times ---- */

/* Up to three words that belong together. */
static struct text words(struct ael_tree *t, const char *what)
{
    struct text all = t->token.text;

    if (!ael_expect(t, AEL_WORD, what))
        return TEXT_NONE;
    for (unsigned i = 0; i < 2 && t->token.sign == AEL_WORD; i++) {
        all = ael_text(t->b, "%.*s%.*s", TEXT_ARG(all), TEXT_ARG(t->token.text));
        ael_take(t);
    }
    return all;
}

/* "*" or "9:00-17:30": three parts with ":" between. */
static struct text hours(struct ael_tree *t)
{
    struct text all = words(t, "hours, like 9:00-17:30 or *");

    for (unsigned i = 0; all.p && i < 2; i++) {
        struct text one;

        if (i == 0 && t->token.sign != AEL_COLON)
            return all;
        if (!ael_expect(t, AEL_COLON, "\":\" between hours and minutes"))
            return TEXT_NONE;
        one = words(t, "minutes");
        all = one.p ? ael_text(t->b, "%.*s:%.*s", TEXT_ARG(all), TEXT_ARG(one)) : TEXT_NONE;
    }
    return all;
}

struct text ael_times(struct ael_tree *t)
{
    static const char *const what[] = { "days of the week, like mon-fri or *", "days of the month, or *", "months, or *" };
    struct text all = hours(t);

    for (unsigned i = 0; all.p && i < 3; i++) {
        struct text one;

        if (!ael_expect(t, AEL_BAR, "\"|\" between the parts of the time"))
            return TEXT_NONE;
        one = words(t, what[i]);
        all = one.p ? ael_text(t->b, "%.*s,%.*s", TEXT_ARG(all), TEXT_ARG(one)) : TEXT_NONE;
    }
    return all;
}

/* ---- jumps ---- */

/* Words, ":" between. */
static struct text goto_word(struct ael_tree *t)
{
    struct text all = t->token.text;

    if (!ael_expect(t, AEL_WORD, "a label or an extension"))
        return TEXT_NONE;
    if (t->token.sign == AEL_WORD) {
        all = ael_text(t->b, "%.*s%.*s", TEXT_ARG(all), TEXT_ARG(t->token.text));
        ael_take(t);
    }
    while (ael_has(t, AEL_COLON)) {
        all = ael_text(t->b, "%.*s:%.*s", TEXT_ARG(all), TEXT_ARG(t->token.text));
        if (!ael_expect(t, AEL_WORD, "a word behind \":\""))
            return TEXT_NONE;
    }
    return all;
}

static struct ael_node *jump_end(struct ael_tree *t, struct ael_node *n)
{
    ael_expect(t, AEL_SEMICOLON, "\";\" behind the jump");
    return n;
}

/* "goto [[context,]extension,]label;" */
struct ael_node *ael_goto(struct ael_tree *t)
{
    struct ael_node *n = ael_node_new(t, AEL_GOTO, t->token.place);

    if (!n)
        return NULL;
    ael_take(t);
    n->value_place = t->token.place;
    if (t->token.sign == KW_DEFAULT) {
        n->part[n->part_count++] = t->token.text;
        ael_take(t);
        if (!ael_has(t, AEL_BAR) && !ael_expect(t, AEL_COMMA, "\",\" behind the context"))
            return NULL;
    }
    do {
        n->part[n->part_count] = goto_word(t);
        if (!n->part[n->part_count++].p)
            return NULL;
    } while (n->part_count < 3 && (ael_has(t, AEL_BAR) || ael_has(t, AEL_COMMA)));
    return jump_end(t, n);
}

/* "jump extension[,priority][@context];" */
struct ael_node *ael_jump(struct ael_tree *t)
{
    struct ael_node *n = ael_node_new(t, AEL_GOTO, t->token.place);
    struct text extension, priority = TEXT("1");

    if (!n)
        return NULL;
    ael_take(t);
    n->value_place = t->token.place;
    extension = goto_word(t);
    if (!extension.p)
        return NULL;
    if (ael_has(t, AEL_COMMA)) {
        priority = t->token.text;
        if (!ael_expect(t, AEL_WORD, "a priority"))
            return NULL;
    }
    if (ael_has(t, AEL_AT)) {
        n->part[n->part_count++] = t->token.text;
        if (!ael_has(t, KW_DEFAULT) && !ael_expect(t, AEL_WORD, "a context behind \"@\""))
            return NULL;
    }
    n->part[n->part_count++] = extension;
    n->part[n->part_count++] = priority;
    return jump_end(t, n);
}
