/* Expressions of extensions.lua as the dialplan would write them. */
#include "audit/lua_walk.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

enum { TEXT_MAX = 8192, NESTED_MAX = 40 };

static void add(struct lua_walk *w, const struct lua_frame *frame, size_t at, size_t end, struct buf *out, unsigned depth);

static struct text keep(struct lua_walk *w, struct buf *b)
{
    const struct text kept = b->err ? TEXT(LUA_SOME) : lua_keep(w->file, buf_text(b));

    buf_free(b);
    return kept;
}

/* Asterisk puts nothing in for ${} in a text of Lua: it is hidden from those who look for it. */
static void add_literal(struct buf *out, struct text t)
{
    for (size_t i = 0; i < t.n; i++) {
        const bool is_reference = t.p[i] == '$' && i + 1 < t.n && (t.p[i + 1] == '{' || t.p[i + 1] == '[');

        buf_add_char(out, is_reference ? '?' : t.p[i]);
    }
}

/* As Lua writes it: "3.50" is 3.5, 0x10 is 16. */
static void add_number(struct buf *out, struct text t)
{
    char plain[64], *end;
    double value;

    text_copy(plain, sizeof plain, t);
    value = strtod(plain, &end);
    if (t.n < sizeof plain && !*end)
        buf_addf(out, "%.14g", value);
    else
        add_literal(out, t);
}

/* ---- lists ---- */

size_t lua_argument_list(const struct lua_file *f, size_t at, size_t starts[LUA_ARGUMENTS_MAX + 1], size_t *behind)
{
    const size_t close = f->tokens[at].match;
    size_t n = 0, i = at + 1;

    *behind = at;
    if (f->tokens[at].kind == LUA_STRING) {
        starts[0] = at;
        *behind = starts[1] = at + 1;
        return 1;
    }
    if (!lua_is(f, at, "(") || close <= at)
        return 0;
    *behind = f->tokens[close].kind == LUA_END ? close : close + 1;
    while (i < close && n < LUA_ARGUMENTS_MAX) {
        starts[n++] = i;
        while (i < close && !lua_is(f, i, ","))
            i = f->tokens[i].match > i ? f->tokens[i].match + 1 : i + 1;
        i++;
    }
    starts[n] = close + 1; /* as if a comma stood there */
    return n;
}

static void add_arguments(struct lua_walk *w, const struct lua_frame *frame, size_t at, struct buf *out, size_t *behind, unsigned depth)
{
    size_t starts[LUA_ARGUMENTS_MAX + 1];
    const size_t n = lua_argument_list(w->file, at, starts, behind);

    for (size_t i = 0; i < n; i++) {
        const size_t end = n == 1 && w->file->tokens[at].kind == LUA_STRING ? starts[1] : starts[i + 1] - 1;

        if (i > 0)
            buf_add_char(out, ',');
        if (!(end == starts[i] + 1 && lua_is(w->file, starts[i], "nil")))
            add(w, frame, starts[i], end, out, depth);
    }
}

struct text lua_arguments(struct lua_walk *w, const struct lua_frame *frame, size_t at, size_t *behind)
{
    struct buf out;

    if (at >= w->file->count || (!lua_is(w->file, at, "(") && w->file->tokens[at].kind != LUA_STRING && !lua_is(w->file, at, "{")))
        return TEXT_NONE;
    if (lua_is(w->file, at, "{")) {
        *behind = w->file->tokens[at].match > at ? w->file->tokens[at].match : at + 1;
        return TEXT(LUA_SOME);
    }
    buf_init(&out, TEXT_MAX);
    add_arguments(w, frame, at, &out, behind, 0);
    return keep(w, &out);
}

/* ---- channel variables ---- */

static bool add_channel(struct lua_walk *w, const struct lua_frame *frame, size_t at, struct buf *out, size_t *behind, unsigned depth)
{
    const struct lua_file *f = w->file;

    *behind = at + 1;
    if (lua_is(f, at + 1, ".") && f->tokens[at + 2].kind == LUA_NAME) {
        buf_add_text(out, f->tokens[at + 2].text);
        *behind = at + 3;
    } else if (lua_is(f, at + 1, "[") && f->tokens[at + 1].match > at + 1) {
        const size_t before = out->n;

        *behind = f->tokens[at + 1].match;
        add(w, frame, at + 2, *behind, out, depth);
        *behind += f->tokens[*behind].kind != LUA_END;
        if (text_find_text(text_skip(buf_text(out), before), TEXT(LUA_SOME)) >= 0)
            return false;
    } else {
        return false;
    }
    if (lua_is(f, *behind, "(") || (*behind < f->count && f->tokens[*behind].kind == LUA_STRING)) {
        buf_add_char(out, '(');
        add_arguments(w, frame, *behind, out, behind, depth);
        buf_add_char(out, ')');
    }
    return true;
}

struct text lua_channel(struct lua_walk *w, const struct lua_frame *frame, size_t at, size_t *behind)
{
    struct buf out;
    bool is_known;

    buf_init(&out, TEXT_MAX);
    is_known = add_channel(w, frame, at, &out, behind, 0);
    if (is_known && out.n && !out.err)
        return keep(w, &out);
    buf_free(&out);
    return TEXT_NONE;
}

/* ---- operands ---- */

/* Behind a value: ":get()", and what leaves the text as it is, or a part of it. False: it makes something else of it. */
static bool is_kept(const struct lua_file *f, size_t *at)
{
    static const char *const keepers[] = { "get", "sub", "lower", "upper" };
    bool kept = true;

    while (lua_is(f, *at, ":") || lua_is(f, *at, ".") || lua_is(f, *at, "[") || lua_is(f, *at, "(")) {
        const bool is_call = lua_is(f, *at, ":");
        bool is_known = lua_is(f, *at, ".") && lua_is_name(f, *at + 1, "value");

        for (size_t i = 0; is_call && i < sizeof keepers / sizeof *keepers; i++)
            is_known |= lua_is_name(f, *at + 1, keepers[i]);
        kept &= is_known;
        if (lua_is(f, *at, "[") || lua_is(f, *at, "(")) {
            *at = f->tokens[*at].match > *at ? f->tokens[*at].match + 1 : *at + 1;
        } else {
            *at += 2;
            if (is_call && lua_is(f, *at, "("))
                *at = f->tokens[*at].match > *at ? f->tokens[*at].match + 1 : *at + 1;
        }
    }
    return kept;
}

static const struct lua_bound *bound_of(const struct lua_frame *frame, struct text name)
{
    for (size_t i = frame ? frame->count : 0; i > 0; i--)
        if (text_eq(frame->bound[i - 1].name, name))
            return frame->bound + (i - 1);
    return NULL;
}

/* Of a local that is given one value, an argument, or a text of the chunk that no function changes. */
static bool add_name(struct lua_walk *w, const struct lua_frame *frame, size_t *at, struct buf *out)
{
    const struct text name = w->file->tokens[*at].text;
    const struct lua_bound *b = bound_of(frame, name);
    const struct lua_value *v;
    size_t end;

    if (b) {
        ++*at;
        buf_add_text(out, b->value);
        return is_kept(w->file, at);
    }
    v = lua_named(w->tree, *at, &end);
    *at = end;
    if (!v || v->kind != LUA_TEXT || lua_find(w->tree->changed, name) || lua_find(frame ? frame->given : NULL, name))
        return is_kept(w->file, at) && false;
    add_literal(out, v->text);
    return is_kept(w->file, at);
}

static struct text pattern_at(const struct lua_walk *w, size_t at)
{
    const struct lua_token *t = w->file->tokens + at;
    const struct lua_entry *e = t->kind == LUA_NAME && !lua_find(w->tree->changed, t->text) ? lua_find(w->tree->names, t->text) : NULL;

    if (t->kind == LUA_STRING)
        return t->text;
    return e && e->value.kind == LUA_TEXT ? e->value.text : TEXT_NONE;
}

/* string.format(pattern, ...): %s is the next argument as it stands, every other one is some text. */
static void add_format(struct lua_walk *w, const struct lua_frame *frame, size_t at, struct buf *out, size_t *behind, unsigned depth)
{
    size_t starts[LUA_ARGUMENTS_MAX + 1], next = 1;
    const size_t n = lua_argument_list(w->file, at, starts, behind);
    struct text pattern;

    pattern = n && starts[1] == starts[0] + 2 ? pattern_at(w, starts[0]) : TEXT_NONE;
    if (!pattern.p) {
        buf_add_text(out, TEXT(LUA_SOME));
        return;
    }
    while (pattern.n) {
        const ptrdiff_t sign = text_find(pattern, '%');

        add_literal(out, sign < 0 ? pattern : text_head(pattern, (size_t)sign));
        pattern = text_skip(pattern, sign < 0 ? pattern.n : (size_t)sign + 1);
        while (pattern.n && text_find(TEXT("0123456789.-+ #"), pattern.p[0]) >= 0)
            pattern = text_skip(pattern, 1);
        if (sign >= 0 && text_starts(pattern, TEXT("%")))
            buf_add_char(out, '%');
        else if (text_starts(pattern, TEXT("s")) && next < n)
            add(w, frame, starts[next], starts[next + 1] - 1, out, depth);
        else if (sign >= 0)
            buf_add_text(out, TEXT(LUA_SOME));
        next += sign >= 0 && !text_starts(pattern, TEXT("%"));
        pattern = text_skip(pattern, sign >= 0);
    }
}

/* One operand; *at goes behind it. False: nothing is known of it. */
static bool add_operand(struct lua_walk *w, const struct lua_frame *frame, size_t *at, size_t end, struct buf *out, unsigned depth)
{
    const struct lua_file *f = w->file;
    const struct lua_token *t = f->tokens + *at;
    size_t behind;

    if (t->kind == LUA_STRING || t->kind == LUA_NUMBER || lua_is(f, *at, "true") || lua_is(f, *at, "false")) {
        ++*at;
        if (t->kind == LUA_NUMBER)
            add_number(out, t->text);
        else
            add_literal(out, t->text);
        return true;
    }
    if (lua_is(f, *at, "(") && t->match > *at && t->match < end) {
        add(w, frame, *at + 1, t->match, out, depth);
        *at = t->match + 1;
        return is_kept(f, at);
    }
    if (t->kind != LUA_NAME)
        return false;
    if (lua_is_name(f, *at, "channel")) {
        bool is_known;

        buf_add_text(out, TEXT("${"));
        is_known = add_channel(w, frame, *at, out, &behind, depth);
        buf_add_char(out, '}');
        *at = behind;
        return is_kept(f, at) && is_known;
    }
    if ((lua_is_name(f, *at, "tostring") || lua_is_name(f, *at, "assert")) && lua_is(f, *at + 1, "(") && f->tokens[*at + 1].match > *at) {
        behind = f->tokens[*at + 1].match;
        add(w, frame, *at + 2, behind, out, depth);
        *at = behind + 1;
        return is_kept(f, at);
    }
    if (lua_is_name(f, *at, "string") && lua_is(f, *at + 1, ".") && lua_is_name(f, *at + 2, "format") && lua_is(f, *at + 3, "(")) {
        add_format(w, frame, *at + 3, out, &behind, depth);
        *at = behind;
        return is_kept(f, at);
    }
    return add_name(w, frame, at, out);
}

static void add(struct lua_walk *w, const struct lua_frame *frame, size_t at, size_t end, struct buf *out, unsigned depth)
{
    const size_t start = out->n;
    bool is_known = at < end && depth < NESTED_MAX;

    while (is_known) {
        const size_t before = out->n;

        if (!add_operand(w, frame, &at, end, out, depth + 1)) {
            out->n = before;
            buf_add_text(out, TEXT(LUA_SOME));
            if (at < end && !lua_is(w->file, at, ".."))
                is_known = false;
        }
        if (at >= end || lua_is(w->file, at, "or")) /* "x or default" */
            return;
        if (!lua_is(w->file, at, ".."))
            is_known = false;
        at++;
    }
    out->n = start;
    buf_add_text(out, TEXT(LUA_SOME));
}

struct text lua_text(struct lua_walk *w, const struct lua_frame *frame, size_t at, size_t end)
{
    struct buf out;

    if (end == at + 1 && lua_is(w->file, at, "nil"))
        return TEXT("");
    buf_init(&out, TEXT_MAX);
    add(w, frame, at, end, &out, 0);
    return keep(w, &out);
}
