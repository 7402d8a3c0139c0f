/* What may be wrong with a node's manager port, its users, its time stamps and its clock. */
#include "app/doctor/checks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap/needs.h"

enum { CLASSES_MAX = 400, PATH = 4096, FILTERS_MAX = 64 << 10, LINES = 512, CLOCK_WARN_US = 500000, CLOCK_FAIL_US = 30000000 };

#define RELOAD "then: asterisk -rx \"manager reload\""

static const struct doctor_ami *first_in(const struct doctor_asked *a)
{
    for (int i = 0; i < DOCTOR_LOGINS; i++)
        if (a->ami[i].is_in)
            return &a->ami[i];
    return NULL;
}

/* "host:port" behind the scheme. */
static const char *behind_scheme(const char *url)
{
    const char *at = strstr(url, "://");

    return at ? at + 3 : url;
}

/* ---- reachable ---- */

static bool is_port_error(int err)
{
    return err == -ECONNREFUSED || err == -EHOSTUNREACH || err == -ETIMEDOUT || err == -ENETUNREACH;
}

static void say_unreachable(const struct doctor_context *x, const char *name, const struct doctor_ami *d)
{
    const struct config_node *n = x->asked->node;
    char path[PATH], lines[LINES];

    if (doctor_is_name_unknown(d->err, d->why)) {
        doctor_say(x->report, DOCTOR_FAIL, name, "the host of ami = %s has a name that is not known here: %s", n->ami, d->why);
        doctor_fix(x->report, x->config->path, "[node %s]\nami = tcp://ADDRESS:PORT    ; or mend /etc/resolv.conf, /etc/hosts", n->head.name);
        return;
    }
    doctor_say(x->report, DOCTOR_FAIL, name, "the manager port %s does not answer (%s): Asterisk is down, or its manager is off or elsewhere", n->ami,
               err_text(d->err));
    doctor_fix(x->report, doctor_etc_path(x->etc, "manager.conf", path, sizeof path),
               "%s\n; then: systemctl restart asterisk    ; ends calls. A reload that opens the port hung Asterisk 22.10.1 now and then",
               doctor_door_lines(n->ami, "port", lines, sizeof lines));
}

static void check_reach(const struct doctor_context *x, const char *name)
{
    const struct doctor_asked *a = x->asked;
    const struct doctor_ami *d = a->ami[DOCTOR_TAP].user ? &a->ami[DOCTOR_TAP] : &a->ami[DOCTOR_CONTROL];

    if (!a->node->ami)
        doctor_say(x->report, DOCTOR_SKIP, name, "the node has no ami = in sidetone.conf: no tap, no AsyncAGI");
    else if (first_in(a))
        doctor_say(x->report, DOCTOR_OK, name, "the manager port answers at %s", behind_scheme(a->node->ami));
    else if (!d->user)
        doctor_say(x->report, DOCTOR_SKIP, name, "no user to log in with: ami_user and control_user are not set");
    else if (!d->err)
        doctor_say(x->report, DOCTOR_SKIP, name, "no secret to log in with is known here (see the configuration's lines)");
    else if (is_port_error(d->err))
        say_unreachable(x, name, d);
    else if (d->err == -EACCES)
        doctor_say(x->report, DOCTOR_OK, name, "the manager port answers at %s", behind_scheme(a->node->ami));
    else if (d->err == -EKEYREJECTED && doctor_has_run_out(&a->ami_certificate, x->now_s))
        doctor_say(x->report, DOCTOR_SKIP, name, "the certificate of %s has run out (see below): nobody can log in", a->node->ami);
    else if (d->err == -EKEYREJECTED) {
        doctor_say(x->report, DOCTOR_FAIL, name, "the certificate of %s is not believed: %s", a->node->ami, d->why);
        doctor_fix(x->report, x->config->path, "[node %s]\nca = /path/to/the/authority.pem    ; and in ami = a host that stands in the certificate", a->node->head.name);
    } else {
        doctor_say(x->report, DOCTOR_FAIL, name, "what answers at %s is no manager port: %s%s%s", a->node->ami, err_text(d->err), *d->why ? ": " : "",
                   d->why);
        doctor_fix(x->report, x->config->path, "[node %s]\nami = tcp://HOST:PORT    ; the bindaddr and port of manager.conf; tls:// with tlsbindaddr",
                   a->node->head.name);
    }
}

/* ---- logged in ---- */

/* read= of the user, with the words that the tap's facts need, and those of the events that are asked for. */
static void add_class(char *list, size_t size, const char *class)
{
    const size_t n = strlen(list);
    char padded[CLASSES_MAX + 2], word[40];

    snprintf(padded, sizeof padded, ",%s,", list);
    snprintf(word, sizeof word, ",%s,", class);
    if (!strstr(padded, word) && n + strlen(class) + 2 < size)
        snprintf(list + n, size - n, "%s%s", n ? "," : "", class);
}

static void tap_classes(char *list, size_t size)
{
    size_t count;
    const struct tap_need *needs = tap_needs(&count);

    list[0] = '\0';
    for (size_t i = 0; i < count; i++)
        add_class(list, size, needs[i].class);
}

/* As init writes them. Its filters are left out: without them more comes than is needed, and nothing is missing. */
static void user_lines(const struct doctor_context *x, int login, char *out, size_t size)
{
    const struct doctor_ami *d = &x->asked->ami[login];
    const bool is_async = x->asked->node->asyncagi;
    char classes[CLASSES_MAX] = "";

    if (login == DOCTOR_TAP)
        tap_classes(classes, sizeof classes);
    else if (is_async)
        add_class(classes, sizeof classes, "agi");
    snprintf(out, size, "[%s]\nsecret = ; what %s in %s refers to\ndeny = 0.0.0.0/0.0.0.0\ndeny = ::/0\npermit = %s\nallowmultiplelogin = yes\nread =%s%s\nwrite =%s\nwritetimeout = 5000\n; " RELOAD,
             d->user, d->secret_key, x->config->path, config_url_is_this_machine(x->asked->node->ami) ? "127.0.0.1/255.255.255.255" : "; this machine's address / 255.255.255.255",
             *classes ? " " : "", classes, login == DOCTOR_TAP ? "" : is_async ? " reporting,agi" : " reporting");
}

static void check_login(const struct doctor_context *x, const char *name)
{
    char lines[1024], path[PATH];

    for (int i = 0; i < DOCTOR_LOGINS; i++) {
        const struct doctor_ami *d = &x->asked->ami[i];

        if (!d->user)
            continue;
        if (d->is_in) {
            doctor_say(x->report, DOCTOR_OK, name, "%s = %s is logged in", d->user_key, d->user);
        } else if (d->err == -EACCES) {
            user_lines(x, i, lines, sizeof lines);
            doctor_say(x->report, DOCTOR_FAIL, name, "Asterisk refuses %s = %s: no such user, another secret, no secret at all, a deny line, or one login only",
                       d->user_key, d->user);
            doctor_fix(x->report, doctor_etc_path(x->etc, "manager.conf", path, sizeof path), "%s", lines);
        } else if (d->err == 0) {
            doctor_say(x->report, DOCTOR_SKIP, name, "%s = %s: its secret is not known here (see the configuration's lines)", d->user_key, d->user);
        } else {
            doctor_say(x->report, DOCTOR_SKIP, name, "%s = %s: the port must answer first", d->user_key, d->user);
        }
    }
}

/* ---- rights ---- */

/* What none of our users has a use for: whoever has its secret could act with these. AGI runs any application on a call. */
static bool find_power(const struct doctor_ami *d, bool uses_agi, char *out, size_t size)
{
    static const char *const powers[] = { "Originate", "Command", "Redirect", "Hangup", "UpdateConfig", "Setvar", "DBPut", "ModuleLoad", "QueueAdd" };

    out[0] = '\0';
    for (size_t i = 0; i < sizeof powers / sizeof *powers; i++)
        if (doctor_list_has(&d->actions, powers[i]))
            snprintf(out + strlen(out), size - strlen(out), "%s%s", *out ? ", " : "", powers[i]);
    if (!uses_agi && doctor_list_has(&d->actions, "AGI"))
        snprintf(out + strlen(out), size - strlen(out), "%sAGI", *out ? ", " : "");
    return *out;
}

/* The daemon sends the filters of ami_filter itself where it may, which takes write = system: much for little. */
static void check_own_filters(const struct doctor_context *x, const char *name, const char *path)
{
    const struct doctor_ami *d = &x->asked->ami[DOCTOR_TAP];
    const bool may_send = doctor_list_has(&d->actions, "Filter");
    struct buf lines;
    bool is_moved;

    buf_init(&lines, FILTERS_MAX);
    is_moved = doctor_filters_moved(x, &lines);
    if (!may_send && is_moved)
        doctor_say(x->report, DOCTOR_OK, name, "%s = %s may not act on calls, and its filters stand in manager.conf", d->user_key, d->user);
    else if (may_send)
        doctor_say(x->report, DOCTOR_WARN, name, "%s = %s may send Filter, which ami_filter takes, and with that class much else; the same lines in manager.conf take no right",
                   d->user_key, d->user);
    else
        doctor_say(x->report, DOCTOR_WARN, name, "%s = %s may not send Filter, so ami_filter is not installed; the same lines in manager.conf take no right", d->user_key, d->user);
    if (may_send || !is_moved)
        doctor_fix(x->report, path, "[%s]\nwrite =\n%.*s; " RELOAD ", and restart sidetone", d->user, TEXT_ARG(buf_text(&lines)));
    buf_free(&lines);
}

static void check_tap_rights(const struct doctor_context *x, const char *name)
{
    const struct doctor_ami *d = &x->asked->ami[DOCTOR_TAP];
    char powers[200], path[PATH];

    doctor_etc_path(x->etc, "manager.conf", path, sizeof path);
    if (x->asked->node->ami_filters.count) {
        check_own_filters(x, name, path);
    } else if (!find_power(d, false, powers, sizeof powers)) {
        doctor_say(x->report, DOCTOR_OK, name, "%s = %s may not act on calls (%s)", d->user_key, d->user, "no class of write=");
    } else {
        doctor_say(x->report, DOCTOR_WARN, name, "%s = %s only needs to read, but may send %s", d->user_key, d->user, powers);
        doctor_fix(x->report, path, "[%s]\nwrite =\n; " RELOAD " (a session that is logged in keeps what it had)", d->user);
    }
}

static void check_control_rights(const struct doctor_context *x, const char *name)
{
    const struct doctor_ami *d = &x->asked->ami[DOCTOR_CONTROL];
    const bool is_async = x->asked->node->asyncagi;
    const char *also = is_async ? ",agi" : "";
    char path[PATH], powers[200];

    doctor_etc_path(x->etc, "manager.conf", path, sizeof path);
    if (is_async && !doctor_list_has(&d->actions, "AGI")) {
        doctor_say(x->report, DOCTOR_FAIL, name, "%s = %s may not send AGI, which asyncagi = yes needs", d->user_key, d->user);
        doctor_fix(x->report, path, "[%s]\nread = agi\nwrite = reporting,agi\n; " RELOAD, d->user);
    } else if (!doctor_list_has(&d->actions, "CoreShowChannels")) {
        doctor_say(x->report, DOCTOR_WARN, name, "%s = %s may not list channels: after a gap all open calls of the tap are closed as unobserved",
                   d->user_key, d->user);
        doctor_fix(x->report, path, "[%s]\nwrite = reporting%s\n; " RELOAD, d->user, also);
    } else if (find_power(d, is_async, powers, sizeof powers)) {
        doctor_say(x->report, DOCTOR_WARN, name, "%s = %s may send %s, which nothing here uses", d->user_key, d->user, powers);
        doctor_fix(x->report, path, "[%s]\nwrite = reporting%s\n; " RELOAD " (a session that is logged in keeps what it had)", d->user, also);
    } else {
        doctor_say(x->report, DOCTOR_OK, name, "%s = %s may do what it is used for, and nothing dangerous beside it", d->user_key, d->user);
    }
}

static void check_rights(const struct doctor_context *x, const char *name)
{
    static void (*const checks[DOCTOR_LOGINS])(const struct doctor_context *, const char *) = { check_tap_rights, check_control_rights };

    for (int i = 0; i < DOCTOR_LOGINS; i++) {
        const struct doctor_ami *d = &x->asked->ami[i];

        if (d->is_in && d->has_actions)
            checks[i](x, name);
        else if (d->is_in)
            doctor_say(x->report, DOCTOR_SKIP, name, "%s = %s: Asterisk did not tell what it may send", d->user_key, d->user);
    }
}

/* ---- events ---- */

/* Words of needed that are not among those of read. */
static void find_missing(struct text read, const char *needed, char *out, size_t size)
{
    struct text rest = text_of(needed), want, have;

    out[0] = '\0';
    while (text_cut(&rest, ',', &want)) {
        struct text among = read;
        bool is_there = false;

        while (!is_there && text_cut(&among, ',', &have))
            is_there = text_eq_nocase(text_trim(have), want) || text_eq_nocase(text_trim(have), TEXT("all"));
        if (!is_there)
            snprintf(out + strlen(out), size - strlen(out), "%s%.*s", *out ? "," : "", TEXT_ARG(want));
    }
}

static void check_events(const struct doctor_context *x, const char *name)
{
    const struct doctor_ami *d = &x->asked->ami[DOCTOR_TAP];
    const struct text read = x->etc && x->etc->manager && d->user ? conf_get(x->etc->manager, text_of(d->user), TEXT("read")) : TEXT_NONE;
    char needed[CLASSES_MAX], missing[CLASSES_MAX], path[PATH];

    if (!d->is_in || !x->asked->node->tap)
        return;
    tap_classes(needed, sizeof needed);
    find_missing(read, needed, missing, sizeof missing);
    doctor_etc_path(x->etc, "manager.conf", path, sizeof path);
    if (read.p && *missing) {
        doctor_say(x->report, DOCTOR_FAIL, name, "%s = %s does not read %s: facts about calls will be missing", d->user_key, d->user, missing);
        doctor_fix(x->report, path, "[%s]\nread = %s\n; " RELOAD ", and restart sidetone: a session keeps the rights it logged in with", d->user, needed);
    } else if (!d->saw_booted) {
        doctor_say(x->report, DOCTOR_FAIL, name, "%s = %s got no FullyBooted: events are off, read has no system, a filter keeps it away, or Asterisk still boots",
                   d->user_key, d->user);
        doctor_fix(x->report, path, "[%s]\nread = %s\n; `sidetone tap advise` prints filters that fit; " RELOAD, d->user, needed);
    } else if (doctor_filters_check(x, name)) {
        return;
    } else if (read.p) {
        doctor_say(x->report, DOCTOR_OK, name, "%s = %s gets events, and reads every class that facts need", d->user_key, d->user);
    } else {
        doctor_say(x->report, DOCTOR_OK, name, "%s = %s gets events (whether every class: manager.conf cannot be read here)", d->user_key, d->user);
    }
}

/* The events that a channel waits in AGI(agi:async) come to the control user. */
static void check_async(const struct doctor_context *x, const char *name)
{
    const struct doctor_ami *d = &x->asked->ami[DOCTOR_CONTROL];
    const struct text read = x->etc && x->etc->manager && d->user ? conf_get(x->etc->manager, text_of(d->user), TEXT("read")) : TEXT_NONE;
    char missing[CLASSES_MAX], path[PATH];

    if (!d->is_in || !x->asked->node->asyncagi || !read.p)
        return;
    find_missing(read, "agi", missing, sizeof missing);
    if (!*missing)
        return;
    doctor_say(x->report, DOCTOR_FAIL, name, "%s = %s does not read agi: no channel of AGI(agi:async) would be served", d->user_key, d->user);
    doctor_fix(x->report, doctor_etc_path(x->etc, "manager.conf", path, sizeof path), "[%s]\nread = agi\n; " RELOAD ", and restart sidetone", d->user);
}

/* ---- time stamps ---- */

static enum doctor_known stamps_in_file(const struct doctor_etc *e)
{
    const struct text t = e && e->manager ? conf_get(e->manager, TEXT("general"), TEXT("timestampevents")) : TEXT_NONE;
    bool is_on = false;

    if (!e || !e->manager)
        return DOCTOR_UNKNOWN;
    return t.p && text_to_bool(text_trim(t), &is_on) == 0 && is_on ? DOCTOR_YES : DOCTOR_NO;
}

static void check_stamps(const struct doctor_context *x, const char *name)
{
    enum doctor_known known = x->asked->ami[DOCTOR_TAP].stamps;
    const bool was_seen = known != DOCTOR_UNKNOWN;
    char path[PATH];

    if (!x->asked->node->tap)
        return;
    if (!was_seen)
        known = stamps_in_file(x->etc);
    doctor_etc_path(x->etc, "manager.conf", path, sizeof path);
    if (known == DOCTOR_YES) {
        doctor_say(x->report, DOCTOR_OK, name, "timestampevents is on (%s)", was_seen ? "an event had its time" : "in the file");
    } else if (known == DOCTOR_NO) {
        doctor_say(x->report, DOCTOR_FAIL, name, "events have no time stamps: lag cannot be measured, and events of several nodes not be ordered");
        doctor_fix(x->report, path, "[general]\ntimestampevents = yes\n; " RELOAD);
    } else {
        doctor_say(x->report, DOCTOR_SKIP, name, "no event came while the doctor looked, and manager.conf cannot be read here; make a call and ask again, or look yourself");
        doctor_fix(x->report, "shell", "asterisk -rx \"manager show settings\" | grep -i timestamp");
    }
}

/* ---- clock ---- */

static void check_clock(const struct doctor_context *x, const char *name)
{
    const struct doctor_ami *d = first_in(x->asked);
    int64_t off;

    if (!d || !d->has_clock) {
        if (x->asked->node->ami)
            doctor_say(x->report, DOCTOR_SKIP, name, "nobody is logged in who could ask for the time");
        return;
    }
    off = llabs(d->ahead_us);
    if (off <= d->doubt_us + CLOCK_WARN_US) {
        doctor_say(x->report, DOCTOR_OK, name, "Asterisk's clock is within %" PRId64 " ms of this machine's", (off + d->doubt_us) / 1000 + 1);
        return;
    }
    doctor_say(x->report, off > CLOCK_FAIL_US ? DOCTOR_FAIL : DOCTOR_WARN, name, "Asterisk's clock is %.3f s %s this machine's: times of different nodes do not compare",
               (double)off / 1e6, d->ahead_us > 0 ? "ahead of" : "behind");
    doctor_fix(x->report, "shell", "timedatectl set-ntp true    # on both machines");
}

static const struct doctor_check checks[] = {
    { "ami", check_reach },   { "ami login", check_login },   { "ami rights", check_rights },
    { "events", check_events }, { "events", check_async }, { "time stamps", check_stamps }, { "clock", check_clock },
};
const struct doctor_checks doctor_ami_checks = { checks, sizeof checks / sizeof *checks };
