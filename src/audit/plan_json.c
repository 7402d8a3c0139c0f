/* A plan as one JSON object: its steps in order, each with the same keys. */
#include "audit/plan.h"

#include "audit/plan_lines.h"

static void add_key(struct buf *out, const char *key, struct text t)
{
    if (!t.p) {
        buf_addf(out, ",\"%s\":null", key);
        return;
    }
    buf_addf(out, ",\"%s\":\"", key);
    buf_add_json(out, t);
    buf_add_char(out, '"');
}

static void add_word(struct buf *out, const char *key, const char *word)
{
    add_key(out, key, word ? text_of(word) : TEXT_NONE);
}

static void begin(struct buf *out, const char *what, const char *state)
{
    if (out->n > 0 && out->p[out->n - 1] != '[')
        buf_add_char(out, ',');
    buf_addf(out, "{\"what\":\"%s\",\"state\":%s%s%s", what, state ? "\"" : "", state ? state : "null", state ? "\"" : "");
}

static void add_script(struct buf *out, const struct inventory_script *s)
{
    const bool is_read = s && !s->err;

    add_word(out, "script", s ? s->path : NULL);
    add_word(out, "class", is_read ? inventory_class_name(s->class) : NULL);
    add_word(out, "risk", is_read ? inventory_risk_name(s->risk) : NULL);
}

static void add_route(struct buf *out, const struct plan_route *r)
{
    add_word(out, "route", r && !r->is_talk ? r->name : NULL);
    add_word(out, "agent", r && r->is_talk ? r->name : NULL);
}

/* What a person may paste where the patch has nothing. */
static void add_lines(struct buf *out, const struct plan *p, const struct plan_move *m)
{
    struct buf b;

    buf_init(&b, PLAN_COMMAND_MAX);
    if (m && m->state == PLAN_HAND)
        plan_lines_paste(p, m, "", &b);
    add_key(out, "lines", b.n ? buf_text(&b) : TEXT_NONE);
    if (b.err && !out->err)
        out->err = b.err;
    buf_free(&b);
}

static void end(struct buf *out, const struct plan *p, bool has_commands)
{
    buf_add_text(out, TEXT(",\"commands\":["));
    for (size_t i = 0; has_commands && i < plan_command_count(p); i++) {
        struct buf b;

        buf_init(&b, PLAN_COMMAND_MAX);
        plan_command(p, i, &b);
        buf_add_text(out, i ? TEXT(",\"") : TEXT("\""));
        buf_add_json(out, buf_text(&b));
        buf_add_char(out, '"');
        if (b.err && !out->err)
            out->err = b.err;
        buf_free(&b);
    }
    buf_add_text(out, TEXT("]}"));
}

static void section_add(struct buf *out, const struct plan *p, const struct plan_route *r)
{
    begin(out, r->is_talk ? "agent" : "route", r->is_there ? "there" : r->is_talk ? "write" : "paste");
    buf_add_text(out, TEXT(",\"file\":null,\"line\":null,\"column\":null,\"kind\":null"));
    add_key(out, "target", r->target);
    add_script(out, r->script);
    add_word(out, "advice", inventory_advice_name(r->script->advice));
    add_word(out, "why", r->script->reason);
    add_route(out, r);
    add_lines(out, p, NULL);
    end(out, p, false);
}

static void place_add(struct buf *out, const struct plan *p, const struct plan_move *m)
{
    static const char *const names[] = { "patch", "done", "hand", "leave" }; /* order of enum plan_state */
    const struct inventory_use *const u = m->use;

    begin(out, "place", names[m->state]);
    add_word(out, "file", u->place.file);
    buf_addf(out, ",\"line\":%u,\"column\":%u", u->place.line, u->place.column);
    add_word(out, "kind", inventory_kind_name(u->kind));
    add_key(out, "target", u->target.p ? u->target : TEXT(""));
    add_script(out, u->script);
    add_word(out, "advice", inventory_advice_name(u->advice));
    add_word(out, "why", m->why);
    add_route(out, m->route);
    add_lines(out, p, m);
    end(out, p, false);
}

static void states_add(struct buf *out, const struct plan *p, enum plan_state state)
{
    for (size_t i = 0; i < p->move_count; i++)
        if (p->moves[i].state == state)
            place_add(out, p, &p->moves[i]);
}

int plan_json(const struct plan *p, struct buf *out)
{
    buf_add_text(out, TEXT("{\"folder\":\""));
    buf_add_json(out, text_of(p->audit->opt.folder));
    buf_add_char(out, '"');
    add_word(out, "agi", p->opt.agi);
    add_word(out, "app", p->opt.app);
    buf_add_text(out, TEXT(",\"steps\":["));
    for (size_t i = 0; i < p->route_count; i++)
        section_add(out, p, plan_section(p, i));
    states_add(out, p, PLAN_PATCH);
    if (plan_has_patch(p)) {
        begin(out, "apply", NULL);
        buf_add_text(out, TEXT(",\"file\":null,\"line\":null,\"column\":null,\"kind\":null,\"target\":null"));
        add_script(out, NULL);
        buf_add_text(out, TEXT(",\"advice\":null,\"why\":null"));
        add_route(out, NULL);
        add_lines(out, p, NULL);
        end(out, p, true);
    }
    states_add(out, p, PLAN_HAND);
    states_add(out, p, PLAN_DONE);
    states_add(out, p, PLAN_LEAVE);
    return buf_add_text(out, TEXT("]}\n"));
}
