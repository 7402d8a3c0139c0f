/* Tells the steps of a plan, with the lines to paste. */
#include "audit/plan.h"

#include "audit/clean.h"
#include "audit/plan_lines.h"

enum { PASTE_MAX = 64 * 1024 };

static void place_put(const struct plan_move *v, FILE *to)
{
    fputs("   ", to);
    clean_put(text_of(v->use->place.file), to);
    fprintf(to, ":%u: %s(", v->use->place.line, inventory_kind_name(v->use->kind));
    clean_put(v->use->target, to);
    fputs(")", to);
    if (v->use->script && !v->use->script->err)
        fprintf(to, "  %s, risk %s", inventory_class_name(v->use->script->class), inventory_risk_name(v->use->script->risk));
    fprintf(to, "%s%s\n", v->why ? "\n      " : "", v->why ? v->why : "");
}

static void paste_put(const struct plan *p, const struct plan_move *m, FILE *to)
{
    struct text rest, line;
    struct buf b;

    buf_init(&b, PASTE_MAX);
    plan_lines_paste(p, m, "      ", &b);
    rest = buf_text(&b);
    while (text_cut(&rest, '\n', &line) && line.n) {
        clean_put(line, to);
        putc('\n', to);
    }
    buf_free(&b);
}

static void state_put(const struct plan *p, enum plan_state state, const char *title, FILE *to)
{
    size_t n = 0;

    for (size_t i = 0; i < p->move_count; i++) {
        if (p->moves[i].state != state)
            continue;
        if (n++ == 0)
            fprintf(to, "%s\n", title);
        place_put(&p->moves[i], to);
        if (state == PLAN_HAND)
            paste_put(p, &p->moves[i], to);
    }
    if (n)
        putc('\n', to);
}

static void route_put(const struct plan_route *r, FILE *to)
{
    fprintf(to, "   [route %s]\n   script = ", r->name);
    clean_put(r->target, to);
    fputs("\n\n", to);
}

/* What a key takes as a name: ${HASH(x,y)} and the like are none. */
static bool is_variable(struct text t)
{
    for (size_t i = 0; i < t.n; i++)
        if (!((t.p[i] >= 'a' && t.p[i] <= 'z') || (t.p[i] >= 'A' && t.p[i] <= 'Z') || (t.p[i] >= '0' && t.p[i] <= '9') || t.p[i] == '_'))
            return false;
    return t.n > 0 && t.n < 80;
}

/* What the script left in the channel, for the dialplan behind it. */
static void variables_put(const struct inventory_names *sets, FILE *to)
{
    size_t n = 0;

    for (size_t i = 0; i < sets->count && n < 20; i++)
        if (is_variable(sets->items[i].name)) {
            fputs(n++ ? ", " : "   tools = set_variable, hand_back, hang_up\n   variables = ", to);
            clean_put(sets->items[i].name, to);
        }
    fputs(n ? "    ; the old script sets them: the dialplan behind it may look at them\n" : "   tools = hand_back, hang_up\n", to);
}

static void agent_put(const struct plan_route *r, FILE *to)
{
    fprintf(to, "   [agent %s]\n   provider = local\n   file = %s.agent    ; to be written by a person: what ", r->name, r->name);
    clean_put(r->target, to);
    fputs(" says and asks\n", to);
    variables_put(&r->script->sets, to);
    fprintf(to, "   max_duration = 30m    ; the guard before Stasis() ends the call after %d s\n\n", PLAN_GUARD_SECONDS);
}

static void sections_put(const struct plan *p, bool is_talk, FILE *to)
{
    for (size_t i = 0; i < p->route_count; i++) {
        const struct plan_route *const r = plan_section(p, i);

        if (r->is_talk != is_talk || r->is_there)
            continue;
        if (is_talk)
            agent_put(r, to);
        else
            route_put(r, to);
    }
}

void plan_sections_write(const struct plan *p, FILE *to)
{
    sections_put(p, false, to);
    sections_put(p, true, to);
}

static void commands_put(const struct plan *p, FILE *to)
{
    static const char *const why[] = { "   # look at them", "   # make them; --undo takes them back" };

    for (size_t i = 0; i < plan_command_count(p); i++) {
        struct buf b;

        buf_init(&b, PLAN_COMMAND_MAX);
        plan_command(p, i, &b);
        fputs("   ", to);
        clean_put(buf_text(&b), to);
        fprintf(to, "%s\n", i < 2 ? why[i] : "");
        buf_free(&b);
    }
    putc('\n', to);
}

static void steps_put(const struct plan *p, FILE *to)
{
    unsigned n = 1;

    if (plan_has_section(p, false)) {
        fprintf(to, "%u. Give each script a route in sidetone.conf (low risk first), and restart the daemon; nothing changes for callers yet:\n\n", n++);
        sections_put(p, false, to);
    }
    if (plan_has_section(p, true)) {
        fprintf(to, "%u. Write an agent for each script that talks: its words are a person's work, in agents/NAME.agent (docs/agent-file.md), or\n"
                    "   instructions for a voice model (docs/conversation.md). Its node needs ARI (`sidetone init`). Without the agent the old line runs:\n\n", n++);
        sections_put(p, true, to);
    }
    if (plan_has_patch(p)) {
        fprintf(to, "%u. ", n++);
        state_put(p, PLAN_PATCH, "Change these places; where the daemon does not answer, or is full, the old line runs as before:", to);
        commands_put(p, to);
    }
    if (plan_has_patch(p))
        fprintf(to, "%u. Record calls (`record = yes`), and rewrite what is asked often as a handler, with proof: docs/migration.md\n\n", n);
}

void plan_write(const struct plan *p, FILE *to)
{
    if (p->move_count == 0) {
        fputs("The dialplan uses no AGI: there is nothing to move.\n", to);
        return;
    }
    if (p->route_count)
        steps_put(p, to);
    state_put(p, PLAN_HAND, "By hand:", to);
    state_put(p, PLAN_DONE, "Moved already:", to);
    state_put(p, PLAN_LEAVE, "Left as it is:", to);
}
