/* Rule ST127: a comparison that breaks when a variable is empty. */
#include "audit/rules.h"

#include "audit/expression.h"
#include "audit/rules/each.h"

enum { BEFORE_MAX = 200 }; /* steps that are looked back at */

/* "= 1", "=1", "> 3": an operator that needs something before it. */
static bool begins_with_operator(struct text t)
{
    t = text_trim(t);
    return t.n && (t.p[0] == '=' || t.p[0] == '<' || t.p[0] == '>' || (t.n > 1 && t.p[0] == '!' && t.p[1] == '='));
}

/* Counts and numbers that Asterisk itself sets are never empty. */
static bool is_always_set(struct text name)
{
    static const char *const always[] = { "EPOCH", "PRIORITY", "EXTEN", "~~EXTEN~~", "CONTEXT", "HANGUPCAUSE", "LEN", "GROUP_COUNT", "ISNULL", "EXISTS", "REGEX", "MATH",
                                          "DIALPLAN_EXISTS", "DB_EXISTS", "RAND", "FIELDQTY", "IF", "STRFTIME", "INC", "DEC", "TIMEOUT", "ARGC",
                                          "VALID_EXTEN", "DEVICE_STATE", "QUEUE_WAITING_COUNT", "QUEUE_MEMBER", "QUEUE_EXISTS", "MODULE_EXISTS", "DB_KEYCOUNT",
                                          "STAT" };

    for (size_t i = 0; i < sizeof always / sizeof *always; i++)
        if (text_eq(name, text_of(always[i])))
            return true;
    return false;
}

/* The first operand of a comparison that is a bare ${}; NULL: none. */
static const struct expression *bare(const struct expression *e)
{
    for (; e; e = e->next) {
        const struct expression *found;

        if (e->kind == EXPRESSION_MATH && e->parts) {
            const struct expression *first = e->parts;

            if (first->kind == EXPRESSION_TEXT && !text_trim(first->text).n)
                first = first->next;
            if (first && (first->kind == EXPRESSION_VARIABLE || first->kind == EXPRESSION_FUNCTION) && !is_always_set(first->name) && first->next &&
                first->next->kind == EXPRESSION_TEXT && begins_with_operator(first->next->text))
                return first;
        }
        found = bare(e->parts);
        if (found)
            return found;
    }
    return NULL;
}

/* A step before it in the same extension gives it a value. */
static bool is_set_before(const struct dialplan_step *s, struct text name)
{
    const struct dialplan_step *t = s->extension->steps;

    for (t = s - t > BEFORE_MAX ? s - BEFORE_MAX : t; t < s; t++) {
        struct text value = t->args, to;

        if ((!text_eq_nocase(t->app, TEXT("Set")) && !text_eq_nocase(t->app, TEXT("MSet"))) || !expression_cut(&value, '=', &to))
            continue;
        if (t->extension->origin == DIALPLAN_AEL && text_starts(value, TEXT("$[")) && text_ends(value, TEXT("]")))
            value = text_trim(text_make(value.p + 2, value.n - 3)); /* "x=0;" */
        if (!value.n || !expression_is_plain(value))
            continue;
        to = text_trim(to);
        while (to.n && to.p[0] == '_')
            to = text_skip(to, 1);
        if (text_eq(to, name))
            return true;
    }
    return false;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct dialplan_step *s)
{
    struct expression_fault fault;
    const struct expression *operand;
    struct expression *tree;
    int err;

    if (text_find_text(s->args, TEXT("$[")) < 0)
        return 0;
    err = expression_parse(&tree, &fault, a->memory, s->args);
    operand = err ? NULL : bare(tree);
    if (!operand || is_set_before(s, operand->name))
        return err;
    return audit_find(a, self, s->place, "when %.*s is empty, this comparison is a syntax error", TEXT_ARG(operand->text));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_step(a, self, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,GotoIf($[${DIALSTATUS} = BUSY]?x)\n same => n(x),Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,GotoIf($[\"${DIALSTATUS}\" = \"BUSY\"]?x)\n"
              " same => n,GotoIf($[${LEN(${X})} > 3]?x)\n same => n,Set(N=$[${N} + 1])\n"
              " same => n(x),Hangup()\n",
      .is_bad = false },
    { .file = "extensions.ael", .text = "context a { 1 => { while (${X} < 3) Wait(1); Hangup(); } }\n", .is_bad = true },
    { .file = "extensions.ael", .text = "context a { 1 => { X=0; while (${X} < 3) Wait(1); Hangup(); } }\n", .is_bad = false },
};

const struct audit_rule audit_rule_bare_operand = {
    .code = "ST127",
    .name = "bare-operand",
    .severity = AUDIT_NOTE,
    .summary = "A comparison has a variable without quotes as its first operand.",
    .why = "When it is empty the text is \"$[ = BUSY]\": Asterisk logs a syntax error, and the condition is false; text "
           "with blanks or brackets in it breaks it, too.",
    .fix = "Put quotes around both sides: $[\"${DIALSTATUS}\" = \"BUSY\"]",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
