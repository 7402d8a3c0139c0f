/* Rule ST514: SIP passwords' digests and numbers cross a network in clear. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    const struct text protocol = section_value(s, "protocol"), bind = section_value(s, "bind");

    if (reach_of(bind) != REACH_OPEN || text_eq_nocase(protocol, TEXT("tls")) || text_eq_nocase(protocol, TEXT("wss")) || text_eq_nocase(protocol, TEXT("flow")))
        return 0;
    return audit_find(a, self, section_place(s, "bind"), "transport %.*s takes SIP in clear on %.*s", TEXT_ARG(s->name),
                      TEXT_ARG(bind.n ? bind : TEXT("every address")));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_PJSIP, "transport", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf", .text = "[udp]\ntype = transport\nprotocol = udp\nbind = 0.0.0.0\n", .is_bad = true },
    { .file = "pjsip.conf",
      .text = "[tls]\ntype = transport\nprotocol = tls\nbind = 0.0.0.0:5061\n[lan]\n"
              "type = transport\nprotocol = udp\nbind = 10.0.0.1\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_transport = {
    .code = "ST514",
    .name = "sip-plain-transport",
    .severity = AUDIT_NOTE,
    .summary = "A SIP transport takes calls in clear on every address.",
    .why = "Numbers, names and the digests of passwords cross the network readable, and scanners of the whole Internet see "
           "the port.",
    .fix = "Bind it to the address that the provider or the phones use, or use TLS: protocol = tls",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
