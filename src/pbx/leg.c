/* Passes what is asked of a leg on to whatever carries it. */
#include "pbx/leg.h"

void leg_start(struct leg *l, const struct leg_handlers *on, void *arg)
{
    INVARIANT(on && !l->on);
    l->on = on;
    l->arg = arg;
    l->ops->start(l);
}

void leg_close(struct leg *l)
{
    l->ops->close(l);
}

unsigned leg_flush(struct leg *l)
{
    return l->ops->flush ? l->ops->flush(l) : 0;
}

unsigned leg_rate(const struct leg *l)
{
    return l->rate_hz;
}

void leg_figures(const struct leg *l, struct leg_figures *out)
{
    *out = (struct leg_figures){ 0 };
    l->ops->figures(l, out);
}
