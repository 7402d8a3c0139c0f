/* Rule ST201: text of the caller in a shell command. */
#include "audit/rules.h"
#include "audit/rules/injection.h"

/* The argument that a shell gets, or TEXT_NONE. */
static struct text sink(const struct flow_call *c)
{
    if (flow_is(c->app, "System") || flow_is(c->app, "TrySystem"))
        return c->args;
    if (flow_is(c->app, "MixMonitor"))
        return flow_argument(c->args, 2);
    if (flow_is(c->app, "ExternalIVR") && !text_starts_nocase(c->args, TEXT("ivr://")))
        return flow_argument(c->args, 0);
    return TEXT_NONE;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct injection j = { .sink = sink, .function = "SHELL", .does = "reaches the shell through" };

    return injection_find(a, self, &j);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,System(log ${CALLERID(name)})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,Set(N=${EXTEN:1})\n same => n,TrySystem(x \"${N}\")\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(X=${SHELL(id ${CALLERID(num)})})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,MixMonitor(a.wav,b,mail ${CALLERID(num)})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Set(F=${CALLERID(num)})\n same => n,MixMonitor(${UNIQUEID}.wav,,convert ^{F})\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,ExecIf(${X}?System(x ${CALLERID(name)}))\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => _X.,1,System(log ${FILTER(0-9,${CALLERID(num)})})\n same => n,System(x ${UNIQUEID})\nexten => _5XX,1,System(x ${EXTEN})\nexten => 100,1,System(x ${EXTEN})\n", .is_bad = false },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Read(PIN,pin,4)\n same => n,System(x ${PIN})\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,ExecIf($[${REGEX(\"^[0-9]+$\" ${CALLERID(num)})} = 1]?System(x ${CALLERID(num)}))\n", .is_bad = false },
};

const struct audit_rule audit_rule_shell_injection = {
    .code = "ST201",
    .name = "shell-injection",
    .severity = AUDIT_ERROR,
    .summary = "Text that the caller chooses reaches a shell command.",
    .why = "System, TrySystem, SHELL() and the command of MixMonitor hand their text to /bin/sh: a caller ID of $(command) "
           "or ; command runs as the Asterisk user. Quotes around it do not help.",
    .fix = "Keep what is needed only: System(/usr/local/bin/x ${FILTER(0-9,${CALLERID(num)})}).",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
