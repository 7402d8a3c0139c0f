/* Asks for calls that are offered, and keeps a place for each until it has begun.
 *
 * The application that a claim names is not checked by Asterisk (seen on 22.10.1): a claim in the name of one that is not there takes the
 * call from everybody. So only what our own connection told is claimed, in the name that it bore. */
#include "call/stasis_claim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/buf.h"

enum { CLAIMS_MAX = 100, PATH_BYTES = 2000 };

struct claim {
    struct claim *prev, *next;
    struct stasis_claims *home;
    char *channel;
    struct ari_request *request;
    struct timer *late;            /* won, but it does not begin */
};

struct stasis_claims {
    const struct stasis_ground *ground;
    struct claim *list;
    size_t count;
};

size_t stasis_claims_count(const struct stasis_claims *m)
{
    return m->count;
}

static void claim_free(struct claim *x)
{
    ari_forget(x->request);
    timer_free(x->late);
    free(x->channel);
    free(x);
}

static void claim_end(struct claim *x)
{
    DL_DELETE(x->home->list, x);
    x->home->count--;
    claim_free(x);
}

static void on_late(void *arg)
{
    struct claim *x = arg;

    log_warn(&x->home->ground->log, "claim_unanswered", kv_str("call", x->channel));
    claim_end(x);
}

static void on_answer(int err, int status, struct text body, void *arg)
{
    struct claim *x = arg;
    char why[160] = "";

    x->request = NULL;
    if (!err && status < 300) {
        log_info(&x->home->ground->log, "claimed", kv_str("call", x->channel));
        return;                    /* StasisStart follows; until then the place is kept */
    }
    if (!err)
        ari_error_text(body, why, sizeof why);
    if (!err && (status == 404 || status == 409))
        log_debug(&x->home->ground->log, "claim_missed", kv_str("call", x->channel), kv_int("http", status));
    else
        log_warn(&x->home->ground->log, "claim_failed", kv_str("call", x->channel), kv_int("http", status), kv_str("why", err ? err_text(err) : why));
    claim_end(x);
}

static int ask(struct claim *x)
{
    const struct stasis_ground *g = x->home->ground;
    struct buf path;
    int err;

    buf_init(&path, PATH_BYTES);
    buf_add_text(&path, TEXT("events/claim?channelId="));
    buf_add_url(&path, text_of(x->channel));
    buf_add_text(&path, TEXT("&application="));
    buf_add_url(&path, text_of(g->app));
    err = buf_cstr(&path) ? ari_send(&x->request, g->ari, "POST", path.p, TEXT_NONE, on_answer, x) : -ENOMEM;
    buf_free(&path);
    return err;
}

static int claim_new(struct claim **out, struct stasis_claims *m, struct text channel)
{
    struct claim *x = calloc(1, sizeof *x);
    int err = -ENOMEM;

    if (!x)
        return err;
    x->home = m;
    x->channel = text_dup(channel);
    if (x->channel)
        err = timer_new(&x->late, m->ground->loop, on_late, x);
    if (!err)
        err = ask(x);
    if (err) {
        claim_free(x);
        return err;
    }
    *out = x;
    return 0;
}

void stasis_claims_want(struct stasis_claims *m, struct text channel)
{
    struct claim *x;
    const int err = m->count < CLAIMS_MAX ? claim_new(&x, m, channel) : -ENOBUFS;

    if (err) {
        log_warn(&m->ground->log, "claim_not_sent", kv_text("call", channel), kv_err(err));
        return;
    }
    DL_APPEND(m->list, x);
    m->count++;
    timer_start(x->late, 2 * m->ground->step_ms);
}

void stasis_claims_begun(struct stasis_claims *m, struct text channel)
{
    struct claim *x, *next;

    DL_FOREACH_SAFE(m->list, x, next) {
        if (text_eq(text_of(x->channel), channel))
            claim_end(x);
    }
}

int stasis_claims_new(struct stasis_claims **out, const struct stasis_ground *g)
{
    struct stasis_claims *m = calloc(1, sizeof *m);

    if (!m)
        return -ENOMEM;
    m->ground = g;
    *out = m;
    return 0;
}

void stasis_claims_free(struct stasis_claims *m)
{
    if (!m)
        return;
    while (m->list)
        claim_end(m->list);
    free(m);
}
