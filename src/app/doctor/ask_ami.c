/* Logs in to the manager as one user and asks what that user may ask. */
#include "app/doctor/asking.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

enum { PINGS = 3, LOGIN_MS = 4000, ACTION_MS = 3000 };

static void leave(struct asking_ami *s)
{
    if (s->is_closing)
        return;
    s->is_closing = true;
    ami_close(s->client);
}

static void answered(struct asking_ami *s)
{
    if (--s->waiting == 0)
        leave(s);
}

static void send(struct asking_ami *s, const char *action, const char *header, const char *value, ami_on_answer *on_answer)
{
    struct ami_writer w;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), text_of(action));
    if (header)
        ami_write(&w, text_of(header), text_of(value));
    if (ami_send(NULL, s->client, &w, NULL, on_answer, s) == 0)
        s->waiting++;
    ami_writer_free(&w);
}

/* "Priv: originate,all)" at the end of an action's sentence: all of them are classes that it may be sent with. */
static void note_classes(struct doctor_ami *d, struct text sentence)
{
    const ptrdiff_t at = text_find_text(sentence, TEXT("(Priv: "));
    struct text rest, one;

    if (at < 0)
        return;
    rest = text_skip(sentence, (size_t)at + 7);
    if (rest.n && rest.p[rest.n - 1] == ')')
        rest.n--;
    while (text_cut(&rest, ',', &one))
        doctor_list_add(&d->rights, one);
}

static void on_commands(int err, const struct ami_message *m, void *arg)
{
    struct asking_ami *s = arg;
    struct text name, value;

    for (size_t i = 1; !err && ami_succeeded(m) && ami_at(m, i, &name, &value); i++) {
        s->out->has_actions = true;
        doctor_list_add(&s->out->actions, name);
        note_classes(s->out, value);
    }
    answered(s);
}

static void on_settings(int err, const struct ami_message *m, void *arg)
{
    struct asking_ami *s = arg;

    if (!err && ami_succeeded(m)) {
        text_copy(s->out->version, sizeof s->out->version, ami_get(m, TEXT("AsteriskVersion")));
        text_copy(s->out->system_name, sizeof s->out->system_name, ami_get(m, TEXT("SystemName")));
    }
    answered(s);
}

/* ---- modules, one after another: the first refusal is one for all ---- */

static void ask_module(struct asking_ami *s);

static void on_module(int err, const struct ami_message *m, void *arg)
{
    struct asking_ami *s = arg;
    struct doctor_asked *out = s->home->out;

    if (!err && text_find_text(ami_get(m, TEXT("Message")), TEXT("ermission denied")) < 0) {
        doctor_list_add(&out->asked_modules, text_of(s->home->modules[s->module]));
        if (ami_succeeded(m))
            doctor_list_add(&out->modules, text_of(s->home->modules[s->module]));
        s->module++;
        ask_module(s);
    }
    answered(s);
}

static void ask_module(struct asking_ami *s)
{
    if (s->home->modules[s->module] && !s->home->out->has_modules)
        send(s, "ModuleCheck", "Module", s->home->modules[s->module], on_module);
}

/* ---- the clock: the quickest of a few pings has the smallest doubt ---- */

static void ping(struct asking_ami *s);

/* "1795375003.185978" */
static bool read_stamp(struct text t, int64_t *us)
{
    struct text whole;
    int64_t seconds, fraction;

    if (!text_cut(&t, '.', &whole) || t.n != 6 || text_to_i64(whole, &seconds) || text_to_i64(t, &fraction) || seconds < 0 ||
        seconds > INT64_MAX / 2000000)
        return false;
    *us = seconds * 1000000 + fraction;
    return true;
}

static void on_pong(int err, const struct ami_message *m, void *arg)
{
    struct asking_ami *s = arg;
    const int64_t took = clock_mono_us() - s->ping_us;
    int64_t theirs;

    if (!err && read_stamp(ami_get(m, TEXT("Timestamp")), &theirs)) {
        if (!s->out->has_clock || took / 2 < s->out->doubt_us) {
            s->out->ahead_us = theirs - (s->ping_wall_us + took / 2);
            s->out->doubt_us = took / 2;
        }
        s->out->has_clock = true;
        if (s->pings < PINGS)
            ping(s);
    }
    answered(s);
}

static void ping(struct asking_ami *s)
{
    s->pings++;
    s->ping_us = clock_mono_us();
    s->ping_wall_us = clock_wall_us();
    send(s, "Ping", NULL, NULL, on_pong);
}

/* ---- the session ---- */

static void on_up(void *arg)
{
    struct asking_ami *s = arg;

    if (s->is_closing || s->out->is_in)
        return;
    s->out->is_in = true;
    s->out->err = 0;
    send(s, "ListCommands", NULL, NULL, on_commands);
    send(s, "CoreSettings", NULL, NULL, on_settings);
    ping(s);
    ask_module(s);
    if (s->waiting == 0)
        leave(s);
}

static void on_down(int err, const char *why, void *arg)
{
    struct asking_ami *s = arg;

    if (s->is_closing)
        return;
    if (!s->out->is_in) {
        s->out->err = err;
        text_copy(s->out->why, sizeof s->out->why, text_of(why ? why : ""));
    }
    leave(s);
}

/* FullyBooted is written to the one session that logs in, and carries no time stamp at all (seen). */
static void on_event(const struct ami_message *m, void *arg)
{
    struct asking_ami *s = arg;

    if (m->kind != AMI_EVENT)
        return;
    if (text_eq(m->name, TEXT("FullyBooted")))
        s->out->saw_booted = true;
    else if (s->out->stamps == DOCTOR_UNKNOWN)
        s->out->stamps = ami_get(m, TEXT("Timestamp")).p ? DOCTOR_YES : DOCTOR_NO;
}

static void on_closed(void *arg)
{
    struct asking_ami *s = arg;

    s->client = NULL;
    asking_over(s->home);
}

int asking_ami_begin(struct asking *a, struct asking_ami *s, const char *user, const char *secret)
{
    const struct config_node *n = a->out->node;
    const struct ami_options opt = { .node = n->head.name, .url = n->ami, .user = user, .secret = secret, .events = "on",
                                     .is_plain = n->ami_plain, .login_ms = LOGIN_MS, .action_ms = ACTION_MS };
    const struct ami_handlers on = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_closed };
    int err;

    s->home = a;
    err = ami_open(&s->client, a->loop, a->ami_dialer, &opt, &on, s, a->log);
    if (!err)
        a->open++;
    return err;
}

void asking_ami_end(struct asking_ami *s)
{
    if (!s->client || s->is_closing)
        return;
    if (!s->out->is_in && !s->out->err)
        s->out->err = -ETIMEDOUT;
    leave(s);
}
