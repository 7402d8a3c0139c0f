/* What may be wrong with a node's HTTP server, its ARI user and our application's name. */
#include "app/doctor/checks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/admin.h"

enum { PATH = 4096, LINES_MAX = 64 << 10 };

/* Whatever answers anything with 200 is not let in by that. */
static bool is_ari(const struct doctor_ari *d)
{
    return d->status == 200 && *d->version;
}

static bool is_port_error(int err)
{
    return err == -ECONNREFUSED || err == -EHOSTUNREACH || err == -ETIMEDOUT || err == -ENETUNREACH;
}

static void say_no_http(const struct doctor_context *x, const char *name)
{
    const struct doctor_ari *d = &x->asked->ari;
    const struct config_node *n = x->asked->node;
    char path[PATH], lines[512];

    if (d->err == -EKEYREJECTED && doctor_has_run_out(&x->asked->ari_certificate, x->now_s)) {
        doctor_say(x->report, DOCTOR_SKIP, name, "the certificate of %s has run out (see below)", n->ari);
        return;
    }
    if (d->err == -EKEYREJECTED) {
        doctor_say(x->report, DOCTOR_FAIL, name, "the certificate of %s is not believed: %s", n->ari, d->why);
        doctor_fix(x->report, x->config->path, "[node %s]\nca = /path/to/the/authority.pem    ; and in ari = a host that stands in the certificate", n->head.name);
        return;
    }
    if (doctor_is_name_unknown(d->err, d->why)) {
        doctor_say(x->report, DOCTOR_FAIL, name, "the host of ari = %s has a name that is not known here: %s", n->ari, d->why);
        doctor_fix(x->report, x->config->path, "[node %s]\nari = http://ADDRESS:PORT    ; or mend /etc/resolv.conf, /etc/hosts", n->head.name);
    } else if (is_port_error(d->err)) {
        doctor_say(x->report, DOCTOR_FAIL, name, "Asterisk's HTTP server does not answer at %s (%s)", n->ari, err_text(d->err));
        doctor_fix(x->report, doctor_etc_path(x->etc, "http.conf", path, sizeof path), "%s\n; then: asterisk -rx \"module reload http\"",
                   doctor_door_lines(n->ari, "bindport", lines, sizeof lines));
    } else {
        doctor_say(x->report, DOCTOR_FAIL, name, "what answers at %s is no HTTP server of Asterisk: %s%s%s", n->ari, err_text(d->err), *d->why ? ": " : "", d->why);
        doctor_fix(x->report, x->config->path, "[node %s]\nari = http://HOST:PORT    ; bindaddr and bindport of http.conf; https:// with tlsbindaddr", n->head.name);
    }
}

static void check_http(const struct doctor_context *x, const char *name)
{
    const struct doctor_asked *a = x->asked;

    if (!a->ari.is_configured)
        doctor_say(x->report, DOCTOR_SKIP, name, a->node->ari_listen.host[0] ? "Asterisk opens the connection to us (ari_listen): nothing to ask here"
                                                                              : "the node has no ari = in sidetone.conf: no Stasis calls");
    else if (!secret_is_set(&a->node->ari_secret))
        doctor_say(x->report, DOCTOR_SKIP, name, "ari_user's secret is not known here (see the configuration's lines)");
    else if (a->ari.err)
        say_no_http(x, name);
    else
        doctor_say(x->report, DOCTOR_OK, name, "Asterisk's HTTP server answers at %s", a->node->ari);
}

/* Which lines keep us out is plain where the file can be read: acl, deny, permit of the user's section. An empty acl = would be an ACL of that name. */
static void add_lists(const struct doctor_context *x, struct buf *out)
{
    const struct conf *c = x->etc ? x->etc->ari : NULL;

    for (size_t i = 0; c && i < c->section_count; i++)
        for (size_t k = 0; !c->sections[i].is_template && text_eq_nocase(c->sections[i].name, text_of(x->asked->node->ari_user)) && k < c->sections[i].count; k++) {
            const struct conf_item *item = &c->sections[i].items[k];

            if (strchr(item->place.file, '\''))
                continue;
            if (text_eq_nocase(item->name, TEXT("acl")) || text_eq_nocase(item->name, TEXT("deny")) || text_eq_nocase(item->name, TEXT("permit")))
                buf_addf(out, "sed -i '%us/^/;/' '%s'\n", item->place.line, item->place.file);
        }
}

static void say_kept_out(const struct doctor_context *x, const char *name)
{
    const char *user = x->asked->node->ari_user;
    char path[PATH];
    struct buf lines;

    buf_init(&lines, LINES_MAX);
    add_lists(x, &lines);
    doctor_say(x->report, DOCTOR_FAIL, name, "Asterisk lets ari_user = %s in from other addresses only: by acl, deny or permit of its section in ari.conf", user);
    if (lines.n && !lines.err)
        doctor_fix(x->report, "shell", "%.*sasterisk -rx \"module reload res_ari.so\"", TEXT_ARG(buf_text(&lines)));
    else
        doctor_fix(x->report, doctor_etc_path(x->etc, "ari.conf", path, sizeof path), "[%s]\n; without acl, deny and permit, or with a permit for this machine", user);
    buf_free(&lines);
}

/* A prefix moves ARI; a server without ARI has none. */
static void say_no_ari(const struct doctor_context *x, const char *name)
{
    const struct config_node *n = x->asked->node;
    const struct text prefix = x->etc && x->etc->http ? conf_get(x->etc->http, TEXT("general"), TEXT("prefix")) : TEXT_NONE;
    char path[PATH];

    if (text_trim(prefix).n) {
        doctor_say(x->report, DOCTOR_FAIL, name, "there is an HTTP server at %s, but its ARI is behind the prefix %.*s of http.conf", n->ari, TEXT_ARG(text_trim(prefix)));
        doctor_fix(x->report, x->config->path, "[node %s]\nari = %s/%.*s", n->head.name, n->ari, TEXT_ARG(text_trim(prefix)));
        return;
    }
    doctor_say(x->report, DOCTOR_FAIL, name, "there is an HTTP server at %s, but no ARI (status %d): res_ari is not loaded, off, or behind a prefix", n->ari,
               x->asked->ari.status);
    doctor_fix(x->report, doctor_etc_path(x->etc, "ari.conf", path, sizeof path),
               "[general]\nenabled = yes\n; then: asterisk -rx \"module load res_ari.so\"; asterisk -rx \"module reload res_ari.so\"");
}

static void check_login(const struct doctor_context *x, const char *name)
{
    const struct doctor_ari *d = &x->asked->ari;
    const struct config_node *n = x->asked->node;
    char path[PATH];

    if (!d->is_configured || d->err || !d->status)
        return;
    doctor_etc_path(x->etc, "ari.conf", path, sizeof path);
    if (is_ari(d)) {
        doctor_say(x->report, DOCTOR_OK, name, "ari_user = %s is let in", n->ari_user);
    } else if (d->status == 401) {
        doctor_say(x->report, DOCTOR_FAIL, name, "Asterisk refuses ari_user = %s: no such user, or another password", n->ari_user);
        doctor_fix(x->report, path, "[%s]\ntype = user\nread_only = no\npassword = ; what ari_secret in %s refers to\npassword_format = plain\n"
                                    "; then: asterisk -rx \"module reload res_ari.so\"", n->ari_user, x->config->path);
    } else if (d->status == 404 || d->status == 503) {
        say_no_ari(x, name);
    } else if (d->status == 403) {
        say_kept_out(x, name);
    } else {
        doctor_say(x->report, DOCTOR_FAIL, name, "what answers at %s is no ARI (status %d%s)", n->ari, d->status, d->status == 200 ? ", but not ARI's words" : "");
        doctor_fix(x->report, x->config->path, "[node %s]\nari = http://HOST:PORT    ; bindaddr and bindport of Asterisk's http.conf", n->head.name);
    }
}

/* Asterisk looks at read_only before it looks for the channel: 403 or 404. */
static void check_write(const struct doctor_context *x, const char *name)
{
    const struct doctor_ari *d = &x->asked->ari;
    char path[PATH];

    if (!is_ari(d))
        return;
    if (d->write_status == 403) {
        doctor_say(x->report, DOCTOR_FAIL, name, "ari_user = %s is read-only: calls cannot be answered or handed back", x->asked->node->ari_user);
        doctor_fix(x->report, doctor_etc_path(x->etc, "ari.conf", path, sizeof path),
                   "[%s]\nread_only = no\n; then: asterisk -rx \"module reload res_ari.so\"", x->asked->node->ari_user);
    } else if (d->write_status == 404) {
        doctor_say(x->report, DOCTOR_OK, name, "ari_user = %s may act on calls", x->asked->node->ari_user);
    } else {
        doctor_say(x->report, DOCTOR_SKIP, name, "Asterisk did not tell whether ari_user may act (status %d)", d->write_status);
    }
}

static bool is_daemon_there(const struct config *c)
{
    char *answer = NULL;
    const int err = admin_ask(c->admin_path, TEXT("routes"), 1000, &answer);

    free(answer);
    return !err || err == -ETIMEDOUT || err == -EPROTO || err == -EACCES;
}

/* Never by connecting: the newest connection of an application takes it from the one before. */
static void check_app(const struct doctor_context *x, const char *name)
{
    const struct config_node *n = x->asked->node;
    const int status = x->asked->ari.app_status;
    bool is_there;

    if (!is_ari(&x->asked->ari) || !x->config->admin_path)
        return;
    is_there = is_daemon_there(x->config);
    if (status == 200 && is_there)
        doctor_say(x->report, DOCTOR_OK, name, "app = %s is connected, and the daemon runs", n->app);
    else if (status == 200) {
        doctor_say(x->report, DOCTOR_WARN, name, "another program is connected as app = %s, while no daemon runs here: the later one takes the calls", n->app);
        doctor_fix(x->report, x->config->path, "[node %s]\napp = another-name    ; and Stasis(another-name) in the dialplan", n->head.name);
    } else if (status == 404 && is_there) {
        doctor_say(x->report, DOCTOR_WARN, name, "the daemon runs, but app = %s is not connected: its log tells why", n->app);
        doctor_fix(x->report, "shell", "journalctl -u sidetone | grep event=unreachable");
    } else if (status == 404)
        doctor_say(x->report, DOCTOR_OK, name, "app = %s is free: the daemon does not run yet", n->app);
    else
        doctor_say(x->report, DOCTOR_SKIP, name, "Asterisk did not tell about app = %s (status %d)", n->app, status);
}

static const struct doctor_check checks[] = { { "http", check_http }, { "ari login", check_login }, { "ari rights", check_write }, { "ari app", check_app } };
const struct doctor_checks doctor_ari_checks = { checks, sizeof checks / sizeof *checks };
