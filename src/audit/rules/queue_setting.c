/* Rule ST532: a word in queues.conf that Asterisk does not know. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

/* queue_set_param and reload_single_queue of apps/app_queue.c of 22.10.1. */
static const char *const settings[] = {
    "announce", "announce-frequency", "announce-holdtime", "announce-position", "announce-position-limit", "announce-position-only-up", "announce-round-seconds",
    "announce-to-first-user", "autofill", "autopause", "autopausebusy", "autopausedelay", "autopauseunavail", "context", "defaultrule", "joinempty",
    "leavewhenempty", "log-restricted-caller-id", "maxlen", "member", "memberdelay", "membergosub", "min-announce-frequency", "monitor-format", "music",
    "musicclass", "musiconhold", "penaltymemberslimit", "periodic-announce", "periodic-announce-frequency", "periodic-announce-startdelay",
    "queue-callerannounce", "queue-callswaiting", "queue-holdtime", "queue-minute", "queue-minutes", "queue-quantity1", "queue-quantity2", "queue-reporthold",
    "queue-seconds", "queue-thankyou", "queue-thereare", "queue-youarenext", "random-periodic-announce", "relative-periodic-announce", "reportholdtime", "retry",
    "ringinuse", "servicelevel", "setinterfacevar", "setqueueentryvar", "setqueuevar", "strategy", "timeout", "timeoutpriority", "timeoutrestart", "weight",
    "wrapuptime",
};
static const char *const strategies[] = { "ringall", "leastrecent", "fewestcalls", "random", "rrmemory", "roundrobin", "linear", "wrandom", "rrordered" };
static const char *const conditions[] = { "paused", "penalty", "inuse", "ringing", "invalid", "wrapup", "unavailable", "unknown", "loose", "strict",
                                          "yes", "true", "y", "t", "1", "on", "no", "false", "n", "f", "0", "off" };

/* Once were: front ends still write them, and nobody misses what they did. */
static const char *const old_settings[] = { "eventwhencalled", "eventmemberstatus", "monitor-join", "monitor-type" };

static int look_at_conditions(struct audit *a, const struct audit_rule *self, const struct conf_item *item)
{
    struct text rest = item->value, one;
    int err = 0;

    while (!err && text_cut(&rest, ',', &one))
        if (!RULE_AMONG(one, conditions))
            err = audit_find(a, self, item->place, "\"%.*s\" is no condition of %.*s: it is passed over%s", TEXT_ARG(one), TEXT_ARG(item->name),
                             RULE_AMONG(text_trim(one), conditions) ? " for the blank" : "");
    return err;
}

static int look(struct audit *a, const struct audit_rule *self, const struct conf_section *s, const struct conf_item *item)
{
    if (rule_told(a, self, item->place))
        return 0;
    if (!RULE_AMONG(item->name, settings)) {
        const int err = audit_find(a, self, item->place, "%.*s is no setting of a queue: Asterisk passes over it in %.*s", TEXT_ARG(item->name), TEXT_ARG(s->name));

        if (!err && RULE_AMONG(item->name, old_settings))
            audit_weigh(a, AUDIT_NOTE);
        return err;
    }
    if (text_eq_nocase(item->name, TEXT("strategy")) && !RULE_AMONG(item->value, strategies))
        return audit_find(a, self, item->place, "there is no strategy \"%.*s\": queue %.*s rings all", TEXT_ARG(item->value), TEXT_ARG(s->name));
    if (text_eq_nocase(item->name, TEXT("joinempty")) || text_eq_nocase(item->name, TEXT("leavewhenempty")))
        return look_at_conditions(a, self, item);
    return 0;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    int err = 0;

    for (size_t i = 0; !text_eq_nocase(s->name, TEXT("general")) && !err && i < s->count; i++)
        err = look(a, self, s, &s->items[i]);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_QUEUES, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "queues.conf", .text = "[q]\nstategy = random\n", .is_bad = true },
    { .file = "queues.conf", .text = "[q]\nstrategy = longestidle\n", .is_bad = true },
    { .file = "queues.conf", .text = "[q]\njoinempty = paused,busy\n", .is_bad = true },
    { .file = "queues.conf", .text = "[q]\nleavewhenempty = paused, inuse\n", .is_bad = true },
    { .file = "queues.conf", .text = "[general]\nkeepstats = yes\n[q]\nstrategy = rrmemory\njoinempty = yes\nleavewhenempty = paused,inuse\nmember => PJSIP/1\n", .is_bad = false },
};

const struct audit_rule audit_rule_queue_setting = {
    .code = "ST532",
    .name = "queue-setting-ignored",
    .severity = AUDIT_WARNING,
    .summary = "A queue has a setting, a strategy or a condition that Asterisk does not know.",
    .why = "Asterisk warns in its log and goes on: with ringall instead of the strategy, without the condition, with the default of the setting "
           "(apps/app_queue.c, seen on 22.10.1). A blank behind a comma of joinempty is part of the word.",
    .fix = "Correct the word: strategy = rrmemory, joinempty = paused,inuse",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
