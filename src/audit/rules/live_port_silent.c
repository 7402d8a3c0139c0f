/* Rule ST909: nobody listens where the files open a door. */
#include "audit/rules.h"

#include "audit/live_doors.h"

enum { ADDRESS = LIVE_HOST_MAX + 10 };

static int tell(struct audit *a, const struct audit_rule *self, const struct live_door *d, const struct live_look *seen)
{
    char running[ADDRESS], wanted[ADDRESS];

    live_address_write(&seen->at, running, sizeof running);
    live_address_write(&d->at, wanted, sizeof wanted);
    if (seen->at.port)
        return audit_find(a, self, d->place, "%s%s%.*s listens on %s, not on %s as the file says", d->what, d->name.n ? " " : "", TEXT_ARG(d->name), running, wanted);
    return audit_find(a, self, d->place, "the running system does not listen on %s, where the file opens %s%s%.*s", wanted, d->what, d->name.n ? " " : "",
                      TEXT_ARG(d->name));
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct live_doors all;
    int err = live_doors_read(&all, a);

    for (size_t i = 0; !err && i < all.count; i++) {
        const struct live_door *d = &all.doors[i];
        struct live_look seen;

        live_door_look(&seen, a, d);
        if (d->is_on && seen.is_known && !seen.is_heard)
            err = tell(a, self, d, &seen);
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "http.conf",
      .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nbindport = 8090\n;; file sidetone-live.conf\n[listens]\nhttp = 127.0.0.1:8088\n",
      .is_bad = true },
    { .file = "pjsip.conf",
      .text = "[udp]\ntype = transport\nbind = 127.0.0.1\n;; file sidetone-live.conf\n[listens]\nudp = 127.0.0.1:5060\n[sockets]\ntcp = 127.0.0.1:5038\n",
      .is_bad = true },
    { .file = "http.conf",
      .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n;; file sidetone-live.conf\n[listens]\nhttp = 0.0.0.0:8088\n",
      .is_bad = false },
    { .file = "pjsip.conf", .text = "[udp]\ntype = transport\nbind = 127.0.0.1\n;; file sidetone-live.conf\n[listens]\nmanager = 127.0.0.1:5038\n", .is_bad = false },
};

const struct audit_rule audit_rule_live_port_silent = {
    .code = "ST909",
    .name = "live-port-silent",
    .severity = AUDIT_ERROR,
    .summary = "Nobody listens where the files open a port.",
    .why = "The file was changed and not read again, the module is not loaded, a certificate is missing, or another program has the port: who connects there gets no answer.",
    .fix = "Look into Asterisk's log for that address; ss -lntup tells who has the port",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
