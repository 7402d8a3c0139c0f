/* The legs of a call: what an operator calls a phone, whatever Asterisk's channels for it are. */
#include <stdlib.h>
#include <string.h>

#include "tap/facts_internal.h"

/* "PJSIP/101-0000000a" without its number; "Local/9@sales-00000001;1" without its half. */
struct text facts_base(struct text channel)
{
    struct text t = channel;
    ptrdiff_t dash;

    if (t.n > 2 && t.p[t.n - 2] == ';')
        t.n -= 2;
    dash = text_rfind(t, '-');
    if (dash <= 0 || t.n - (size_t)dash != 9)
        return t;
    for (size_t i = (size_t)dash + 1; i < t.n; i++)
        if (!strchr("0123456789abcdef", t.p[i]))
            return t;
    return text_head(t, (size_t)dash);
}

static struct text without_half(struct text channel)
{
    if (channel.n > 2 && channel.p[channel.n - 2] == ';')
        channel.n -= 2;
    return channel;
}

/* The first phone that rang in vain makes room: a queue may try hundreds for one caller. */
static struct leg *used_up(struct call *c)
{
    for (size_t i = 0; i < c->leg_count; i++) {
        if (i == c->primary_leg || c->legs[i].channels || c->legs[i].pub.answered_us)
            continue;
        for (size_t k = 0; k < c->leg_count; k++)
            if (c->legs[k].via == i)
                c->legs[k].via = LEG_NONE;
        return &c->legs[i];
    }
    return NULL;
}

/* A place in the array, which may move; NULL: there is none. */
static struct leg *place(struct facts *f, struct call *c)
{
    if (c->leg_count >= CALL_LEGS_MAX) {
        f->figures.refused++;
        return used_up(c);
    }
    if (c->leg_count == c->leg_room) {
        const size_t room = c->leg_room ? c->leg_room * 2 : 2;
        struct leg *more = realloc(c->legs, room * sizeof *more);

        if (!more) {
            f->err = -ENOMEM;
            return NULL;
        }
        c->legs = more;
        c->leg_room = room;
    }
    return &c->legs[c->leg_count++];
}

uint16_t leg_add(struct facts *f, struct call *c, const struct snapshot *s, const char *role)
{
    struct leg *l = place(f, c);

    if (!l)
        return LEG_NONE;
    memset(l, 0, sizeof *l);
    l->via = LEG_NONE;
    text_copy(l->pub.uniqueid, sizeof l->pub.uniqueid, s->uniqueid);
    text_copy(l->pub.channel, sizeof l->pub.channel, without_half(s->channel));
    text_copy(l->pub.number, sizeof l->pub.number, facts_known(s->number));
    text_copy(l->pub.name, sizeof l->pub.name, facts_known(s->name));
    text_copy(l->pub.role, sizeof l->pub.role, text_of(role));
    l->pub.started_us = f->stamp.at_us;
    l->pub.cause = -1;
    call_dirty(f, c);
    return (uint16_t)(l - c->legs);
}

struct leg *leg_of(const struct channel *ch)
{
    return ch->leg == LEG_NONE ? NULL : &ch->call->legs[ch->leg];
}

/* Its number; but a queue gives the agent's channel the caller's number (seen), which says nothing about the agent. */
struct text leg_label(const struct call *c, const struct leg *l)
{
    if (l->pub.number[0] && (strcmp(l->pub.number, c->r.caller) != 0 || l == &c->legs[c->primary_leg == LEG_NONE ? 0 : c->primary_leg]))
        return text_of(l->pub.number);
    return facts_base(text_of(l->pub.channel));
}

void leg_tell(struct facts *f, enum fact kind, struct call *c, const struct leg *l)
{
    facts_begin(f);
    facts_str(f, "channel", l->pub.channel);
    facts_str(f, "number", l->pub.number);
    facts_str(f, "role", l->pub.role[0] ? l->pub.role : "callee");
    facts_tell(f, kind, c);
}

void leg_end(struct facts *f, struct call *c, struct leg *l)
{
    if (l->pub.ended_us)
        return;
    l->pub.ended_us = f->stamp.at_us;
    call_dirty(f, c);
    if (l->is_hidden)
        return;
    facts_begin(f);
    facts_str(f, "channel", l->pub.channel);
    facts_str(f, "number", l->pub.number);
    facts_str(f, "role", l->pub.role[0] ? l->pub.role : "callee");
    facts_int(f, "cause", l->pub.cause);
    facts_tell(f, FACT_LEG_ENDED, c);
}
