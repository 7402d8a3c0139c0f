/* Rule ST908: the running system listens where the files say that it does not. */
#include "audit/rules.h"

#include "audit/live_doors.h"

enum { ADDRESS = LIVE_HOST_MAX + 10 };

static const char *const whom[] = { [REACH_LOOPBACK] = "", [REACH_PRIVATE] = "", [REACH_OPEN] = ", which others can reach" };

static int tell(struct audit *a, const struct audit_rule *self, const struct live_door *d, const struct live_look *seen)
{
    char running[ADDRESS], wanted[ADDRESS];
    const enum reach reach = live_address_reach(&seen->at);
    int err;

    live_address_write(&seen->at, running, sizeof running);
    live_address_write(&d->at, wanted, sizeof wanted);
    if (d->is_on)
        return audit_find(a, self, d->place, "%s%s%.*s listens on %s%s; the file binds it to %s", d->what, d->name.n ? " " : "", TEXT_ARG(d->name), running,
                          whom[reach], wanted);
    err = audit_find(a, self, d->place, "%s listens on %s%s; the file switches it off", d->what, running, whom[reach]);
    if (!err && reach == REACH_LOOPBACK)
        audit_weigh(a, AUDIT_WARNING);
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct live_doors all;
    int err = live_doors_read(&all, a);

    for (size_t i = 0; !err && i < all.count; i++) {
        const struct live_door *d = &all.doors[i];
        struct live_look seen;

        live_door_look(&seen, a, d);
        if (seen.at.port && (!d->is_on || live_address_reach(&seen.at) > live_address_reach(&d->at)))
            err = tell(a, self, d, &seen);
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n;; file sidetone-live.conf\n[listens]\nmanager = 0.0.0.0:5038\n",
      .is_bad = true },
    { .file = "http.conf", .text = "[general]\nenabled = no\n;; file sidetone-live.conf\n[listens]\nhttp = 127.0.0.1:8088\n", .is_bad = true },
    { .file = "pjsip.conf",
      .text = "[udp]\ntype = transport\nbind = 127.0.0.1\n;; file sidetone-live.conf\n[sockets]\nudp = 0.0.0.0:5060\n",
      .is_bad = true },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n;; file sidetone-live.conf\n[listens]\nmanager = 127.0.0.1:5038\n"
              "[sockets]\ntcp = 127.0.0.1:5038\ntcp = 0.0.0.0:5060\n",
      .is_bad = false },
    { .file = "http.conf", .text = "[general]\nenabled = no\n;; file sidetone-live.conf\n[listens]\nhttp = no\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_port_open = {
    .code = "ST908",
    .name = "live-port-open",
    .severity = AUDIT_ERROR,
    .summary = "The running system listens where the files say that it does not.",
    .why = "The file was changed, and what runs was not: a reload of the module, or for SIP transports a restart, is due. Until then the door is open.",
    .fix = "asterisk -rx \"manager reload\", \"module reload http\"; after a change of a SIP transport: asterisk -rx \"core restart gracefully\"",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
