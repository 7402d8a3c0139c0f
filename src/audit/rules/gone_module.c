/* Rule ST511: a module that Asterisk 22 does not have. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

/* In the source of 18.0.0 or 20.0.0, and not in that of the version named. */
static const struct {
    const char *name, *since, *instead;
} gone[] = {
    { "chan_sip", "21", "chan_pjsip" },          { "app_macro", "21", "app_stack (Gosub)" },
    { "res_monitor", "21", "app_mixmonitor" },   { "chan_skinny", "21", "chan_pjsip" },
    { "chan_mgcp", "21", "chan_pjsip" },         { "chan_alsa", "21", "chan_console" },
    { "chan_oss", "19", "chan_console" },        { "chan_phone", "19", "chan_dahdi" },
    { "chan_nbs", "19", "chan_pjsip" },          { "chan_misdn", "19", "chan_dahdi" },
    { "chan_vpb", "19", "chan_dahdi" },          { "app_osplookup", "21", "an AGI script" },
    { "cdr_mysql", "19", "cdr_adaptive_odbc" },  { "app_mysql", "19", "func_odbc" },
    { "res_config_sqlite", "19", "res_config_odbc" }, { "cdr_syslog", "19", "cdr_custom" },
    { "app_image", "19", "nothing" },            { "app_url", "19", "nothing" },
    { "app_ices", "19", "nothing" },             { "app_nbscat", "19", "nothing" },
    { "app_dahdiras", "19", "nothing" },
};

static int look(struct audit *a, const struct audit_rule *self, const struct conf_item *item)
{
    struct text name = item->value;

    if (!text_eq_nocase(item->name, TEXT("load")) && !text_eq_nocase(item->name, TEXT("require")) && !text_eq_nocase(item->name, TEXT("preload")) &&
        !text_eq_nocase(item->name, TEXT("preload-require")))
        return 0;
    if (text_ends(name, TEXT(".so")))
        name.n -= 3;
    for (size_t i = 0; i < sizeof gone / sizeof *gone; i++)
        if (text_eq_nocase(name, text_of(gone[i].name)))
            return audit_find(a, self, item->place, "module %s is gone since Asterisk %s; in its place: %s", gone[i].name, gone[i].since, gone[i].instead);
    return 0;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    int err = 0;

    for (size_t i = 0; !err && i < s->count; i++)
        err = look(a, self, &s->items[i]);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_MODULES, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "modules.conf", .text = "[modules]\nautoload = yes\nload = chan_sip.so\n", .is_bad = true },
    { .file = "modules.conf",
      .text = "[modules]\nautoload = yes\nnoload = chan_sip.so\nload = res_musiconhold.so\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_gone_module = {
    .code = "ST511",
    .name = "gone-module",
    .severity = AUDIT_ERROR,
    .summary = "modules.conf loads a module that Asterisk 22 does not have.",
    .why = "The line loads nothing: with require or preload-require Asterisk does not even start; with load it goes on "
           "without what the module did.",
    .fix = "Remove the line, and move what needs it: load = chan_pjsip.so",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
