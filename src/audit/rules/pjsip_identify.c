/* Rule ST512: a trunk takes calls from a whole range of addresses. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

enum { BITS4_MIN = 16, BITS6_MIN = 48 };

/* How many bits of the address count; -1: a name or no mask. */
static int64_t bits_of(struct text match, bool *is_six)
{
    const ptrdiff_t slash = text_find(match, '/');
    const struct text mask = slash < 0 ? TEXT_NONE : text_trim(text_skip(match, (size_t)slash + 1));
    int64_t bits = 0;
    struct text rest = mask, part;

    *is_six = text_find(match, ':') >= 0;
    if (!mask.n)
        return -1;
    if (text_find(mask, '.') < 0)
        return text_to_i64(mask, &bits) ? -1 : bits;
    while (text_cut(&rest, '.', &part)) {
        int64_t byte = 0;

        if (text_to_i64(part, &byte) || byte < 0 || byte > 255)
            return -1;
        for (; byte; byte &= byte - 1)
            bits++;
    }
    return bits;
}

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    int err = 0;

    for (size_t i = 0; !err && i < s->count; i++) {
        struct text rest = s->items[i].value, one;

        if (!text_eq_nocase(s->items[i].name, TEXT("match")))
            continue;
        while (!err && text_cut(&rest, ',', &one)) {
            bool is_six;
            const int64_t bits = bits_of(text_trim(one), &is_six);

            if (bits < 0 || bits >= (is_six ? BITS6_MIN : BITS4_MIN))
                continue;
            err = audit_find(a, self, s->items[i].place, "whoever calls from %.*s is taken for endpoint %.*s", TEXT_ARG(text_trim(one)),
                             TEXT_ARG(section_value(s, "endpoint")));
            if (!err && bits)
                audit_weigh(a, AUDIT_WARNING);
        }
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_PJSIP, "identify", visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf", .text = "[trunk]\ntype = identify\nendpoint = trunk\nmatch = 0.0.0.0/0\n", .is_bad = true },
    { .file = "pjsip.conf",
      .text = "[trunk]\ntype = identify\nendpoint = trunk\n"
              "match = 203.0.113.1, 10.0.0.0/255.0.0.0\n",
      .is_bad = true },
    { .file = "pjsip.conf",
      .text = "[trunk]\ntype = identify\nendpoint = trunk\nmatch = 203.0.113.0/28\n"
              "match = sip.example.com\nmatch = 2001:db8::/64\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_identify = {
    .code = "ST512",
    .name = "sip-identify-wide",
    .severity = AUDIT_ERROR,
    .summary = "A SIP trunk is recognised by a range of addresses that strangers are in.",
    .why = "The address is all the proof there is: an endpoint without auth= takes calls from every machine of the range, "
           "into the trunk's context (res_pjsip_endpoint_identifier_ip).",
    .fix = "Name the provider's hosts one by one: match = 203.0.113.20",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
