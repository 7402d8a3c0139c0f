/* Finds the contexts that outsiders reach. */
#include "audit/outsiders.h"

#include <string.h>

static const char *const usual[] = { "default", "public", "guest", "anonymous", "incoming", "inbound", "from-pstn", "from-trunk", "from-outside",
                                     "from-sip-external", "from-internet", "from-external", "outside" };

struct list {
    const struct audit *a;
    struct outsider *out;
    size_t count;
};

static void add(struct list *l, struct text context, struct conf_place place, const char *why)
{
    const struct dialplan_context *c = dialplan_context_of(l->a->dialplan, context);

    for (size_t i = 0; i < l->count; i++)
        if (l->out[i].context == c)
            return;
    if (c && l->count < OUTSIDERS_MAX)
        l->out[l->count++] = (struct outsider){ .context = c, .place = place, .why = why };
}

/* The last value of a key in this very section. */
static const struct conf_item *item_of(const struct conf_section *s, struct text name)
{
    for (size_t i = s->count; i > 0; i--)
        if (text_eq_nocase(s->items[i - 1].name, name))
            return s->items + i - 1;
    return NULL;
}

static void add_endpoints(struct list *l, const struct conf *c)
{
    for (size_t i = 0; c && i < c->section_count; i++) {
        const struct conf_section *s = c->sections + i;
        const struct conf_item *type = item_of(s, TEXT("type")), *context = item_of(s, TEXT("context")), *auth = item_of(s, TEXT("auth"));

        if (s->is_template || !type || !context || !text_eq_nocase(type->value, TEXT("endpoint")))
            continue;
        if (text_eq_nocase(s->name, TEXT("anonymous")))
            add(l, context->value, context->place, "the anonymous endpoint of pjsip.conf: anyone may call");
        else if (!auth || !auth->value.n)
            add(l, context->value, context->place, "an endpoint of pjsip.conf without auth: who sends from its address is let in");
    }
}

static void add_guests(struct list *l, const struct conf *c)
{
    for (size_t i = 0; c && i < c->section_count; i++) {
        const struct conf_section *s = c->sections + i;
        const struct conf_item *context = item_of(s, TEXT("context"));

        if (!s->is_template && context && text_eq_nocase(s->name, TEXT("guest")))
            add(l, context->value, context->place, "the guest of iax.conf: anyone may call");
    }
}

size_t outsiders_find(const struct audit *a, struct outsider out[OUTSIDERS_MAX])
{
    struct list l = { .a = a, .out = out };

    if (!a->dialplan)
        return 0;
    add_endpoints(&l, a->files[AUDIT_PJSIP]);
    add_guests(&l, a->files[AUDIT_IAX]);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
        const struct dialplan_context *c = dialplan_context_of(a->dialplan, text_of(usual[i]));

        if (c)
            add(&l, c->name, c->place, "its name says that calls from outside enter here");
    }
    return l.count;
}
