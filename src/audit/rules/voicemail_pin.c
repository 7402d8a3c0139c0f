/* Rule ST525: a mailbox opens with a code that is guessed. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

enum { PIN_MIN = 4 };

static bool is_one_digit(struct text pin)
{
    for (size_t i = 1; i < pin.n; i++)
        if (pin.p[i] != pin.p[0])
            return false;
    return true;
}

static const char *weakness(struct text pin, struct text mailbox)
{
    if (pin.n == 0)
        return "is empty";
    if (pin.p[0] == '-') /* the caller cannot change it */
        pin = text_skip(pin, 1);
    if (text_eq(pin, mailbox))
        return "is the mailbox's number";
    if (pin.n < PIN_MIN)
        return "has fewer than four digits";
    if (is_one_digit(pin))
        return "is one digit, repeated";
    return text_starts(TEXT("0123456789"), pin) || text_starts(TEXT("123456789"), pin) ? "counts up" : NULL;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    int err = 0;

    if (text_eq_nocase(s->name, TEXT("general")) || text_eq_nocase(s->name, TEXT("zonemessages")))
        return 0;
    for (size_t i = 0; !err && i < s->count; i++) {
        struct text rest = s->items[i].value, pin;
        const char *why;

        if (s->items[i].name.n == 0 || s->items[i].name.p[0] < '0' || s->items[i].name.p[0] > '9' || !text_cut(&rest, ',', &pin))
            continue;
        why = weakness(text_trim(pin), s->items[i].name);
        if (why)
            err = audit_find(a, self, s->items[i].place, "the code of mailbox %.*s %s", TEXT_ARG(s->items[i].name), why);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_VOICEMAIL, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "voicemail.conf",
      .text = "[general]\nformat = wav\n[default]\n101 => 101,Ann\n102 = 1234,Bob\n",
      .is_bad = true },
    { .file = "voicemail.conf",
      .text = "[general]\nformat = wav\n[default]\n101 => 80517,Ann\n102 => -4471,Bob\n"
              "[zonemessages]\neastern = a\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_voicemail_pin = {
    .code = "ST525",
    .name = "voicemail-weak-pin",
    .severity = AUDIT_WARNING,
    .summary = "A mailbox opens with a code that is guessed.",
    .why = "Whoever is in a mailbox hears its messages, changes its greeting to accept collect calls, and dials out where "
           "dialout= or callback= allow it.",
    .fix = "Give it five digits that are nobody's: 101 => 80517,Ann",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
