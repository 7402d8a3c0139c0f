/* Rule ST205: text of the caller in the name of a file. */
#include "audit/rules.h"

#include "audit/rules/injection.h"

static struct text sink(const struct flow_call *c)
{
    static const char *const apps[] = { "Record", "MixMonitor", "Playback", "BackGround", "ControlPlayback", "Dictate", "ReceiveFAX", "SendFAX" };

    for (size_t i = 0; i < sizeof apps / sizeof *apps; i++)
        if (flow_is(c->app, apps[i]))
            return flow_argument(c->args, 0);
    return TEXT_NONE;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct injection j = { .sink = sink, .function = "FILE", .does = "becomes part of a file name in" };

    return injection_find(a, self, &j);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,MixMonitor(${CALLERID(name)}.wav)\n same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => _X.,1,Record(/tmp/${EXTEN}.wav)\n same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => _X.,1,MixMonitor(${UNIQUEID}-${FILTER(0-9,${EXTEN})}.wav)\n"
              " same => n,Hangup()\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_path_injection = {
    .code = "ST205",
    .name = "path-injection",
    .severity = AUDIT_WARNING,
    .summary = "Text that the caller chooses becomes part of a file name.",
    .why = "A name of ../../ leads out of the folder: a recording overwrites a file of the Asterisk user, or a prompt plays "
           "one that was not meant.",
    .fix = "Keep digits only: MixMonitor(${UNIQUEID}-${FILTER(0-9,${CALLERID(num)})}.wav)",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
