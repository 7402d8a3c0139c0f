/* Rule ST535: cdr.conf or cel.conf that Asterisk refuses for one word. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

/* aco_option_register of main/cdr.c and main/cel.c of 22.10.1. */
static const char *const cdr_settings[] = { "enable", "debug", "unanswered", "congestion", "batch", "endbeforehexten", "initiatedseconds", "scheduleronly", "safeshutdown",
                                            "size", "time", "channeldefaultenabled", "ignorestatechanges", "ignoredialchanges", "canceldispositionenabled" };
static const char *const cel_settings[] = { "enable", "dateformat", "apps", "events" };
static const char *const events[] = { "ALL", "CHAN_START", "CHAN_END", "HANGUP", "ANSWER", "APP_START", "APP_END", "BRIDGE_ENTER", "BRIDGE_EXIT", "PARK_START",
                                      "PARK_END", "BLINDTRANSFER", "ATTENDEDTRANSFER", "USER_DEFINED", "LINKEDID_END", "PICKUP", "FORWARD", "LOCAL_OPTIMIZE",
                                      "LOCAL_OPTIMIZE_BEGIN", "STREAM_BEGIN", "STREAM_END", "DTMF" };

static int look_at_events(struct audit *a, const struct audit_rule *self, const struct conf_item *item)
{
    struct text rest = item->value, one;
    int err = 0;

    while (!err && text_cut(&rest, ',', &one)) {
        one = text_trim(one);
        if (one.n && !RULE_AMONG(one, events))
            err = audit_find(a, self, item->place, "there is no event \"%.*s\": Asterisk refuses all of cel.conf", TEXT_ARG(one));
    }
    return err;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s, bool is_cel)
{
    int err = 0;

    if (s->is_template || !text_eq_nocase(s->name, TEXT("general")))
        return 0;
    for (size_t i = 0; !err && i < s->count; i++) {
        const struct conf_item *item = &s->items[i];

        if (is_cel ? !RULE_AMONG(item->name, cel_settings) : !RULE_AMONG(item->name, cdr_settings))
            err = audit_find(a, self, item->place, "%.*s is no setting of [general]: Asterisk refuses all of %s", TEXT_ARG(item->name), is_cel ? "cel.conf" : "cdr.conf");
        else if (is_cel && text_eq_nocase(item->name, TEXT("events")))
            err = look_at_events(a, self, item);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    static const enum audit_file files[] = { AUDIT_CDR, AUDIT_CEL };
    int err = 0;

    for (size_t f = 0; f < sizeof files / sizeof *files; f++)
        for (size_t i = 0; a->files[files[f]] && !err && i < a->files[files[f]]->section_count; i++)
            err = visit(a, self, &a->files[files[f]]->sections[i], files[f] == AUDIT_CEL);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "cdr.conf", .text = "[general]\nenable = yes\nunanswred = yes\n", .is_bad = true },
    { .file = "cel.conf", .text = "[general]\nenable = yes\nevents = CHAN_START,CHAN_STOP\n", .is_bad = true },
    { .file = "cel.conf", .text = "[general]\nenable = yes\nevents = CHAN_START, hangup\napps = dial,park\n[manager]\nenabled = yes\n", .is_bad = false },
    { .file = "cdr.conf", .text = "[general]\nenable = yes\nbatch = no\n[csv]\nusegmtime = yes\n", .is_bad = false },
};

const struct audit_rule audit_rule_records_refused = {
    .code = "ST535",
    .name = "call-records-refused",
    .severity = AUDIT_ERROR,
    .summary = "Asterisk refuses cdr.conf or cel.conf for a word that it does not know.",
    .why = "These two are taken whole or not at all (main/config_options.c, seen on 22.10.1): with one unknown setting or event in [general] everything in the file is without "
           "effect, and a reload keeps what was before.",
    .fix = "Correct the word, then: module reload cdr (or cel).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
