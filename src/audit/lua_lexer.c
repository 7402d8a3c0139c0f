/* Cuts extensions.lua into tokens. */
#include "audit/lua_lexer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const keywords[] = { "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "if", "in",
                                        "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while" };

struct cutter {
    struct lua_file *file;
    struct text t;
    size_t at, line_start;
    uint32_t line;
};

/* ---- reports ---- */

void lua_problem(struct lua_file *f, struct conf_place place, enum dialplan_fault fault, const char *format, ...)
{
    char message[400];
    const char *kept;
    va_list ap;

    if (++f->problem_count > LUA_PROBLEMS_MAX)
        return;
    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    for (char *p = message; *p; p++)
        *p = (unsigned char)*p < ' ' ? ' ' : *p;
    kept = arena_text(f->b->d->memory, text_of(message));
    if (kept)
        dialplan_problem_put(f->b, fault, place, kept);
    else
        f->b->err = -ENOMEM;
}

struct text lua_keep(struct lua_file *f, struct text t)
{
    const char *kept = arena_text(f->b->d->memory, t);

    if (!kept)
        f->b->err = -ENOMEM;
    return kept ? text_make(kept, t.n) : TEXT("");
}

struct conf_place lua_place(const struct lua_file *f, size_t at)
{
    return (struct conf_place){ .file = f->path, .line = f->tokens[at].line, .column = f->tokens[at].column };
}

bool lua_is(const struct lua_file *f, size_t at, const char *word)
{
    const struct lua_token *t = f->tokens + at;

    return at < f->count && (t->kind == LUA_KEYWORD || t->kind == LUA_SIGN) && text_eq(t->text, text_of(word));
}

bool lua_is_name(const struct lua_file *f, size_t at, const char *name)
{
    return at < f->count && f->tokens[at].kind == LUA_NAME && text_eq(f->tokens[at].text, text_of(name));
}

/* ---- characters ---- */

static char ahead(const struct cutter *c, size_t n)
{
    return c->at + n < c->t.n ? c->t.p[c->at + n] : '\0';
}

static void step(struct cutter *c)
{
    if (c->t.p[c->at++] == '\n') {
        c->line++;
        c->line_start = c->at;
    }
}

static struct conf_place here(const struct cutter *c)
{
    return (struct conf_place){ .file = c->file->path, .line = c->line, .column = (unsigned)(c->at - c->line_start) + 1 };
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_of(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- long brackets ---- */

/* "[[" or "[==[" at the place: how many "=", or -1. */
static int level_at(const struct cutter *c)
{
    size_t n = 1;

    if (ahead(c, 0) != '[')
        return -1;
    while (ahead(c, n) == '=')
        n++;
    return ahead(c, n) == '[' ? (int)n - 1 : -1;
}

static bool closes(const struct cutter *c, int level)
{
    size_t n = 1;

    if (ahead(c, 0) != ']')
        return false;
    while (ahead(c, n) == '=')
        n++;
    return (int)n - 1 == level && ahead(c, n) == ']';
}

/* What stands between; false: it has no end, which is told. */
static bool long_walk(struct cutter *c, int level, const char *what, struct text *out)
{
    const struct conf_place place = here(c);
    size_t start;

    c->at += (size_t)level + 2;
    if (ahead(c, 0) == '\r')
        step(c);
    if (ahead(c, 0) == '\n')
        step(c);
    for (start = c->at; c->at < c->t.n; step(c))
        if (closes(c, level)) {
            *out = text_make(c->t.p + start, c->at - start);
            c->at += (size_t)level + 2;
            return true;
        }
    lua_problem(c->file, place, DIALPLAN_SKIPPED, "the %s that begins here has no end: Asterisk loads nothing of extensions.lua", what);
    return false;
}

static bool blank_skip(struct cutter *c)
{
    struct text comment;

    if (ahead(c, 0) == '-' && ahead(c, 1) == '-') {
        c->at += 2;
        if (level_at(c) >= 0)
            return long_walk(c, level_at(c), "comment", &comment) || c->at >= c->t.n;
        while (c->at < c->t.n && ahead(c, 0) != '\n')
            c->at++;
        return true;
    }
    if (!ahead(c, 0) || !strchr(" \t\r\n\f\v", ahead(c, 0)))
        return false;
    step(c);
    return true;
}

/* ---- strings ---- */

/* Behind a "\" that is passed already: the byte it means, -1: none. */
static int escape_walk(struct cutter *c)
{
    static const char letters[] = "abfnrtv", means[] = "\a\b\f\n\r\t\v";
    const char one = ahead(c, 0);
    const char *found = one ? strchr(letters, one) : NULL;
    int value = 0;

    if (one == 'z') {
        c->at++;
        while (ahead(c, 0) && strchr(" \t\r\n", ahead(c, 0)))
            step(c);
        return -1;
    }
    if (one == 'x' && hex_of(ahead(c, 1)) >= 0 && hex_of(ahead(c, 2)) >= 0) {
        value = hex_of(ahead(c, 1)) * 16 + hex_of(ahead(c, 2));
        c->at += 3;
        return value;
    }
    if (is_digit(one)) {
        for (unsigned i = 0; i < 3 && is_digit(ahead(c, 0)); i++, c->at++)
            value = value * 10 + (ahead(c, 0) - '0');
        return value & 0xff;
    }
    step(c);
    return found ? means[found - letters] : (unsigned char)one;
}

static bool string_walk(struct cutter *c, struct text *out)
{
    const struct conf_place place = here(c);
    const char quote = c->t.p[c->at++];
    const size_t start = c->at;
    char *plain = NULL;
    size_t n = 0;

    for (; c->at < c->t.n && ahead(c, 0) != quote && ahead(c, 0) != '\n';) {
        int value = (unsigned char)ahead(c, 0);

        if (value != '\\') {
            c->at++;
        } else {
            if (!plain) { /* never longer than what is left */
                size_t end = c->at;

                while (end < c->t.n && (c->t.p[end] != quote || c->t.p[end - 1] == '\\') && end - start < LUA_BYTES_MAX)
                    end++;
                plain = arena_take(c->file->b->d->memory, end - start + 1);
                if (!plain) {
                    c->file->b->err = -ENOMEM;
                    return false;
                }
                memcpy(plain, c->t.p + start, n);
                plain[n] = '\0';
            }
            c->at++;
            value = c->at < c->t.n ? escape_walk(c) : -1;
        }
        if (value < 0)
            continue;
        if (plain)
            plain[n] = (char)value;
        n++;
    }
    *out = text_make(plain ? plain : c->t.p + start, n);
    if (ahead(c, 0) == quote) {
        c->at++;
        return true;
    }
    lua_problem(c->file, place, DIALPLAN_SKIPPED, "the text that begins here has no end on its line: Asterisk loads nothing of extensions.lua");
    return true;
}

/* ---- tokens ---- */

static struct text number_walk(struct cutter *c)
{
    const size_t start = c->at;
    const bool is_hexadecimal = ahead(c, 0) == '0' && (ahead(c, 1) == 'x' || ahead(c, 1) == 'X');

    while (is_letter(ahead(c, 0)) || is_digit(ahead(c, 0)) || (ahead(c, 0) == '.' && ahead(c, 1) != '.') ||
           ((ahead(c, 0) == '-' || ahead(c, 0) == '+') && strchr("eE", c->t.p[c->at - 1]) && !is_hexadecimal))
        c->at++;
    return text_make(c->t.p + start, c->at - start);
}

static enum lua_kind word_walk(struct cutter *c, struct text *out)
{
    const size_t start = c->at;

    while (is_letter(ahead(c, 0)) || is_digit(ahead(c, 0)))
        c->at++;
    *out = text_make(c->t.p + start, c->at - start);
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (text_eq(*out, text_of(keywords[i])))
            return LUA_KEYWORD;
    return LUA_NAME;
}

static size_t sign_length(const struct cutter *c)
{
    static const char *const signs[] = { "...", "..", "==", "~=", "<=", ">=", "<<", ">>", "//", "::" };
    const struct text rest = text_skip(c->t, c->at);

    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (text_starts(rest, text_of(signs[i])))
            return strlen(signs[i]);
    return ahead(c, 0) && strchr("+-*/%^#&|~<>=(){}[];:,.", ahead(c, 0)) ? 1 : 0;
}

static bool token_walk(struct cutter *c, struct lua_token *t)
{
    const char one = ahead(c, 0);
    size_t n;

    *t = (struct lua_token){ .line = c->line, .column = (uint32_t)(c->at - c->line_start) + 1 };
    if (one == '"' || one == '\'') {
        t->kind = LUA_STRING;
        return string_walk(c, &t->text);
    }
    if (level_at(c) >= 0) {
        t->kind = LUA_STRING;
        return long_walk(c, level_at(c), "text", &t->text);
    }
    if (is_letter(one)) {
        t->kind = word_walk(c, &t->text);
        return true;
    }
    if (is_digit(one) || (one == '.' && is_digit(ahead(c, 1)))) {
        t->kind = LUA_NUMBER;
        t->text = number_walk(c);
        return true;
    }
    t->kind = LUA_SIGN;
    n = sign_length(c);
    t->text = text_make(c->t.p + c->at, n);
    if (!n)
        lua_problem(c->file, here(c), DIALPLAN_SKIPPED, "a character that has no meaning in Lua: Asterisk loads nothing of extensions.lua");
    c->at += n ? n : 1;
    return n > 0;
}

static bool tokens_grow(struct lua_file *f, size_t *room)
{
    const size_t bigger = *room ? *room * 2 : 1024;
    struct lua_token *tokens = arena_take(f->scratch, bigger * sizeof *tokens);

    if (!tokens) {
        f->b->err = -ENOMEM;
        return false;
    }
    if (f->count)
        memcpy(tokens, f->tokens, f->count * sizeof *tokens);
    f->tokens = tokens;
    *room = bigger;
    return true;
}

static void tokens_take(struct cutter *c)
{
    struct lua_file *f = c->file;
    size_t room = 0;

    for (;;) {
        while (c->at < c->t.n && blank_skip(c))
            ;
        if (f->count + 1 >= room && !tokens_grow(f, &room))
            return;
        if (c->at >= c->t.n || f->count + 2 > LUA_TOKENS_MAX)
            break;
        f->count += token_walk(c, f->tokens + f->count);
        if (f->b->err)
            return;
    }
    if (c->at < c->t.n)
        lua_problem(f, here(c), DIALPLAN_CUT, "more than %d words: the rest is not read", LUA_TOKENS_MAX);
    f->tokens[f->count++] = (struct lua_token){ .kind = LUA_END, .line = c->line, .column = (uint32_t)(c->at - c->line_start) + 1, .text = TEXT("the end of the file") };
}

/* ---- what ends where ---- */

struct opener {
    uint32_t at;
    const char *closer;
    bool is_function;
};

static const char *closer_of(const struct lua_file *f, size_t at)
{
    static const char *const pairs[][2] = { { "(", ")" }, { "{", "}" }, { "[", "]" }, { "function", "end" }, { "do", "end" }, { "if", "end" }, { "repeat", "until" } };

    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (lua_is(f, at, pairs[i][0]))
            return pairs[i][1];
    return NULL;
}

static bool is_closer(const struct lua_file *f, size_t at)
{
    return lua_is(f, at, ")") || lua_is(f, at, "}") || lua_is(f, at, "]") || lua_is(f, at, "end") || lua_is(f, at, "until");
}

/* Of what is open, the innermost that ends so; none: nothing ends here. */
static size_t depth_of(const struct lua_file *f, const struct opener *open, size_t depth, size_t at)
{
    for (size_t i = depth; i > 0; i--)
        if (lua_is(f, at, open[i - 1].closer))
            return i;
    return 0;
}

static void wrong_end(struct lua_file *f, const struct opener *open, size_t depth, size_t at)
{
    const struct text found = text_head(f->tokens[at].text, 40);

    if (depth)
        lua_problem(f, lua_place(f, at), DIALPLAN_SKIPPED, "expected \"%s\" for the \"%.*s\" on line %u, and found \"%.*s\": Asterisk loads nothing of extensions.lua",
                    open[depth - 1].closer, TEXT_ARG(f->tokens[open[depth - 1].at].text), f->tokens[open[depth - 1].at].line, TEXT_ARG(found));
    else
        lua_problem(f, lua_place(f, at), DIALPLAN_SKIPPED, "\"%.*s\" closes nothing: Asterisk loads nothing of extensions.lua", TEXT_ARG(found));
}

static void ends_find(struct lua_file *f)
{
    struct opener open[LUA_NESTED_MAX];
    size_t depth = 0, functions = 0;

    for (size_t at = 0; at < f->count; at++) {
        const char *closer = closer_of(f, at);

        f->tokens[at].is_in_braces = depth && lua_is(f, open[depth - 1].at, "{");
        f->tokens[at].is_in_function = functions > 0;
        if (closer && depth < LUA_NESTED_MAX) {
            open[depth++] = (struct opener){ .at = (uint32_t)at, .closer = closer, .is_function = lua_is(f, at, "function") };
            functions += open[depth - 1].is_function;
        } else if (closer) {
            lua_problem(f, lua_place(f, at), DIALPLAN_CUT, "more than %d brackets and blocks within each other: this one is not read", LUA_NESTED_MAX);
        }
        if (!is_closer(f, at))
            continue;
        if (!depth || !lua_is(f, at, open[depth - 1].closer))
            wrong_end(f, open, depth, at);
        for (size_t end = depth_of(f, open, depth, at); end && depth >= end; depth--) {
            functions -= open[depth - 1].is_function;
            f->tokens[open[depth - 1].at].match = (uint32_t)at;
            f->tokens[at].match = open[depth - 1].at;
        }
    }
    if (depth)
        lua_problem(f, lua_place(f, f->count - 1), DIALPLAN_SKIPPED, "expected \"%s\" for the \"%.*s\" on line %u, and found the end of the file: Asterisk loads nothing of extensions.lua",
                    open[depth - 1].closer, TEXT_ARG(f->tokens[open[depth - 1].at].text), f->tokens[open[depth - 1].at].line);
    for (; depth > 0; depth--)
        f->tokens[open[depth - 1].at].match = (uint32_t)(f->count - 1);
}

void lua_cut(struct lua_file *f)
{
    struct cutter c = { .file = f, .t = f->content, .line = 1 };

    tokens_take(&c);
    if (!f->b->err)
        ends_find(f);
}
