/* Asks one node over all its ways in at once, within one time. */
#include "app/doctor/asked.h"

#include <errno.h>
#include <string.h>

#include "app/doctor/asking.h"

enum { LIST_MAX = 1 << 20 };

bool doctor_list_has(const struct buf *list, const char *name)
{
    struct text rest = buf_text(list), one;

    while (text_cut(&rest, '\n', &one))
        if (one.n && text_eq(one, text_of(name)))
            return true;
    return false;
}

void doctor_list_add(struct buf *list, struct text name)
{
    if (!list->max)
        buf_init(list, LIST_MAX);
    buf_add_text(list, name);
    buf_add_char(list, '\n');
}

enum doctor_known doctor_has_module(const struct doctor_asked *a, const char *module)
{
    if (doctor_list_has(&a->modules, module))
        return DOCTOR_YES;
    return a->has_modules || doctor_list_has(&a->asked_modules, module) ? DOCTOR_NO : DOCTOR_UNKNOWN;
}

void asking_over(struct asking *a)
{
    if (--a->open == 0)
        loop_stop(a->loop);
}

static void on_time_up(void *arg)
{
    struct asking *a = arg;

    a->out->is_late = true;
    for (int i = 0; i < DOCTOR_LOGINS; i++)
        asking_ami_end(&a->ami[i]);
    asking_ari_end(a);
}

static int begin(struct asking *a)
{
    const struct config_node *n = a->out->node;
    int err = 0;

    if (n->ari && secret_is_set(&n->ari_secret))
        err = asking_ari_begin(a);
    if (!err && n->ami && n->ami_user && secret_is_set(&n->ami_secret))
        err = asking_ami_begin(a, &a->ami[DOCTOR_TAP], n->ami_user, secret_reveal(&n->ami_secret));
    if (!err && n->ami && n->control_user && secret_is_set(&n->control_secret))
        err = asking_ami_begin(a, &a->ami[DOCTOR_CONTROL], n->control_user, secret_reveal(&n->control_secret));
    return err;
}

static void prepare(struct doctor_asked *out, const struct config_node *n)
{
    *out = (struct doctor_asked){ .node = n, .ari = { .is_configured = n->ari != NULL } };
    out->ami[DOCTOR_TAP] = (struct doctor_ami){ .user = n->ami ? n->ami_user : NULL, .user_key = "ami_user", .secret_key = "ami_secret" };
    out->ami[DOCTOR_CONTROL] =
        (struct doctor_ami){ .user = n->ami ? n->control_user : NULL, .user_key = "control_user", .secret_key = "control_secret" };
}

int doctor_ask(struct doctor_asked *out, const struct config_node *node, const char *const *modules, int64_t limit_ms)
{
    const struct log_sink sink = { .fd = -1, .level = LOG_OFF };
    const struct log log = { .sink = &sink, .module = "doctor" };
    const struct dialer_options dialing = { .tls = { .ca_file = node->ca, .insecure = node->insecure } };
    const struct dialer_options to_ami = { .tls = { .ca_file = node->ca, .pin = node->ami_pin, .insecure = node->insecure } };
    struct asking a = { .out = out, .log = &log, .modules = modules };
    int err;

    prepare(out, node);
    for (int i = 0; i < DOCTOR_LOGINS; i++)
        a.ami[i].out = &out->ami[i];
    err = loop_new(&a.loop, &log);
    if (!err)
        err = dialer_new(&a.dialer, a.loop, &dialing);
    if (!err)
        err = dialer_new(&a.ami_dialer, a.loop, &to_ami);
    if (!err)
        err = timer_new(&a.time_up, a.loop, on_time_up, &a);
    if (!err)
        timer_start(a.time_up, limit_ms);
    if (!err)
        err = begin(&a);
    if (err)
        on_time_up(&a);
    if (a.open)
        loop_run(a.loop);
    timer_free(a.time_up);
    dialer_free(a.dialer);
    dialer_free(a.ami_dialer);
    loop_free(a.loop);
    return err;
}

void doctor_asked_free(struct doctor_asked *a)
{
    for (int i = 0; i < DOCTOR_LOGINS; i++) {
        buf_free(&a->ami[i].actions);
        buf_free(&a->ami[i].rights);
    }
    buf_free(&a->modules);
    buf_free(&a->asked_modules);
}
