/* Asks one node what it has loaded, within a time. */
#include "app/live_view.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "app/doctor/asked.h"
#include "net/dialer.h"
#include "pbx/ami_client.h"

enum { ASK_MS = 10000, DIALPLAN_MS = 30000, ITEMS_MAX = 1000000, NAME_MAX_BYTES = 80 };

/* ---- the dialplan ---- */

struct showing {
    struct loop *loop;
    struct ami_client *client;
    struct buf *out;
    char last[NAME_MAX_BYTES];          /* items of one context come together */
    bool is_whole, is_closing;
};

static void leave(struct showing *s)
{
    if (!s->is_closing)
        ami_close(s->client);
    s->is_closing = true;
}

/* Contexts that modules make for themselves (parking, features) are in no file. */
static void on_item(const struct ami_message *m, void *arg)
{
    struct showing *s = arg;
    const struct text context = ami_get(m, TEXT("Context")), registrar = ami_get(m, TEXT("Registrar"));

    if (!text_eq(registrar, TEXT("pbx_config")) || !context.n || context.n >= sizeof s->last || !text_is_one_line(context) ||
        text_find(context, ';') >= 0 || text_eq(context, text_of(s->last)))
        return;
    text_copy(s->last, sizeof s->last, context);
    buf_addf(s->out, "context = %s\n", s->last);
}

static void on_shown(int err, const struct ami_message *m, void *arg)
{
    struct showing *s = arg;

    s->is_whole = !err && ami_succeeded(m);
    leave(s);
}

static void on_up(void *arg)
{
    struct showing *s = arg;
    struct ami_writer w;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("ShowDialPlan"));
    if (ami_send(NULL, s->client, &w, on_item, on_shown, s))
        leave(s);
    ami_writer_free(&w);
}

static void on_down(int err, const char *why, void *arg)
{
    (void)err;
    (void)why;
    leave(arg);
}

static void on_event(const struct ami_message *m, void *arg)
{
    (void)m;
    (void)arg;
}

static void on_closed(void *arg)
{
    loop_stop(((struct showing *)arg)->loop);
}

static void on_time_up(void *arg)
{
    leave(arg);
}

static int show_dialplan(struct buf *out, const struct config_node *n, bool *is_whole)
{
    const struct log_sink sink = { .fd = -1, .level = LOG_OFF };
    const struct log log = { .sink = &sink, .module = "live" };
    const struct dialer_options dialing = { .tls = { .ca_file = n->ca, .pin = n->ami_pin, .insecure = n->insecure } };
    const struct ami_options opt = { .node = n->head.name, .url = n->ami, .user = n->control_user, .secret = secret_reveal(&n->control_secret), .events = "off",
                                     .is_plain = n->ami_plain, .action_ms = DIALPLAN_MS, .list_max = ITEMS_MAX };
    const struct ami_handlers on = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_closed };
    struct showing s = { .out = out };
    struct dialer *dialer = NULL;
    struct timer *time_up = NULL;
    int err = loop_new(&s.loop, &log);

    if (!err)
        err = dialer_new(&dialer, s.loop, &dialing);
    if (!err)
        err = timer_new(&time_up, s.loop, on_time_up, &s);
    if (!err)
        err = ami_open(&s.client, s.loop, dialer, &opt, &on, &s, &log);
    if (!err) {
        timer_start(time_up, DIALPLAN_MS + ASK_MS);
        loop_run(s.loop);
    }
    *is_whole = s.is_whole;
    timer_free(time_up);
    dialer_free(dialer);
    loop_free(s.loop);
    return err;
}

static int add_dialplan(struct buf *out, const struct config_node *n, char *why, size_t size)
{
    const size_t before = out->n;
    bool is_whole = false;
    int err;

    if (!n->ami || !n->control_user || !secret_is_set(&n->control_secret)) {
        snprintf(why, size, "the loaded dialplan cannot be asked for: the node has no control_user");
        return 0;
    }
    buf_add_text(out, TEXT("\n[contexts]\n"));
    err = show_dialplan(out, n, &is_whole);
    if (!err && !is_whole) {
        out->n = before;
        snprintf(why, size, "the loaded dialplan was not told: control_user must be let in and have write = reporting");
    }
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
        if (text_ends(name, TEXT(".conf")) && text_is_one_line(name) && text_find(name, ';') < 0 && stat(path, &st) == 0 && st.st_mtime > reloaded)
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

static int add_rest(struct buf *out, const struct config_node *n, const char *folder)
{
    static const char *const none[] = { NULL };
    struct config_node ari_only = *n;
    struct doctor_asked asked;
    time_t reloaded;
    int err;

    ari_only.ami_user = ari_only.control_user = NULL;
    err = doctor_ask(&asked, &ari_only, none, ASK_MS);
    if (!err && asked.has_modules)
        add_modules(out, &asked);
    if (!err && read_time(asked.ari.last_reload, &reloaded))
        add_changed(out, folder, reloaded);
    doctor_asked_free(&asked);
    return err;
}

int live_view_collect(struct buf *out, const struct config_node *n, const char *folder, char *why, size_t size)
{
    size_t begin;
    int err;

    *why = '\0';
    buf_addf(out, "; what node %s told\n", n->head.name);
    begin = out->n;
    err = add_dialplan(out, n, why, size);
    if (!err)
        err = add_rest(out, n, folder);
    if (!err && out->n == begin)
        err = -EACCES;
    return err ? err : out->err;
}
