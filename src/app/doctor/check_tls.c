/* How long the certificates of a node's ports are still good. */
#include "app/doctor/checks.h"

#include <inttypes.h>

enum { DAY = 86400, WARN_DAYS = 21 };

bool doctor_has_run_out(const struct doctor_certificate *c, int64_t now_s)
{
    return c->is_known && c->not_after <= now_s;
}

static void check(const struct doctor_context *x, const char *name, bool is_ami, const struct doctor_certificate *c)
{
    const char *port = is_ami ? "manager" : "HTTP";
    const int64_t days = (c->not_after - x->now_s) / DAY;

    if (!c->is_asked)
        return;
    if (!c->is_known) {
        doctor_say(x->report, DOCTOR_SKIP, name, "the certificate of the %s port did not come: %s", port, c->why);
        return;
    }
    if (c->not_after > x->now_s + (int64_t)WARN_DAYS * DAY) {
        doctor_say(x->report, DOCTOR_OK, name, "the certificate of the %s port is good for %" PRId64 " days more", port, days);
        return;
    }
    if (c->not_after <= x->now_s)
        doctor_say(x->report, DOCTOR_FAIL, name, "the certificate of the %s port has run out", port);
    else
        doctor_say(x->report, DOCTOR_WARN, name, "the certificate of the %s port runs out in %" PRId64 " day%s", port, days, days == 1 ? "" : "s");
    doctor_fix(x->report, "shell", "# put a new one where tlscertfile of %s points, then\nasterisk -rx \"module reload %s\"", is_ami ? "manager.conf" : "http.conf",
               is_ami ? "manager" : "http");
}

static void check_tls(const struct doctor_context *x, const char *name)
{
    check(x, name, true, &x->asked->ami_certificate);
    check(x, name, false, &x->asked->ari_certificate);
}

static const struct doctor_check checks[] = { { "certificate", check_tls } };
const struct doctor_checks doctor_tls_checks = { checks, sizeof checks / sizeof *checks };
