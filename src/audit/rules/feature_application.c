/* Rule ST527: a key during a call starts something dangerous. */
#include "audit/rules.h"

#include "audit/flow.h"
#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    static const char *const apps[] = { "System", "TrySystem", "AGI", "EAGI", "ChanSpy", "ExtenSpy", "DISA", "Originate", "ExternalIVR", "Exec" };
    int err = 0;

    if (!text_eq_nocase(s->name, TEXT("applicationmap")))
        return 0;
    for (size_t i = 0; !err && i < s->count; i++) {
        const struct text who = flow_argument(s->items[i].value, 1);
        struct text app = flow_argument(s->items[i].value, 2);
        const ptrdiff_t open = text_find(app, '(');

        app = text_trim(open < 0 ? app : text_head(app, (size_t)open));
        for (size_t k = 0; !err && k < sizeof apps / sizeof *apps; k++)
            if (flow_is(app, apps[k]) && !text_starts_nocase(who, TEXT("self")))
                err = audit_find(a, self, s->items[i].place, "key %.*s of a call starts %s on the other party's channel: feature %.*s",
                                 TEXT_ARG(flow_argument(s->items[i].value, 0)), apps[k], TEXT_ARG(s->items[i].name));
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_FEATURES, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "features.conf",
      .text = "[applicationmap]\nlog => *9,peer,System(/usr/local/bin/log ${CALLERID(name)})\n",
      .is_bad = true },
    { .file = "features.conf",
      .text = "[applicationmap]\nplay => *8,self,Playback,tt-monkeys\n"
              "run => *7,self/caller,System(true)\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_feature_application = {
    .code = "ST527",
    .name = "feature-application",
    .severity = AUDIT_WARNING,
    .summary = "A key that is pressed during a call starts a command, a script or a spy on the other party's channel.",
    .why = "DYNAMIC_FEATURES gives the key to whoever has the variable, inherited ones included; with peer the application "
           "runs with the other party's caller ID and variables (configs/samples/features.conf.sample of 22.10.1).",
    .fix = "Let it run on the channel of the one who presses: log => *9,self/callee,...",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
