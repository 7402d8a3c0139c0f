/* Takes AudioSocket connections whose UUID nobody announced, within limits, and keeps their talks. */
#include "app/open_calls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct open_call {
    struct open_call *prev, *next;
    struct open_calls *home;
    struct call_talk *talk;
    struct uuid id;
    char name[UUID_TEXT + 1];
};

struct open_calls {
    struct audiosocket_door *door;
    struct log log;
    char *agent;
    struct allow_list allow;
    size_t calls_max, count;
    struct call_loop *(*choose)(void *arg);
    void *arg;
    struct open_call *calls;
};

static void drop(struct open_call *c)
{
    DL_DELETE(c->home->calls, c);
    c->home->count--;
    free(c);
}

/* Without ARI nothing can be asked of the channel: not to be hung up, nor where it goes. The dialplan goes on behind AudioSocket(). */
static void on_talk_end(const struct stasis_talk_end *e, void *arg)
{
    struct open_call *c = arg;

    log_info(&c->home->log, "end", kv_str("call", c->name), kv_str("status", e->status), kv_str("reason", e->reason));
    if (e->hang_up || e->after)
        log_warn(&c->home->log, "wish_without_ari", kv_str("call", c->name), kv_str("wish", e->hang_up ? "hang_up" : "transfer"));
    drop(c);
}

static bool is_here(const struct open_calls *o, const struct uuid *id)
{
    const struct open_call *c;

    DL_FOREACH(o->calls, c) {
        if (uuid_equal(&c->id, id))
            return true;
    }
    return false;
}

/* NULL: it may come. */
static const char *refusal(const struct open_calls *o, const struct uuid *id, const char *peer)
{
    struct address from;

    if (address_parse(text_of(peer), &from) || !allow_has(&o->allow, from.host))
        return "nobody expects its UUID, and its host is not on the list of those who may come unannounced";
    if (o->count >= o->calls_max)
        return "nobody expects its UUID, and there are as many unannounced calls as may be";
    return is_here(o, id) ? "its UUID is that of a call that goes on" : NULL;
}

static int begin(struct open_calls *o, int fd, const struct uuid *id)
{
    struct open_call *c = calloc(1, sizeof *c);
    struct stasis_talk_request req = { .agent = text_of(o->agent), .way = { .media = STASIS_AUDIOSOCKET, .fd = fd, .rate_hz = 8000 } };
    int err;

    if (!c)
        return -ENOMEM;
    c->home = o;
    c->id = *id;
    uuid_format(id, c->name);
    req.call = text_of(c->name);
    DL_APPEND(o->calls, c);
    o->count++;
    err = call_loop_talk(&c->talk, o->choose(o->arg), &req, on_talk_end, c);
    if (err) {                     /* fd is closed by now */
        log_error(&o->log, "talk_not_started", kv_str("call", c->name), kv_err(err));
        drop(c);
        return 0;
    }
    log_info(&o->log, "start", kv_str("call", c->name), kv_str("agent", o->agent));
    return 0;
}

static const char *on_stranger(int fd, const struct uuid *id, const char *peer, void *arg)
{
    struct open_calls *o = arg;
    const char *why = refusal(o, id, peer);

    if (!why && begin(o, fd, id))
        why = "no memory for an unannounced call";
    return why;
}

size_t open_calls_count(const struct open_calls *o)
{
    return o ? o->count : 0;
}

void open_calls_free(struct open_calls *o)
{
    struct open_call *c, *next;

    if (!o)
        return;
    door_welcome(o->door, NULL, NULL);
    DL_FOREACH_SAFE(o->calls, c, next) {
        call_loop_talk_stop(c->talk);
        drop(c);
    }
    free(o->agent);
    free(o);
}

int open_calls_new(struct open_calls **out, struct audiosocket_door *door, const struct open_calls_options *opt)
{
    struct open_calls *o = calloc(1, sizeof *o);

    if (!o)
        return -ENOMEM;
    *o = (struct open_calls){ .door = door, .log = log_for(opt->log, "open_calls"), .agent = text_dup(text_of(opt->agent)), .allow = *opt->allow,
                              .calls_max = opt->calls_max, .choose = opt->choose, .arg = opt->arg };
    if (!o->agent) {
        free(o);
        return -ENOMEM;
    }
    door_welcome(door, on_stranger, o);
    *out = o;
    return 0;
}
