/* The port of the stand-in for a Realtime service. */
#include "sim/openai_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/ref.h"
#include "sim/openai_inner.h"

static const char *const faults[] = {
    "none", "401", "429", "quota", "500", "slow", "stall", "close", "lost", "half-open", "burst", "garbage", "drift", "alien", "error", "failed",
    "no-money", "expired",
}; /* order of enum sim_fault */

static const char usual_script[] =
    "say Hello, this is the stand in for a voice model. How can I help you?\n"
    "say I heard you well. I am a recording, and I have nothing else to tell, but I can go on for a while if you like to interrupt me.\n";

enum sim_fault sim_fault_parse(struct text name, bool *ok)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        if (text_eq(name, text_of(faults[i]))) {
            *ok = true;
            return (enum sim_fault)i;
        }
    }
    *ok = false;
    return SIM_FAULT_NONE;
}

const char *sim_fault_name(size_t i)
{
    return i < sizeof faults / sizeof *faults ? faults[i] : NULL;
}

static void on_accept(struct stream *stream, void *arg)
{
    if (sim_session_open(arg, stream))
        return;                    /* it dropped the stream, which ends it */
}

int openai_server_open(struct openai_server **out, struct loop *l, const struct address *at, const struct openai_server_options *opt,
                       openai_server_on_moment *on_moment, void *arg, char **problem)
{
    const struct listener_options lo = { .max_streams = SIM_SESSIONS_MAX, .stream = { .queue_max = 1024 * 1024 } };
    struct openai_server *s = calloc(1, sizeof *s);
    int err;

    if (!s)
        return -ENOMEM;
    s->loop = l;
    s->opt = *opt;
    s->on_moment = on_moment;
    s->arg = arg;
    s->key = opt->key ? strdup(opt->key) : NULL;
    err = opt->key && !s->key ? -ENOMEM : 0;
    if (!err)
        err = openai_script_load(&s->script, opt->script_name ? opt->script_name : "script", opt->script.p ? opt->script : text_of(usual_script),
                                 opt->voice ? opt->voice : "slt", problem);
    if (!err && s->script.answer_count == 0)
        err = -EINVAL;
    if (!err)
        err = listener_open(&s->listener, l, at, &lo, on_accept, s);
    if (err) {
        openai_server_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void openai_server_address(const struct openai_server *s, struct address *out)
{
    listener_address(s->listener, out);
}

void openai_server_close(struct openai_server *s)
{
    if (!s)
        return;
    listener_close(s->listener);
    while (s->first)
        sim_session_end(s->first);
    openai_script_free(&s->script);
    free(s->key);
    free(s);
}
