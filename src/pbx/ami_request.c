/* Matches the answers of one AMI session to the actions that asked, each with a deadline. */
#include "pbx/ami_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

bool ami_succeeded(const struct ami_message *m)
{
    return m->kind == AMI_EVENT || (m->kind == AMI_RESPONSE && text_eq(m->name, TEXT("Success")));
}

static void arm(struct ami_client *c)
{
    if (c->requests)
        timer_start(c->deadline, c->requests->until_ms - loop_now_ms(c->loop));
    else
        timer_stop(c->deadline);
}

/* The request is gone before its handler runs. */
static void request_end(struct ami_request *r, int err, const struct ami_message *m)
{
    struct ami_client *c = r->client;
    ami_on_answer *const on_answer = r->on_answer;
    void *const arg = r->arg;

    DL_DELETE(c->requests, r);
    c->figures.outstanding--;
    free(r);
    arm(c);
    if (on_answer)
        on_answer(err, m, arg);
}

static int send_parts(struct ami_client *c, struct ami_writer *w, uint64_t number)
{
    char id[AMI_PREFIX_MAX + 24];
    struct text message;
    int err;

    snprintf(id, sizeof id, "%s%" PRIu64, c->prefix, number);
    ami_write(w, TEXT("ActionID"), text_of(id));
    err = ami_writer_finish(w, &message);
    return err ? err : stream_send_text(c->stream, message);
}

int ami_request_send(struct ami_request **out, struct ami_client *c, struct ami_writer *w, ami_on_item *on_item,
                     ami_on_answer *on_answer, void *arg, bool has_priority)
{
    struct ami_request *r;
    int err;

    if (!has_priority && c->figures.outstanding >= c->actions_max)
        return -ENOBUFS;
    r = calloc(1, sizeof *r);
    if (!r)
        return -ENOMEM;
    *r = (struct ami_request){ .client = c, .number = ++c->numbers, .until_ms = loop_now_ms(c->loop) + c->action_ms,
                               .is_list = on_item, .on_item = on_item, .on_answer = on_answer, .arg = arg };
    err = send_parts(c, w, r->number);
    if (err) {
        free(r);
        return err;
    }
    DL_APPEND(c->requests, r);
    c->figures.outstanding++;
    if (c->requests == r)
        arm(c);
    if (out)
        *out = r;
    return 0;
}

int ami_send(struct ami_request **out, struct ami_client *c, struct ami_writer *w, ami_on_item *on_item,
             ami_on_answer *on_answer, void *arg)
{
    return c->state == AMI_UP ? ami_request_send(out, c, w, on_item, on_answer, arg, false) : -EPIPE;
}

void ami_forget(struct ami_request *r)
{
    if (!r)
        return;
    r->on_answer = NULL;
    r->on_item = NULL;
}

static struct ami_request *find(const struct ami_client *c, struct text id)
{
    const struct text prefix = text_of(c->prefix);
    struct ami_request *r;
    int64_t number;

    if (prefix.n == 0 || !text_starts(id, prefix) || text_to_i64(text_skip(id, prefix.n), &number))
        return NULL;
    DL_FOREACH(c->requests, r)
        if (r->number == (uint64_t)number)
            return r;
    return NULL;
}

static void take_item(struct ami_request *r, const struct ami_message *m)
{
    const struct text list = ami_get(m, TEXT("EventList"));

    if (text_eq_nocase(list, TEXT("Complete"))) {
        request_end(r, 0, m);
    } else if (text_eq_nocase(list, TEXT("cancelled"))) {
        request_end(r, -ECANCELED, NULL);
    } else if (++r->items > r->client->list_max) {
        request_end(r, -EMSGSIZE, NULL); /* what still comes is a stray */
    } else if (r->on_item) {
        r->on_item(m, r->arg);
    }
}

bool ami_request_take(struct ami_client *c, const struct ami_message *m)
{
    const struct text id = ami_get(m, TEXT("ActionID"));
    struct ami_request *r = id.n ? find(c, id) : NULL;

    if (!r) {
        if (m->kind == AMI_EVENT && (id.n == 0 || c->prefix[0] == '\0' || !text_starts(id, text_of(c->prefix))))
            return false;
        if (m->kind == AMI_EVENT && ami_get(m, TEXT("Privilege")).p)
            return false;          /* OriginateResponse, UserEvent: told to all, with our ActionID */
        if (m->kind == AMI_FORGED)
            return false;
        c->figures.strays++;
        return true;
    }
    if (m->kind == AMI_RESPONSE) {
        r->has_begun = r->is_list && ami_succeeded(m) && text_eq_nocase(ami_get(m, TEXT("EventList")), TEXT("start"));
        if (!r->has_begun)
            request_end(r, 0, m);
        return true;
    }
    if (m->kind != AMI_EVENT || !r->has_begun)
        return false;
    take_item(r, m);
    return true;
}

void ami_requests_end(struct ami_client *c, int err)
{
    while (c->requests)
        request_end(c->requests, err, NULL);
}

void ami_requests_on_time(void *arg)
{
    struct ami_client *c = ref_hold(arg);

    while (c->requests && c->requests->until_ms <= loop_now_ms(c->loop)) {
        c->figures.timeouts++;
        request_end(c->requests, -ETIMEDOUT, NULL);
    }
    arm(c);
    ref_drop(c);
}
