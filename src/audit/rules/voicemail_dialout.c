/* Rule ST526: who knows a mailbox's code can dial out. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    static const char *const keys[] = { "dialout", "callback" };
    int err = 0;

    for (size_t i = 0; !err && i < s->count; i++) {
        const struct conf_item *item = &s->items[i];

        for (size_t k = 0; !err && k < 2; k++) {
            const bool is_set = text_eq_nocase(item->name, text_of(keys[k])) && item->value.n;
            const ptrdiff_t at = item->arrow ? text_find_text(item->value, text_of(keys[k])) : -1;

            if (is_set || (at > 0 && text_starts(text_skip(item->value, (size_t)at + text_of(keys[k]).n), TEXT("="))))
                err = audit_find(a, self, item->place, "who knows the code of a mailbox calls on from there: %s is set", keys[k]);
        }
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_VOICEMAIL, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "voicemail.conf", .text = "[general]\ndialout = outgoing\n[default]\n1 => 83915,A\n", .is_bad = true },
    { .file = "voicemail.conf",
      .text = "[general]\n[default]\n1 => 83915,A,a@example.com,,attach=yes|callback=out\n",
      .is_bad = true },
    { .file = "voicemail.conf", .text = "[general]\ndialout =\n[default]\n1 => 83915,A\n", .is_bad = false },
};

const struct audit_rule audit_rule_voicemail_dialout = {
    .code = "ST526",
    .name = "voicemail-dials-out",
    .severity = AUDIT_WARNING,
    .summary = "Voicemail lets its users dial out.",
    .why = "dialout= and callback= name a context that whoever is in a mailbox can call from, from outside, too: a code of "
           "four digits then stands between the Internet and your bill (apps/app_voicemail.c of 22.10.1).",
    .fix = "Leave both out, or let the context reach desks only.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
