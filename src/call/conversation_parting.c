/* A talk that a built-in tool ends or gives to another agent: not before the last words have been heard.
 *
 *   asked --the provider has last words--> on_wish --> awaiting silence --> gone
 *      +------------- it has none ---------------------^        WISH_MS at most */
#include <errno.h>

#include "call/conversation_internal.h"

/* Nobody speaks any more: the other agent takes over, or the call goes back with an error. */
static void hand_over(struct conversation *c)
{
    const struct talk_parting to = c->parting;
    const int err = c->tools->switch_agent(c->tools->arg, text_of(to.agent));

    timer_stop(c->farewell);
    c->parting = (struct talk_parting){ .is_set = false };
    TIMELINE(c->timeline, talk_call(c), "agent.switch", kv_str("agent", to.agent), kv_str("outcome", err ? err_text(err) : "ok"));
    if (err)
        talk_end(c, TALK_ERROR, TEXT("switch_failed"));
}

void talk_parting_go(struct conversation *c)
{
    if (c->parting.agent[0])
        voice_await_silence(c->voice);
    else
        talk_wish(c, c->parting.how, text_of(c->parting.reason));
}

void talk_parting_silent(struct conversation *c)
{
    if (c->parting.is_set && c->parting.agent[0])
        hand_over(c);
}

void talk_parting_late(struct conversation *c)
{
    if (c->parting.agent[0])
        hand_over(c);
    else
        talk_end(c, c->parting.how, text_of(c->parting.reason));
}

static int part(struct conversation *c, struct party *p, uint32_t id, const struct talk_parting *how)
{
    if (c->state != TALK_TALKING || c->parting.is_set)
        return -EALREADY;
    c->parting = *how;
    c->parting.is_set = true;
    timer_start(c->farewell, TALK_WISH_MS);
    if (!provider_farewell(p->provider, id))
        talk_parting_go(c);
    return 0;
}

int talk_part_for_good(struct conversation *c, struct party *p, uint32_t id, enum builtin how, struct text reason)
{
    struct talk_parting parting = { .how = how == BUILTIN_HANG_UP ? TALK_HANG_UP : TALK_HAND_BACK };

    text_copy(parting.reason, sizeof parting.reason, reason);
    return part(c, p, id, &parting);
}

int talk_part_to(struct conversation *c, struct party *p, uint32_t id, struct text agent)
{
    struct talk_parting parting = { .how = TALK_ERROR };

    text_copy(parting.agent, sizeof parting.agent, agent);
    return part(c, p, id, &parting);
}
