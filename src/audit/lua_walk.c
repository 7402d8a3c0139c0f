/* Turns the calls of applications in a function of extensions.lua into steps. */
#include "audit/lua_walk.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

static void walk(struct lua_walk *w, const struct lua_frame *caller, size_t function, const struct text *arguments, size_t count);

/* ---- what a function gives values to ---- */

static size_t body_of(const struct lua_file *f, size_t function)
{
    size_t at = function + 1;

    while (at < f->count - 1 && !lua_is(f, at, "("))
        at++;
    return at;
}

/* "= 5 x", "= nil end": a default, say. */
static bool is_literal(const struct lua_file *f, size_t at)
{
    return (f->tokens[at].kind == LUA_STRING || f->tokens[at].kind == LUA_NUMBER || lua_is(f, at, "nil")) && lua_expression_end(f, at) == at + 1;
}

/* How often it is given what is no literal stands in value.at. */
static void given_put(struct lua_walk *w, struct lua_frame *frame, size_t at, bool is_plain)
{
    const struct text name = w->file->tokens[at].text;
    const struct lua_entry *before = lua_find(frame->given, name);

    lua_put(w->file, frame->given, name, at, (struct lua_value){ .kind = LUA_UNKNOWN, .at = (before ? before->value.at : 0) + !is_plain });
}

static void given_find(struct lua_walk *w, struct lua_frame *frame, size_t from, size_t to)
{
    const struct lua_file *f = w->file;

    frame->given = lua_table_new(w->file);
    for (size_t at = from; frame->given && at < to; at++) {
        if (f->tokens[at].kind == LUA_NAME && lua_is(f, at + 1, "=") && !f->tokens[at].is_in_braces && !lua_is(f, at - 1, ".") && !lua_is(f, at - 1, ":"))
            given_put(w, frame, at, is_literal(f, at + 2));
        if (lua_is(f, at, "for")) /* what a loop gives is not known */
            for (size_t k = at + 1; k < to && k < at + LUA_BOUND_MAX && !lua_is(f, k, "in") && !lua_is(f, k, "=") && !lua_is(f, k, "do"); k++)
                if (f->tokens[k].kind == LUA_NAME)
                    given_put(w, frame, k, false);
    }
}

static void bind(struct lua_frame *frame, struct text name, struct text value)
{
    if (frame->count < LUA_BOUND_MAX)
        frame->bound[frame->count++] = (struct lua_bound){ .name = name, .value = value };
}

/* Those that are not given are nil, which is written as nothing. */
static void bind_arguments(struct lua_walk *w, struct lua_frame *frame, size_t open, const struct text *arguments, size_t count)
{
    const struct lua_file *f = w->file;
    size_t n = 0;

    for (size_t at = open + 1; at < f->tokens[open].match; at++) {
        if (f->tokens[at].kind != LUA_NAME)
            continue;
        if (lua_find(frame->given, f->tokens[at].text))
            bind(frame, f->tokens[at].text, TEXT(LUA_SOME));
        else
            bind(frame, f->tokens[at].text, n < count ? arguments[n] : TEXT(""));
        n++;
    }
}

/* "local a = ...", "a = ...", of which there is one only, or one beside literals: what a caller chose counts. */
static void bind_local(struct lua_walk *w, struct lua_frame *frame, size_t at)
{
    const struct lua_file *f = w->file;
    const struct text name = f->tokens[at].text;
    const struct lua_entry *e = lua_find(frame->given, name);
    const struct lua_entry *known = lua_find(w->tree->names, name);

    struct text value;

    if (!e || (e->is_twice && (e->value.at > 1 || is_literal(f, at + 2))) || (known && known->value.kind == LUA_FUNCTION))
        return;
    for (size_t i = 0; i < frame->count; i++)
        if (text_eq(frame->bound[i].name, name))
            return;
    value = lua_text(w, frame, at + 2, lua_expression_end(f, at + 2));
    bind(frame, name, !e->is_twice || text_find_text(value, TEXT("${")) >= 0 ? value : TEXT(LUA_SOME));
}

/* ---- steps ---- */

static void step_put(struct lua_walk *w, size_t at, unsigned args_column, struct text app, struct text args)
{
    const struct lua_token *t = w->file->tokens + at;
    const struct dialplan_step step = { .place = lua_place(w->file, at), .app_column = t->column, .args_column = args_column,
                                        .priority = (unsigned)w->extension->step_count + 1, .label = TEXT(""), .app = app, .args = args };

    if (w->calls++ < LUA_CALLS_MAX && w->steps++ < LUA_STEPS_MAX)
        dialplan_step_put(w->file->b, w->extension, step);
    else
        w->is_cut = true;
}

static unsigned inside_column(const struct lua_file *f, size_t at)
{
    return f->tokens[at].kind == LUA_STRING ? f->tokens[at].column : f->tokens[at].column + 1;
}

/* "app.NAME(...)", "app["NAME"](...)" at "app". */
static void call_put(struct lua_walk *w, const struct lua_frame *frame, size_t at)
{
    const struct lua_file *f = w->file;
    size_t name = 0, open = 0, behind;
    struct text args;

    if (lua_is(f, at + 1, ".") && f->tokens[at + 2].kind == LUA_NAME) {
        name = at + 2;
        open = at + 3;
    } else if (lua_is(f, at + 1, "[") && f->tokens[at + 2].kind == LUA_STRING && f->tokens[at + 1].match == at + 3) {
        name = at + 2;
        open = at + 4;
    }
    if (!name || !f->tokens[name].text.n)
        return;
    args = lua_arguments(w, frame, open, &behind);
    if (args.p && behind > w->quiet)
        w->quiet = behind;
    if (args.p)
        step_put(w, name, inside_column(f, open), f->tokens[name].text, args);
}

/* "channel.X = value", "channel.X:set(value)" at "channel": what Set does. A function that is read may run something, too: SHELL, CURL. */
static void variable_put(struct lua_walk *w, const struct lua_frame *frame, size_t at)
{
    const struct lua_file *f = w->file;
    size_t behind, value = 0, end;
    const struct text name = lua_channel(w, frame, at, &behind);
    struct text args = TEXT_NONE;

    if (!name.p)
        return;
    if (lua_is(f, behind, "=")) {
        value = behind + 1;
        args = lua_text(w, frame, value, lua_expression_end(f, value));
    } else if (lua_is(f, behind, ":") && lua_is_name(f, behind + 1, "set")) {
        value = behind + 2;
        args = lua_arguments(w, frame, value, &end);
    } else if (at >= w->quiet && text_ends(name, TEXT(")"))) {
        struct buf read;

        buf_init(&read, LUA_BYTES_MAX);
        buf_addf(&read, "LUA_READ=${%.*s}", TEXT_ARG(name));
        if (!read.err)
            step_put(w, at, f->tokens[at].column, TEXT("Set"), lua_keep(w->file, buf_text(&read)));
        buf_free(&read);
    }
    if (args.p) {
        struct buf both;

        buf_init(&both, LUA_BYTES_MAX);
        buf_add_text(&both, name);
        buf_add_char(&both, '=');
        buf_add_text(&both, args);
        if (!both.err)
            step_put(w, at, f->tokens[at].column, TEXT("Set"), lua_keep(w->file, buf_text(&both)));
        buf_free(&both);
    }
}

/* os.execute and io.popen hand their text to /bin/sh, as System does. */
static void command_put(struct lua_walk *w, const struct lua_frame *frame, size_t at)
{
    const struct lua_file *f = w->file;
    const bool is_execute = lua_is_name(f, at, "os") && lua_is(f, at + 1, ".") && lua_is_name(f, at + 2, "execute");
    const bool is_popen = lua_is_name(f, at, "io") && lua_is(f, at + 1, ".") && lua_is_name(f, at + 2, "popen");
    size_t starts[LUA_ARGUMENTS_MAX + 1], behind;

    if ((is_execute || is_popen) && at + 3 < f->count && lua_argument_list(f, at + 3, starts, &behind))
        step_put(w, at + 2, inside_column(f, at + 3), TEXT("System"),
                 lua_text(w, frame, starts[0], f->tokens[at + 3].kind == LUA_STRING ? starts[1] : starts[1] - 1));
}

/* ---- calls of other functions ---- */

static bool is_running(const struct lua_frame *frame, size_t function)
{
    for (; frame; frame = frame->caller)
        if (frame->function == function)
            return true;
    return false;
}

/* Is the last argument one value, as far as its last word tells? */
static bool ends_list(const struct lua_file *f, size_t at)
{
    return !lua_is(f, at, ")") && !lua_is(f, at, "...");
}

static void function_call(struct lua_walk *w, const struct lua_frame *frame, size_t at)
{
    struct text arguments[LUA_ARGUMENTS_MAX];
    size_t starts[LUA_ARGUMENTS_MAX + 1], open, behind, n;
    const struct lua_value *v = lua_named(w->tree, at, &open);

    if (!v || v->kind != LUA_FUNCTION || open >= w->file->count || (!lua_is(w->file, open, "(") && w->file->tokens[open].kind != LUA_STRING))
        return;
    if (frame->depth >= LUA_DEPTH_MAX || w->calls >= LUA_CALLS_MAX || w->steps >= LUA_STEPS_MAX || w->work >= LUA_WORK_MAX) {
        w->is_cut = true;
        return;
    }
    if (is_running(frame, v->at))
        return;
    n = lua_argument_list(w->file, open, starts, &behind);
    for (size_t i = 0; i < n; i++)
        arguments[i] = lua_text(w, frame, starts[i], w->file->tokens[open].kind == LUA_STRING ? starts[1] : starts[i + 1] - 1);
    if (n && !ends_list(w->file, starts[n] - 2)) /* what a call gives may be several */
        while (n < LUA_ARGUMENTS_MAX)
            arguments[n++] = TEXT(LUA_SOME);
    walk(w, frame, v->at, arguments, n);
}

static void look(struct lua_walk *w, struct lua_frame *frame, size_t at)
{
    const struct lua_file *f = w->file;

    if (f->tokens[at].kind != LUA_NAME || lua_is(f, at - 1, ".") || lua_is(f, at - 1, ":"))
        return;
    if (lua_is(f, at + 1, "=") && !f->tokens[at].is_in_braces) {
        bind_local(w, frame, at);
        return;
    }
    if (lua_is_name(f, at, "app"))
        call_put(w, frame, at);
    else if (lua_is_name(f, at, "channel"))
        variable_put(w, frame, at);
    else if (lua_is_name(f, at, "os") || lua_is_name(f, at, "io"))
        command_put(w, frame, at);
    else
        function_call(w, frame, at);
}

static void walk(struct lua_walk *w, const struct lua_frame *caller, size_t function, const struct text *arguments, size_t count)
{
    const struct lua_file *f = w->file;
    const size_t open = body_of(f, function), end = f->tokens[function].match;
    struct lua_frame frame = { .caller = caller, .function = function, .depth = caller ? caller->depth + 1 : 0 };
    const size_t quiet = w->quiet;

    if (!f->tokens[open].match || end <= open)
        return;
    w->work += end - open;
    w->quiet = 0;
    given_find(w, &frame, f->tokens[open].match, end);
    if (w->file->b->err)
        return;
    bind_arguments(w, &frame, open, arguments, count);
    for (size_t at = f->tokens[open].match + 1; at < end && !w->file->b->err; at++)
        look(w, &frame, at);
    w->quiet = quiet;
}

void lua_walk_handler(struct lua_walk *w, struct dialplan_extension *e, size_t function)
{
    static const struct text given[] = { TEXT("${CONTEXT}"), TEXT("${EXTEN}") }; /* pbx_lua.c: exec */

    w->extension = e;
    w->calls = 0;
    w->quiet = 0;
    w->is_cut = false;
    walk(w, NULL, function, given, 2);
    if (w->is_cut)
        lua_problem(w->file, lua_place(w->file, function), DIALPLAN_CUT, "functions call each other too deep, or more than %d applications: the rest is not looked at", LUA_CALLS_MAX);
}
