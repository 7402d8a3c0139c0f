/* Asks one node over AMI, one question after another. */
#include "app/live_ami.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/live_cli.h"
#include "audit/live.h"
#include "net/dialer.h"
#include "pbx/ami_client.h"

enum {
    LIST_MS = 30000,            /* of one answer: 100,000 steps take Asterisk seconds */
    ITEMS_MAX = 1000000,
    STEPS_BYTES = 12 << 20,
    CONTEXTS_BYTES = 8 << 20,
    NAMES_BYTES = 2 << 20,
    NAME_BYTES = 256,
    USERS_ASKED_MAX = 200
};

static const char *const commands[LIVE_OUTPUTS] = { [LIVE_SETTINGS] = "manager show settings",
                                                    [LIVE_HTTP] = "http show status",
                                                    [LIVE_TRANSPORTS] = "pjsip show transports",
                                                    [LIVE_USERS] = "manager show users" };

struct asking {
    struct live_ami *out;
    struct loop *loop;
    struct ami_client *client;
    bool may_show, may_settings, is_closing, was_up;
    unsigned output;            /* the command under way */
    char context[NAME_BYTES], other[NAME_BYTES], extension[NAME_BYTES]; /* of pbx_config; of another registrar. Items of one context come together */
    struct buf names;           /* of users */
    struct text names_left;     /* of them, not yet asked */
    size_t users_asked;
};

static void leave(struct asking *s)
{
    if (!s->is_closing)
        ami_close(s->client);
    s->is_closing = true;
}

/* The connection broke, or the answer took too long. */
static void break_off(struct asking *s)
{
    s->out->is_late = true;
    leave(s);
}

static void send(struct asking *s, const char *action, const char *header, const char *value, ami_on_item *on_item, ami_on_answer *on_answer)
{
    struct ami_writer w;

    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), text_of(action));
    if (header)
        ami_write(&w, text_of(header), text_of(value));
    if (ami_send(NULL, s->client, &w, on_item, on_answer, s))
        break_off(s);
    ami_writer_free(&w);
}

/* ---- users: the list, then the rights of each ---- */

static void ask_user(struct asking *s);

static struct text output_of(const struct ami_message *m, struct buf *b)
{
    struct text line;
    size_t i = 0;

    while (ami_next_of(m, TEXT("Output"), &i, &line)) {
        buf_add_text(b, line);
        buf_add_char(b, '\n');
    }
    return b->err ? TEXT_NONE : buf_text(b);
}

static void on_user(int err, const struct ami_message *m, void *arg)
{
    struct asking *s = arg;
    struct buf b;

    buf_init(&b, 64 * 1024);
    if (err || !ami_succeeded(m) || m->is_cut || !live_cli_user(&s->out->users, output_of(m, &b)))
        s->out->unasked++;
    buf_free(&b);
    if (err)
        break_off(s);
    else
        ask_user(s);
}

static void ask_user(struct asking *s)
{
    char command[NAME_BYTES];
    struct text name;

    while (text_cut(&s->names_left, '\n', &name)) {
        if (!name.n || !live_is_plain(name))
            continue;
        buf_addf(&s->out->users, "user = %.*s\n", TEXT_ARG(name));
        if (live_cli_is_plain(name) && s->users_asked < USERS_ASKED_MAX) {
            s->users_asked++;
            snprintf(command, sizeof command, "manager show user %.*s", TEXT_ARG(name));
            send(s, "Command", "Command", command, NULL, on_user);
            return;
        }
        s->out->unasked++;
    }
    s->out->has_users = !s->out->users.err;
    leave(s);
}

/* ---- the console's words ---- */

static void ask_output(struct asking *s);

static void on_output(int err, const struct ami_message *m, void *arg)
{
    struct asking *s = arg;
    struct buf *b = &s->out->outputs[s->output];

    if (err) {
        break_off(s);
        return;
    }
    s->out->has_output[s->output] = ami_succeeded(m) && !m->is_cut && output_of(m, b).p;
    s->output++;
    ask_output(s);
}

static void ask_output(struct asking *s)
{
    if (s->output < LIVE_OUTPUTS) {
        send(s, "Command", "Command", commands[s->output], NULL, on_output);
    } else if (s->out->has_output[LIVE_USERS] && live_cli_users(&s->names, buf_text(&s->out->outputs[LIVE_USERS])) && !s->names.err) {
        s->names_left = buf_text(&s->names);
        ask_user(s);
    } else {
        leave(s);
    }
}

/* ---- the dialplan ---- */

static void note_context(struct asking *s, struct text context)
{
    if (text_eq(context, text_of(s->context)))
        return;
    text_copy(s->context, sizeof s->context, context);
    s->extension[0] = '\0';
    buf_addf(&s->out->contexts, "context = %s\n", s->context);
    buf_addf(&s->out->steps, "context = %s\n", s->context);
}

static void note_other(struct asking *s, struct text context)
{
    if (text_eq(context, text_of(s->other)))
        return;
    text_copy(s->other, sizeof s->other, context);
    buf_addf(&s->out->contexts, "other = %s\n", s->other);
}

static void note_step(struct asking *s, const struct ami_message *m)
{
    const struct text name = ami_get(m, TEXT("Extension")), app = ami_get(m, TEXT("Application"));
    int64_t priority;

    if (!name.n || name.n >= sizeof s->extension || !live_is_plain(name) || text_to_i64(ami_get(m, TEXT("Priority")), &priority) || priority < 1)
        return; /* an include, a hint */
    if (!text_eq(name, text_of(s->extension))) {
        text_copy(s->extension, sizeof s->extension, name);
        buf_addf(&s->out->steps, "extension = %s\n", s->extension);
    }
    buf_addf(&s->out->steps, "step = %" PRId64 " %016" PRIx64 " %.*s\n", priority, live_step_mark(app, ami_get(m, TEXT("AppData"))),
             TEXT_ARG(live_app_word(app)));
}

/* Contexts that modules make for themselves (parking, features) are in no file. */
static void on_item(const struct ami_message *m, void *arg)
{
    struct asking *s = arg;
    const struct text context = ami_get(m, TEXT("Context")), registrar = ami_get(m, TEXT("Registrar"));

    if (!context.n || context.n >= sizeof s->context || !live_is_plain(context))
        return;
    if (text_eq(registrar, TEXT("pbx_config"))) {
        note_context(s, context);
        note_step(s, m);
    } else if (text_eq(registrar, TEXT("pbx_ael")) || text_eq(registrar, TEXT("pbx_lua"))) {
        note_other(s, context);
    }
}

static void on_shown(int err, const struct ami_message *m, void *arg)
{
    struct asking *s = arg;

    s->out->has_dialplan = !err && ami_succeeded(m) && !s->out->contexts.err;
    s->out->has_steps = s->out->has_dialplan && !s->out->steps.err;
    if (err)
        break_off(s);
    else if (s->out->may_command)
        ask_output(s);
    else
        leave(s);
}

/* ---- what may be asked, and the version ---- */

static void ask_dialplan(struct asking *s)
{
    if (s->may_show)
        send(s, "ShowDialPlan", NULL, NULL, on_item, on_shown);
    else if (s->out->may_command)
        ask_output(s);
    else
        leave(s);
}

static void on_settings(int err, const struct ami_message *m, void *arg)
{
    struct asking *s = arg;

    if (!err && ami_succeeded(m))
        text_copy(s->out->version, sizeof s->out->version, ami_get(m, TEXT("AsteriskVersion")));
    if (err)
        break_off(s);
    else
        ask_dialplan(s);
}

/* It lists what this user may send: nothing is tried that would be refused, and reported as an intrusion. */
static void on_commands(int err, const struct ami_message *m, void *arg)
{
    struct asking *s = arg;

    if (err || !ami_succeeded(m)) {
        s->out->is_late = err != 0;
        leave(s);
        return;
    }
    s->out->has_rights = true;
    s->may_show = ami_get(m, TEXT("ShowDialPlan")).p;
    s->may_settings = ami_get(m, TEXT("CoreSettings")).p;
    s->out->may_command = ami_get(m, TEXT("Command")).p;
    if (s->may_settings)
        send(s, "CoreSettings", NULL, NULL, NULL, on_settings);
    else
        ask_dialplan(s);
}

/* ---- the session ---- */

static void on_up(void *arg)
{
    struct asking *s = arg;

    if (s->is_closing || s->was_up)
        return;
    s->was_up = s->out->is_in = true;
    send(s, "ListCommands", NULL, NULL, NULL, on_commands);
}

static void on_down(int err, const char *why, void *arg)
{
    struct asking *s = arg;

    if (!s->is_closing && !s->was_up)
        snprintf(s->out->why, sizeof s->out->why, "%s", why && *why ? why : err_text(err));
    s->out->is_late |= s->was_up && !s->is_closing;
    leave(s);
}

static void on_event(const struct ami_message *m, void *arg)
{
    (void)m;
    (void)arg;
}

static void on_closed(void *arg)
{
    loop_stop(((struct asking *)arg)->loop);
}

static void on_time_up(void *arg)
{
    struct asking *s = arg;

    s->out->is_late |= !s->is_closing;
    if (!s->was_up && !s->out->why[0])
        snprintf(s->out->why, sizeof s->out->why, "it did not answer in time");
    leave(s);
}

static void prepare(struct live_ami *out)
{
    *out = (struct live_ami){ 0 };
    buf_init(&out->contexts, CONTEXTS_BYTES);
    buf_init(&out->steps, STEPS_BYTES);
    buf_init(&out->users, NAMES_BYTES);
    for (size_t i = 0; i < LIVE_OUTPUTS; i++)
        buf_init(&out->outputs[i], NAMES_BYTES);
}

int live_ami_ask(struct live_ami *out, const struct config_node *n, int64_t limit_ms)
{
    const struct log_sink sink = { .fd = -1, .level = LOG_OFF };
    const struct log log = { .sink = &sink, .module = "live" };
    const struct dialer_options dialing = { .tls = { .ca_file = n->ca, .pin = n->ami_pin, .insecure = n->insecure } };
    const struct ami_options opt = { .node = n->head.name, .url = n->ami, .user = n->control_user, .secret = secret_reveal(&n->control_secret), .events = "off",
                                     .is_plain = n->ami_plain, .action_ms = LIST_MS, .list_max = ITEMS_MAX };
    const struct ami_handlers on = { .on_up = on_up, .on_down = on_down, .on_event = on_event, .on_closed = on_closed };
    struct asking s = { .out = out };
    struct dialer *dialer = NULL;
    struct timer *time_up = NULL;
    int err;

    prepare(out);
    buf_init(&s.names, NAMES_BYTES);
    err = loop_new(&s.loop, &log);
    if (!err)
        err = dialer_new(&dialer, s.loop, &dialing);
    if (!err)
        err = timer_new(&time_up, s.loop, on_time_up, &s);
    if (!err)
        err = ami_open(&s.client, s.loop, dialer, &opt, &on, &s, &log);
    if (!err) {
        timer_start(time_up, limit_ms);
        loop_run(s.loop);
    }
    buf_free(&s.names);
    timer_free(time_up);
    dialer_free(dialer);
    loop_free(s.loop);
    return err;
}

void live_ami_free(struct live_ami *a)
{
    buf_free(&a->contexts);
    buf_free(&a->steps);
    buf_free(&a->users);
    for (size_t i = 0; i < LIVE_OUTPUTS; i++)
        buf_free(&a->outputs[i]);
}
