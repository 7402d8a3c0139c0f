/* Rule ST103: a line of the dialplan that Asterisk ignores or cuts. */
#include "audit/rules.h"
#include "audit/rules/each.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const int err = rule_report_faults(a, self, DIALPLAN_SKIPPED);

    return err ? err : rule_report_faults(a, self, DIALPLAN_CUT);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Playback(a;b)\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nsame => n,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nextn => 1,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1(x),Answer()\n same => n(x),Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1\n", .is_bad = true },
    { .file = "extensions.ael", .text = "context a { 1 => Answer() }\n", .is_bad = true },
    { .file = "extensions.ael", .text = "context a { 1 => { break; } }\n", .is_bad = true },
    { .file = "extensions.ael", .text = "macro m(x) { return; }\ncontext a { 1 => &m(1,2); }\n", .is_bad = true },
    { .file = "extensions.ael", .text = "macro m(x) { NoOp(${x}); }\ncontext a { 1 => { &m(1); Hangup(); } }\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => ${DB(dial/in)},1,GotoIf(${X}?z)\n same => n(z),Hangup()\nexten => _X${DB(dial/in)},1,Hangup()\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,NoOp\nsame => n+2(x),Hangup()\nexten => 1,hint,PJSIP/1\nignorepat => 9\nautohints=yes\n", .is_bad = false },
};

const struct audit_rule audit_rule_ignored_line = {
    .code = "ST103",
    .name = "ignored-line",
    .severity = AUDIT_ERROR,
    .summary = "Asterisk ignores this line of the dialplan, or reads it otherwise than it was meant.",
    .why = "pbx_config logs a warning at load and goes on without the line; nobody reads the log, and the extension lacks a "
           "step. One error in extensions.ael, and none of it is loaded.",
    .fix = "Correct the line: exten => 100,1,Answer() and same => n,Hangup().",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
