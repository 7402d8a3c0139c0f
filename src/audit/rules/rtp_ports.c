/* Rule ST521: the range of RTP ports is too small, upside down, or reserved. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

enum { PORTS_MIN = 200, RTP_FIRST = 5000, RTP_LAST = 31000 };

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct settings_group *g;
    const int err = rule_group(a, AUDIT_RTP, "general", &g);
    int64_t first = RTP_FIRST, last = RTP_LAST;

    if (err || !g || (settings_item(g, "rtpstart") && text_to_i64(settings_value(g, "rtpstart"), &first)) ||
        (settings_item(g, "rtpend") && text_to_i64(settings_value(g, "rtpend"), &last)))
        return err;
    if (first >= last)
        return audit_find(a, self, settings_place(g, "rtpend"), "rtpend %lld is not behind rtpstart %lld: Asterisk takes %d to %d", (long long)last,
                          (long long)first, RTP_FIRST, RTP_LAST);
    if (last - first + 1 < PORTS_MIN)
        return audit_find(a, self, settings_place(g, "rtpend"), "%lld ports are enough for %lld calls at once", (long long)(last - first + 1),
                          (long long)(last - first + 1) / 4);
    return first < 1024 ? audit_find(a, self, settings_place(g, "rtpstart"), "ports below 1024 are not for a user other than root") : 0;
}

static const struct audit_rule_example examples[] = {
    { .file = "rtp.conf", .text = "[general]\nrtpstart = 10000\nrtpend = 10099\n", .is_bad = true },
    { .file = "rtp.conf", .text = "[general]\nrtpstart = 20000\nrtpend = 10000\n", .is_bad = true },
    { .file = "rtp.conf", .text = "[general]\nrtpstart = 500\nrtpend = 9000\n", .is_bad = true },
    { .file = "rtp.conf", .text = "[general]\nrtpstart = 10000\nrtpend = 20000\n", .is_bad = false },
};

const struct audit_rule audit_rule_rtp_ports = {
    .code = "ST521",
    .name = "rtp-port-range",
    .severity = AUDIT_WARNING,
    .summary = "The range of RTP ports is too small, upside down, or reserved for root.",
    .why = "Each leg takes two ports, RTP and RTCP, so that a bridged call takes four; when none is left, calls have no "
           "audio. A range that is upside down is not used (res/res_rtp_asterisk.c of 22.10.1).",
    .fix = "Give it ten thousand, and the firewall the same: rtpstart = 10000, rtpend = 20000",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
