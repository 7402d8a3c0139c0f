/* Rule ST113: times that Asterisk does not read as they were meant. */
#include "audit/rules.h"

#include "audit/dialplan.h"
#include "audit/expression.h"
#include "audit/flow.h"
#include "audit/rules/sections.h"

/* main/pbx_timing.c of 22.10.1. */
static bool is_clock(struct text t)
{
    int64_t hour, minute;
    const ptrdiff_t colon = text_find(t, ':');

    return colon > 0 && text_to_i64(text_head(t, (size_t)colon), &hour) == 0 && text_to_i64(text_skip(t, (size_t)colon + 1), &minute) == 0 &&
           hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

static bool is_name(struct text t, const char *names, int64_t last)
{
    int64_t number;
    struct text rest = text_of(names), one;

    while (text_cut(&rest, ' ', &one))
        if (text_eq_nocase(one, t))
            return true;
    return text_to_i64(t, &number) == 0 && number >= 1 && number <= last;
}

static bool is_field(struct text field, size_t nth)
{
    static const char *const names[] = { "", "sun mon tue wed thu fri sat", "", "jan feb mar apr may jun jul aug sep oct nov dec" };
    static const int64_t last[] = { 0, 7, 31, 12 };
    struct text part, end;

    field = text_trim(field);
    if (!field.n || text_eq(field, TEXT("*")) || !expression_is_plain(field))
        return true;
    while (text_cut(&field, '&', &part)) {
        end = part;
        while (end.p && text_cut(&end, '-', &part))
            if (nth == 0 ? !is_clock(text_trim(part)) : !is_name(text_trim(part), names[nth], last[nth]))
                return false;
    }
    return true;
}

/* Fields end at "," or at the "|" of old. */
static bool cut_field(struct text *rest, struct text *field)
{
    const ptrdiff_t comma = text_find(*rest, ','), bar = text_find(*rest, '|');

    return text_cut(rest, bar >= 0 && (comma < 0 || bar < comma) ? '|' : ',', field);
}

static int look(struct audit *a, const struct audit_rule *self, struct text times, struct conf_place place)
{
    static const char *const what[] = { "a time", "a day of the week", "a day", "a month" };
    struct text rest = times, field;

    for (size_t nth = 0; nth < 4 && cut_field(&rest, &field); nth++)
        if (!is_field(field, nth))
            return audit_find(a, self, place, "\"%.*s\" is not %s as Asterisk reads it: that part never matches", TEXT_ARG(text_trim(field)), what[nth]);
    return 0;
}

static int look_at_steps(struct audit *a, const struct audit_rule *self, const struct dialplan_context *c)
{
    int err = 0;

    for (size_t i = 0; !err && i < c->extension_count; i++)
        for (size_t k = 0; !err && k < c->extensions[i]->step_count; k++) {
            const struct dialplan_step *s = c->extensions[i]->steps + k;
            struct text rest = s->args, times;

            if ((flow_is(s->app, "GotoIfTime") || flow_is(s->app, "ExecIfTime")) && expression_cut(&rest, '?', &times))
                err = look(a, self, times, s->place);
        }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct dialplan *d = a->dialplan;
    int err = 0;

    for (size_t i = 0; d && !err && i < d->context_count; i++) {
        const struct dialplan_context *c = d->contexts[i];

        for (size_t k = 0; !err && k < c->include_count; k++)
            if (c->includes[k].times.n)
                err = look(a, self, c->includes[k].times, c->includes[k].place);
        if (!err)
            err = look_at_steps(a, self, c);
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\ninclude => b,9am-5pm,mon-fri,*,*\n[b]\nexten => 1,1,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,GotoIfTime(08:00-24:00,mon-fri,*,*?x)\n"
              " same => n(x),Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,GotoIfTime(08:00-12:00&13:00-17:00,monday-friday,*,*?x)\n"
              " same => n(x),Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\ninclude => b,09:00-17:00,mon-fri,1-7&24,jan&jun-aug\n"
              "exten => 1,1,GotoIfTime(19:00-9:00|sat&sun|*|*?x)\n same => n(x),ExecIfTime(${T}?NoOp())\n"
              " same => n,Hangup()\n[b]\nexten => 1,1,Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_bad_times = {
    .code = "ST113",
    .name = "bad-times",
    .severity = AUDIT_ERROR,
    .summary = "Times, days or months of an include or of GotoIfTime are not what Asterisk reads.",
    .why = "A part that is no hh:mm between 00:00 and 23:59, no three-letter day or month and no number is skipped with a "
           "warning: an office whose hours are 08:00-24:00 is closed all day.",
    .fix = "Write hh:mm-hh:mm, mon-fri, 1-31, jan-dec: GotoIfTime(08:00-23:59,mon-fri,*,*?open)",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
