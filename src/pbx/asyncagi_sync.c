/* Finds channels that wait in AsyncAGI without a session, after a start or a lost AMI session, and gives them back to the dialplan. */
#include <errno.h>
#include <stdlib.h>

#include "pbx/asyncagi_parts.h"

enum { SECOND_LOOK_MS = 500 };

void async_strays_free(struct asyncagi *a)
{
    while (a->strays) {
        struct async_stray *s = a->strays;

        LL_DELETE(a->strays, s);
        free(s);
    }
}

/* Needs the class reporting (or system): without it Asterisk tells nobody which channels there are. */
static void on_item(const struct ami_message *m, void *arg)
{
    struct asyncagi *a = arg;
    const struct text channel = ami_get(m, TEXT("Channel")), id = ami_get(m, TEXT("Uniqueid"));
    struct async_stray *s;

    if (!text_starts_nocase(ami_get(m, TEXT("ApplicationData")), TEXT("agi:async")) || channel.n == 0 || id.n == 0 ||
        channel.n > ASYNC_CHANNEL_MAX || id.n > ASYNC_ID_MAX)
        return;
    s = calloc(1, sizeof *s);
    if (!s)
        return;                    /* one call stays where it is; the next connection looks again */
    (void)text_copy(s->channel, sizeof s->channel, channel);
    (void)text_copy(s->id, sizeof s->id, id);
    LL_PREPEND(a->strays, s);
}

/* Those we had served, by name: all that can be done without a list. */
static void take_orphans(struct asyncagi *a)
{
    struct async_entry *e, *next;

    DL_FOREACH_SAFE(a->list, e, next) {
        if (!e->in_table || !e->is_orphan)
            continue;
        e->is_orphan = false;
        a->figures.rescued++;
        async_entry_give_back(e, "ERROR", "restart");
    }
}

static void on_list(int err, const struct ami_message *m, void *arg)
{
    struct asyncagi *a = arg;

    if (err == -EPIPE || err == -ECANCELED)
        return;
    if (err || !ami_succeeded(m)) {
        if (!a->has_told_no_list)
            log_warn(&a->log, "no_channel_list", kv_text("why", err ? text_of(err_text(err)) : ami_get(m, TEXT("Message"))),
                     kv_str("effect", "calls that waited in AsyncAGI when the daemon started stay there; write=agi,reporting mends it"));
        a->has_told_no_list = true;
        async_strays_free(a);
        take_orphans(a);
        return;
    }
    timer_start(a->sync, SECOND_LOOK_MS);
}

void async_sync_start(struct asyncagi *a)
{
    struct ami_writer w;
    int err;

    async_strays_free(a);
    ami_writer_init(&w, AMI_FROM_CLIENT, TEXT("Action"), TEXT("CoreShowChannels"));
    err = ami_send(NULL, a->ami, &w, on_item, on_list, a);
    ami_writer_free(&w);
    if (err)
        log_warn(&a->log, "no_channel_list", kv_err(err));
}

static struct async_stray *stray_find(const struct asyncagi *a, const char *id)
{
    struct async_stray *s;

    LL_FOREACH(a->strays, s)
        if (text_eq(text_of(s->id), text_of(id)))
            return s;
    return NULL;
}

static void check_orphans(struct asyncagi *a)
{
    struct async_entry *e, *next;

    DL_FOREACH_SAFE(a->list, e, next)
        if (e->in_table && e->is_orphan && !stray_find(a, e->id))
            async_entry_end(e, -ECONNRESET, false);
}

/* A channel that entered while the list was made is in the list before its AsyncAGIStart comes: by now it has come. */
void async_sync_on_time(void *arg)
{
    struct asyncagi *a = arg;
    struct async_stray *s;

    check_orphans(a);
    LL_FOREACH(a->strays, s) {
        struct async_entry *e;

        HASH_FIND_STR(a->table, s->id, e);
        if (e)
            continue;              /* served, or an orphan: those come next */
        a->figures.rescued++;
        log_warn(&a->log, "given_back", kv_str("channel", s->channel), kv_str("call", s->id), kv_str("status", "ERROR"),
                 kv_str("reason", "restart"));
        if (async_break(a, NULL, s->channel, s->id, "ERROR", "restart"))
            log_warn(&a->log, "not_given_back", kv_str("channel", s->channel), kv_str("call", s->id));
    }
    take_orphans(a);
    async_strays_free(a);
}
