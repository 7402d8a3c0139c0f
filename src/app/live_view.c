/* Puts together what one node says of itself, within a time. */
#include "app/live_view.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/doctor/asked.h"
#include "app/live_ami.h"
#include "app/live_cli.h"
#include "app/live_sockets.h"

enum { VIEW_MAX = 24 << 20, NOTES_MAX = 8192, ASK_MS = 10000, AMI_MS = 45000 };

#define COMMAND_ADVICE \
    "that needs write = reporting,command, which is the right to do anything: grant it for one run at most (add it, \"manager reload\", run this), and then " \
    "write write = reporting again and reload"

/* ---- what AMI told ---- */

static void add_section(struct buf *out, const char *name, const struct buf *lines)
{
    buf_addf(out, "\n[%s]\n", name);
    buf_add_text(out, buf_text(lines));
}

static void add_dialplan(struct live_view *v, const struct live_ami *a)
{
    if (a->has_dialplan)
        add_section(&v->text, "contexts", &a->contexts);
    else if (a->contexts.err)
        buf_addf(&v->notes, "the loaded dialplan is too large: it is not compared\n");
    else if (!a->is_late)
        buf_addf(&v->notes, "the loaded dialplan was not told: control_user must be let in and have write = reporting\n");
    if (a->has_steps)
        add_section(&v->text, "steps", &a->steps);
    else if (a->has_dialplan)
        buf_addf(&v->notes, "the loaded dialplan is too large: its contexts are compared, its steps are not\n");
}

static void add_doors(struct live_view *v, const struct live_ami *a)
{
    bool (*const read[])(struct buf *, struct text) = { [LIVE_SETTINGS] = live_cli_settings, [LIVE_HTTP] = live_cli_http, [LIVE_TRANSPORTS] = live_cli_transports };

    buf_add_text(&v->text, TEXT("\n[listens]\n"));
    for (size_t i = LIVE_SETTINGS; i <= LIVE_TRANSPORTS; i++)
        if (a->has_output[i])
            (void)read[i](&v->text, buf_text(&a->outputs[i]));
}

static void add_users(struct live_view *v, const struct live_ami *a)
{
    if (!a->may_command) {
        if (a->has_rights)
            buf_addf(&v->notes, "users of the manager, and Asterisk's own words about its ports, are left out: " COMMAND_ADVICE "\n");
        return;
    }
    add_doors(v, a);
    if (a->has_users)
        add_section(&v->text, "users", &a->users);
    else if (!a->is_late)
        buf_addf(&v->notes, "users of the manager are left out: \"manager show users\" was not told as expected\n");
    if (a->has_users && a->unasked)
        buf_addf(&v->notes, "the rights of %zu user%s of the manager were not told\n", a->unasked, a->unasked == 1 ? "" : "s");
}

static int add_ami(struct live_view *v, const struct config_node *n)
{
    struct live_ami a;
    int err;

    if (!n->ami || !n->control_user || !secret_is_set(&n->control_secret)) {
        buf_addf(&v->notes, "the loaded dialplan cannot be asked for: the node has no control_user\n");
        return 0;
    }
    err = live_ami_ask(&a, n, AMI_MS);
    if (!err && a.is_in) {
        text_copy(v->version, sizeof v->version, text_of(a.version));
        v->version_by = "AMI";
        add_dialplan(v, &a);
        add_users(v, &a);
        if (a.is_late)
            buf_addf(&v->notes, "AMI broke off or took too long: what it had not told by then is not compared\n");
    } else if (!err) {
        buf_addf(&v->notes, "AMI did not let control_user in (%s): the loaded dialplan is not compared\n", a.why);
    }
    live_ami_free(&a);
    return err;
}

/* ---- modules, and the last reload ---- */

/* "2026-11-23T08:54:28.123+0000" */
static bool read_time(const char *text, time_t *out)
{
    struct tm when = { .tm_isdst = 0 };
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &when);
    int hours, minutes;
    char sign;

    if (!end)
        return false;
    while (*end == '.' || (*end >= '0' && *end <= '9'))
        end++;
    if (sscanf(end, "%c%2d%2d", &sign, &hours, &minutes) != 3 || (sign != '+' && sign != '-'))
        return false;
    *out = timegm(&when) - (sign == '+' ? 1 : -1) * (hours * 3600 + minutes * 60);
    return true;
}

static void add_changed(struct buf *out, const char *folder, time_t reloaded)
{
    const struct dirent *e;
    DIR *d = opendir(folder);

    if (!d)
        return;
    buf_add_text(out, TEXT("\n[changed]\n"));
    while ((e = readdir(d))) {
        const struct text name = text_of(e->d_name);
        struct stat st;
        char path[PATH_MAX];

        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if ((text_ends(name, TEXT(".conf")) || text_ends(name, TEXT(".ael"))) && text_is_one_line(name) && text_find(name, ';') < 0 && stat(path, &st) == 0 && st.st_mtime > reloaded)
            buf_addf(out, "file = %s\n", e->d_name);
    }
    closedir(d);
}

static void add_modules(struct buf *out, const struct doctor_asked *a)
{
    struct text rest = buf_text(&a->modules), one;

    buf_add_text(out, TEXT("\n[modules]\n"));
    while (text_cut(&rest, '\n', &one))
        if (one.n && text_is_one_line(one) && text_find(one, ';') < 0)
            buf_addf(out, "module = %.*s\n", TEXT_ARG(one));
}

static int add_ari(struct live_view *v, const struct config_node *n, const char *folder)
{
    static const char *const none[] = { NULL };
    struct config_node ari_only = *n;
    struct doctor_asked asked;
    time_t reloaded;
    int err;

    ari_only.ami_user = ari_only.control_user = NULL;
    err = doctor_ask(&asked, &ari_only, none, ASK_MS);
    if (!err && asked.has_modules)
        add_modules(&v->text, &asked);
    if (!err && read_time(asked.ari.last_reload, &reloaded))
        add_changed(&v->text, folder, reloaded);
    if (!err && !v->version[0] && asked.ari.version[0]) {
        text_copy(v->version, sizeof v->version, text_of(asked.ari.version));
        v->version_by = "ARI";
    }
    doctor_asked_free(&asked);
    return err;
}

static int add_sockets(struct live_view *v, const char *url)
{
    const int err = live_sockets_add(&v->text, url);

    if (err == -EACCES)
        buf_addf(&v->notes, "the process behind its manager port cannot be seen, or is no Asterisk of this machine: where it listens is not looked at\n");
    return err == -ENOMEM ? err : 0;
}

int live_view_collect(struct live_view *out, const struct config_node *n, const char *folder)
{
    size_t begin;
    int err;

    *out = (struct live_view){ 0 };
    buf_init(&out->text, VIEW_MAX);
    buf_init(&out->notes, NOTES_MAX);
    buf_addf(&out->text, "; what node %s told\n", n->head.name);
    begin = out->text.n;
    err = add_ami(out, n);
    if (!err)
        err = add_ari(out, n, folder);
    if (!err && out->text.n == begin)
        err = -EACCES;
    if (!err && n->ami)
        err = add_sockets(out, n->ami);
    return err ? err : out->text.err;
}

void live_view_free(struct live_view *v)
{
    buf_free(&v->text);
    buf_free(&v->notes);
}
