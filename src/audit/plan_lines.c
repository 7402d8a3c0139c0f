/* The lines that take the place of one that runs a script, in the language of its file. */
#include "audit/plan_lines.h"

/* SIDETONE_STATUS:SIDETONE_REASON of a call that came back without a talk. No group: with one, =~ would give its text, not a number. */
#define NO_TALK "^ERROR:no_agent|^ERROR:no_media|^ERROR:talk_failed|^ERROR:answer_|^ERROR:bridge_|^ERROR:join_|^ERROR:media_[rft]"
/* FILTER: the reason of a handler may hold quotes, which would break the expression. */
#define ROUTE_WORD "\"${FILTER(a-z_,${SIDETONE_REASON})}\""
#define NOT_BEGUN "\"${SIDETONE_STATUS}\" = \"\" | \"${SIDETONE_STATUS}\" = \"BUSY\" | " ROUTE_WORD " = \"no_route\""
#define BEGUN "\"${SIDETONE_STATUS}\" != \"\" & \"${SIDETONE_STATUS}\" != \"BUSY\" & " ROUTE_WORD " != \"no_route\""
#define TALKED "\"${STASISSTATUS}\" = \"SUCCESS\" & \"${SIDETONE_STATUS}\" != \"BUSY\" & (\"${SIDETONE_STATUS}:${SIDETONE_REASON}\" =~ \"" NO_TALK "\") = 0"
#define UNLIMITED "\"${SIDETONE_LIMIT}\" = \"0\""

static bool fits(const struct dialplan_step *s, struct text line)
{
    const size_t at = s->app_column ? s->app_column - 1 : 0;
    const size_t open = at + s->app.n;

    if (!s->app_column || at >= line.n || !text_starts(text_skip(line, at), s->app))
        return false;
    /* `\\;` and comments in the middle are not as written any more once they were read. */
    return open < line.n && line.p[open] == '(' && text_find(line, '\\') < 0 && text_find_text(line, TEXT(";--")) < 0 &&
           text_starts(text_skip(line, open + 1), s->args);
}

static bool is_alone(const struct dialplan_step *s, struct text line)
{
    const size_t at = s->app_column ? s->app_column - 1 : 0;
    struct text rest;

    if (text_trim(text_head(line, at)).n > 0)
        return false;
    rest = text_trim(text_skip(line, at + s->app.n + 1 + s->args.n));
    if (!text_starts(rest, TEXT(")")))
        return false;
    rest = text_trim(text_skip(rest, 1));
    if (!text_starts(rest, TEXT(";")))
        return false;
    rest = text_trim(text_skip(rest, 1));
    return rest.n == 0 || text_starts(rest, TEXT("//"));
}

bool plan_line_can_go(const struct dialplan_step *s, struct text line)
{
    return fits(s, line) && (s->extension->origin != DIALPLAN_AEL || is_alone(s, line));
}

struct writer {
    struct buf *out;
    const struct plan *p;
    const struct plan_move *m;
    struct text indent;
    const char *sign;
};

static void agi_put(const struct writer *w)
{
    const struct text args = w->m->use->args;

    buf_addf(w->out, "AGI(agi://%s/%s%s", w->p->opt.agi, w->m->route->name, args.n ? "," : "");
    buf_add_text(w->out, args);    /* as text: a file may hold a NUL, at which a format would end */
    buf_add_char(w->out, ')');
}

/* ---- extensions.conf ---- */

/* The lines between the first and the old one. BUSY: the script did not begin; no_route: its section is not there yet. After any other
 * state it may have run, and is not run twice. */
static void ask_route(const struct writer *w)
{
    buf_addf(w->out, "%s same => n,", w->sign);
    agi_put(w);
    buf_addf(w->out, "\n%s same => n,GotoIf($[" BEGUN "]?%s)\n", w->sign, w->m->label);
}

/* A limit that the call has already is the guard, and stays. The old script runs when nobody has the application, and when the daemon gave the call
 * back before a talk (docs/internals/calls.md: the reasons); STASISSTATUS alone does not tell. SIDETONE_REASON holds no quotes (talk_value_clean). */
static void ask_agent(const struct writer *w)
{
    buf_addf(w->out, "%s same => n,Set(SIDETONE_LIMIT=${TIMEOUT(absolute)})\n", w->sign);
    buf_addf(w->out, "%s same => n,ExecIf($[" UNLIMITED "]?Set(TIMEOUT(absolute)=%d))\n", w->sign, PLAN_GUARD_SECONDS);
    buf_addf(w->out, "%s same => n,Stasis(%s,%s)\n", w->sign, w->p->opt.app, w->m->route->name);
    buf_addf(w->out, "%s same => n,ExecIf($[" UNLIMITED "]?Set(TIMEOUT(absolute)=0))\n", w->sign);
    buf_addf(w->out, "%s same => n,GotoIf($[" TALKED "]?%s)\n", w->sign, w->m->label);
}

/* The first line keeps the priority and the label; the old line stays, for when nobody answers. */
static void conf_put(const struct writer *w, struct text line, size_t at)
{
    buf_add_text(w->out, text_of(w->sign));
    buf_add_text(w->out, text_head(line, at));
    buf_add_text(w->out, TEXT("Set(SIDETONE_STATUS=)\n"));
    if (w->m->route->is_talk)
        ask_agent(w);
    else
        ask_route(w);
    buf_addf(w->out, "%s same => n,", w->sign);
    buf_add_text(w->out, text_skip(line, at));
    buf_addf(w->out, "\n%s same => n(%s),NoOp(${SIDETONE_STATUS})\n", w->sign, w->m->label);
}

/* ---- AEL ---- */

static void begin(const struct writer *w, const char *more)
{
    buf_add_text(w->out, text_of(w->sign));
    buf_add_text(w->out, w->indent);
    buf_add_text(w->out, text_of(more));
}

/* A block: the statement may be all that an `if` without braces governs. */
static void ael_put(const struct writer *w, struct text old)
{
    begin(w, "{\n");
    begin(w, "    Set(SIDETONE_STATUS=);\n");
    if (w->m->route->is_talk) {
        begin(w, "    Set(SIDETONE_LIMIT=${TIMEOUT(absolute)});\n");
        begin(w, "    if (" UNLIMITED ") {\n");
        begin(w, "        ");
        buf_addf(w->out, "Set(TIMEOUT(absolute)=%d);\n", PLAN_GUARD_SECONDS);
        begin(w, "    }\n");
        begin(w, "    ");
        buf_addf(w->out, "Stasis(%s,%s);\n", w->p->opt.app, w->m->route->name);
        begin(w, "    if (" UNLIMITED ") {\n");
        begin(w, "        Set(TIMEOUT(absolute)=0);\n");
        begin(w, "    }\n");
        begin(w, "    if (!(" TALKED ")) {\n");
    } else {
        begin(w, "    ");
        agi_put(w);
        buf_add_text(w->out, TEXT(";\n"));
        begin(w, "    if (" NOT_BEGUN ") {\n");
    }
    begin(w, "        ");
    buf_add_text(w->out, old);
    buf_add_char(w->out, '\n');
    begin(w, "    }\n");
    begin(w, "}\n");
}

/* ---- extensions.lua ---- */

/* How the old line makes up its arguments is left as it is. */
static void lua_put(const struct writer *w)
{
    begin(w, "channel.SIDETONE_STATUS = \"\"\n");
    begin(w, "app.agi(\"agi://");
    buf_addf(w->out, "%s/%s\")    -- and the arguments of the old line\n", w->p->opt.agi, w->m->route->name);
    begin(w, "local status = channel.SIDETONE_STATUS:get() or \"\"\n");
    begin(w, "if status == \"\" or status == \"BUSY\" or channel.SIDETONE_REASON:get() == \"no_route\" then\n");
    begin(w, "    -- the old line\n");
    begin(w, "end\n");
}

void plan_lines(const struct plan *p, const struct plan_move *m, struct text line, const char *sign, struct buf *out)
{
    const size_t at = m->use->step->app_column - 1;
    const struct writer w = { .out = out, .p = p, .m = m, .indent = text_head(line, at), .sign = sign };

    if (m->use->step->extension->origin == DIALPLAN_AEL)
        ael_put(&w, text_skip(line, at));
    else
        conf_put(&w, line, at);
}

size_t plan_lines_added(const struct plan_move *m)
{
    const bool is_talk = m->route->is_talk;

    return m->use->step->extension->origin == DIALPLAN_AEL ? (is_talk ? 13 : 6) : (is_talk ? 7 : 4);
}

void plan_lines_paste(const struct plan *p, const struct plan_move *m, const char *sign, struct buf *out)
{
    const struct writer w = { .out = out, .p = p, .m = m, .indent = TEXT(""), .sign = sign };

    if (!m->route)
        return;
    if (m->use->step->extension->origin == DIALPLAN_LUA && !m->route->is_talk)
        lua_put(&w);
    else if (m->use->step->extension->origin == DIALPLAN_AEL)
        ael_put(&w, TEXT("/* the old line */"));
}
