/* May Asterisk have as many files open as the calls need that we are set to take? */
#include "app/doctor/checks.h"

#include <inttypes.h>

#include "app/doctor/host.h"
#include "app/doctor/scripts.h"

/* Seen with 22.10.1: 20 when idle, 4 a SIP call, 9 with a talk; AGI has a connection more. About doubled, for other calls, queues, recordings. */
enum { BASE = 256, A_TALK = 16, AN_AGI = 10 };

int64_t doctor_asterisk_files_needed(const struct config *c, const struct config_node *n)
{
    int64_t needed = BASE;

    if (config_node_has_ari(n))
        needed += A_TALK * n->calls_max;
    if (c->route_count)
        needed += AN_AGI * c->fastagi.sessions_max;
    return needed;
}

/* Of the process, where it is here; else what asterisk.conf says, as ARI tells it. */
static int64_t limit_of(const struct doctor_asked *a)
{
    const pid_t pid = doctor_asterisk_process(a->node);
    const int64_t limit = pid ? doctor_limit_of(pid) : -1;

    return limit >= 0 ? limit : a->ari.max_open_files ? a->ari.max_open_files : -1;
}

static void check_files(const struct doctor_context *x, const char *name)
{
    const int64_t needed = doctor_asterisk_files_needed(x->config, x->asked->node), limit = limit_of(x->asked);

    if (limit < 0) {
        doctor_say(x->report, DOCTOR_SKIP, name, "how many files Asterisk may have open is not known here; full load needs about %" PRId64, needed);
        doctor_fix(x->report, "shell", "grep 'open files' /proc/$(pidof asterisk)/limits");
    } else if (limit >= needed) {
        doctor_say(x->report, DOCTOR_OK, name, "Asterisk may have %" PRId64 " files open; full load needs about %" PRId64, limit, needed);
    } else {
        doctor_say(x->report, DOCTOR_WARN, name, "Asterisk may have %" PRId64 " files open; full load (calls_max, sessions_max) needs about %" PRId64, limit, needed);
        doctor_fix(x->report, "/etc/systemd/system/asterisk.service.d/files.conf",
                   "[Service]\nLimitNOFILE=%" PRId64 "\n; and no smaller maxfiles in asterisk.conf; then: systemctl daemon-reload && systemctl restart asterisk",
                   needed < 65536 ? INT64_C(65536) : needed * 2);
    }
}

static const struct doctor_check checks[] = { { "open files", check_files } };
const struct doctor_checks doctor_limit_checks = { checks, sizeof checks / sizeof *checks };
