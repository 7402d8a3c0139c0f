/* Cuts AEL files into tokens. */
#include "audit/ael_lexer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "audit/ael_include.h"

static const char *const keywords[] = {
    "context", "abstract", "extend", "macro", "globals", "local", "ignorepat", "switches", "switch", "ifTime", "if", "random",
    "regexten", "hint", "else", "goto", "jump", "return", "break", "continue", "for", "while", "case", "default", "pattern", "catch",
    "eswitches", "includes",
};

/* ---- reports ---- */

void ael_problem(struct ael_lexer *x, struct conf_place place, enum dialplan_fault fault, const char *format, ...)
{
    char message[400];
    const char *kept;
    va_list ap;

    if (++x->problem_count > AEL_PROBLEMS_MAX) {
        x->is_full = true;
        return;
    }
    va_start(ap, format);
    vsnprintf(message, sizeof message, format, ap);
    va_end(ap);
    for (char *p = message; *p; p++)
        *p = (unsigned char)*p < ' ' ? ' ' : *p;
    kept = arena_text(x->b->d->memory, text_of(message));
    if (kept)
        dialplan_problem_put(x->b, fault, place, kept);
    else
        x->b->err = -ENOMEM;
}

struct text ael_text(struct dialplan_build *b, const char *format, ...)
{
    char text[AEL_TEXT_MAX + 1];
    const char *kept;
    va_list ap;
    int n;

    va_start(ap, format);
    n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    n = n < 0 ? 0 : n > AEL_TEXT_MAX ? AEL_TEXT_MAX : n;
    kept = arena_text(b->d->memory, text_make(text, (size_t)n));
    if (!kept)
        b->err = -ENOMEM;
    return kept ? text_make(kept, (size_t)n) : TEXT("");
}

/* ---- characters ---- */

static bool is_word_sign(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("-'\"_/.<>*+!$#[]", c));
}

static char at(const struct ael_file *f, size_t ahead)
{
    return f->at + ahead < f->content.n ? f->content.p[f->at + ahead] : '\0';
}

static struct conf_place here(const struct ael_file *f)
{
    return (struct conf_place){ .file = f->name, .line = f->line, .column = (unsigned)(f->at - f->line_start) + 1 };
}

static void step(struct ael_file *f)
{
    if (f->content.p[f->at++] == '\n') {
        f->line++;
        f->line_start = f->at;
    }
}

static bool is_escaped(const struct ael_file *f, size_t start)
{
    return f->at > start && f->content.p[f->at - 1] == '\\';
}

static char closer_of(char c)
{
    return c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : '\0';
}

/* ---- texts as they stand ---- */

/* Goes on until the bracket that is open closes, or, with open '\0', until a ";". Behind a bracket of the wrong kind, which is told once, it goes on as
 * if that were the right one, so that what follows is still read. is_lenient: one "]" or "}" that closes nothing is taken for text before
 * the first comma (the grammar puts two words together there: ael.y, word_list). */
static bool brackets_walk(struct ael_lexer *x, struct ael_file *f, char open, const char *what, bool is_lenient)
{
    char closers[AEL_BRACKETS_MAX];
    const size_t start = f->at;
    const struct conf_place place = here(f);
    size_t depth = 0;
    bool is_told = false;

    if (open)
        closers[depth++] = closer_of(open);
    for (; f->at < f->content.n; step(f)) {
        const char c = f->content.p[f->at];

        is_lenient &= c != ',' || depth > 1;
        if (!strchr("()[]{};", c) || !c || is_escaped(f, start))
            continue;
        if (c == ';') {
            if (!open)
                return true;
        } else if (closer_of(c)) {
            if (depth == AEL_BRACKETS_MAX) {
                ael_problem(x, here(f), DIALPLAN_SKIPPED, "more than %d brackets within each other", AEL_BRACKETS_MAX);
                return false;
            }
            closers[depth++] = closer_of(c);
        } else if (is_lenient && c != ')' && closers[depth - 1] != c) {
            ael_problem(x, here(f), DIALPLAN_CUT, "\"%c\" closes nothing in %s: Asterisk takes it for text", c, what);
            is_lenient = false;
        } else if (!depth || closers[depth - 1] != c) {
            if (!is_told)
                ael_problem(x, here(f), DIALPLAN_SKIPPED, "expected \"%c\" in %s, and found \"%c\": Asterisk loads nothing of extensions.ael",
                            depth ? closers[depth - 1] : ';', what, c);
            is_told = true;
            if (depth < 2 && c != ']') /* more likely the end was forgotten */
                return false;
            depth -= depth > 1;
        } else if (--depth == 0 && open) {
            return true;
        }
    }
    ael_problem(x, place, DIALPLAN_SKIPPED, "%s that begins here has no end: Asterisk loads nothing of extensions.ael", what);
    return false;
}

bool ael_lexer_verbatim(struct ael_lexer *x, enum ael_verbatim kind, struct ael_token *out)
{
    struct ael_file *f = x->files + x->depth - 1;
    const size_t start = f->at;
    bool is_whole;

    *out = (struct ael_token){ .sign = AEL_WORD, .place = here(f), .text = text_make(f->content.p + start, 0) };
    if (x->is_full)
        return false;
    is_whole = brackets_walk(x, f, kind == AEL_VALUE ? '\0' : '(', kind == AEL_VALUE ? "the value" : kind == AEL_CONDITION ? "the condition" : "the list of arguments",
                             kind == AEL_ARGUMENTS);
    out->text.n = f->at - start;
    if (is_whole && kind != AEL_VALUE)
        step(f);
    if (out->text.n > AEL_TEXT_MAX) {
        ael_problem(x, out->place, DIALPLAN_CUT, "this text is longer than the %d bytes that Asterisk's compiler has room for", AEL_TEXT_MAX);
        out->text.n = AEL_TEXT_MAX;
    }
    return is_whole;
}

void ael_lexer_back(struct ael_lexer *x, const struct ael_token *t)
{
    struct ael_file *f = x->files + x->depth - 1;

    if (!f->content.p || t->text.p < f->content.p || t->text.p > f->content.p + f->content.n)
        return;
    f->at = (size_t)(t->text.p - f->content.p);
    f->line = t->place.line;
    f->line_start = f->at - (t->place.column - 1);
}

/* ---- words ---- */

/* "${" or "$[" up to its end. */
static bool reference_walk(struct ael_lexer *x, struct ael_file *f)
{
    const char open = at(f, 1);

    f->at += 2;
    if (!brackets_walk(x, f, open, "the expression", false))
        return false;
    step(f);
    return true;
}

static void word_walk(struct ael_lexer *x, struct ael_file *f)
{
    while (f->at < f->content.n) {
        const char c = at(f, 0);

        if (c == '$' && (at(f, 1) == '{' || at(f, 1) == '[')) {
            if (!reference_walk(x, f))
                return;
        } else if (c == '\\' && at(f, 1) && at(f, 1) != '\n') {
            f->at += 2;
        } else if (is_word_sign(c) || (unsigned char)c >= 0x80) {
            f->at++;
        } else {
            return;
        }
    }
}

static size_t keyword_at(const struct ael_file *f, enum ael_sign *sign)
{
    const struct text rest = text_skip(f->content, f->at);

    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (text_starts(rest, text_of(keywords[i]))) {
            *sign = (enum ael_sign)(AEL_KEYWORD + i);
            return strlen(keywords[i]);
        }
    return 0;
}

static struct ael_token word_of(struct ael_lexer *x, struct ael_file *f)
{
    struct ael_token t = { .sign = AEL_WORD, .place = here(f) };
    const size_t start = f->at, n = keyword_at(f, &t.sign);

    if (n && !is_word_sign(at(f, n))) {
        f->at += n;
    } else {
        t.sign = AEL_WORD;
        f->at += n ? n + 1 : 0;    /* the sign behind a keyword begins nothing of its own: "default${X}" is "default$", "{" (ael.flex) */
        word_walk(x, f);
    }
    t.text = text_make(f->content.p + start, f->at - start);
    if (t.text.n > AEL_TEXT_MAX) {
        ael_problem(x, t.place, DIALPLAN_CUT, "this word is longer than the %d bytes that Asterisk's compiler has room for", AEL_TEXT_MAX);
        t.text.n = AEL_TEXT_MAX;
    }
    return t;
}

/* ---- what stands between ---- */

/* A run of "*" takes the last of them with it: a comment that ends with two stars goes on (ael.flex, state comment). */
static void comment_skip(struct ael_lexer *x, struct ael_file *f)
{
    const struct conf_place place = here(f);

    f->at += 2;
    while (f->at < f->content.n) {
        if (at(f, 0) == '*' && at(f, 1) == '/') {
            f->at += 2;
            return;
        }
        if (at(f, 0) == '*') {
            while (at(f, 0) == '*')
                f->at++;
            if (at(f, 0) == '/')
                f->at++;
            continue;
        }
        step(f);
    }
    ael_problem(x, place, DIALPLAN_SKIPPED, "the comment that begins here has no end, and swallows the rest (\"**/\" is no end)");
}

static bool blank_skip(struct ael_lexer *x, struct ael_file *f)
{
    const char c = at(f, 0);

    if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        step(f);
    else if (c == '/' && at(f, 1) == '/')
        while (f->at < f->content.n && at(f, 0) != '\n')
            f->at++;
    else if (c == '/' && at(f, 1) == '*')
        comment_skip(x, f);
    else
        return false;
    return true;
}

static enum ael_sign sign_at(const struct ael_file *f, size_t *n)
{
    static const char signs[] = "{}();=,:&|@";
    static const enum ael_sign of[] = { AEL_OPEN, AEL_CLOSE, AEL_LEFT, AEL_RIGHT, AEL_SEMICOLON, AEL_EQUALS, AEL_COMMA, AEL_COLON, AEL_AND, AEL_BAR, AEL_AT };
    const char *found = at(f, 0) ? strchr(signs, at(f, 0)) : NULL;

    *n = 1;
    if (at(f, 0) == '=' && at(f, 1) == '>') {
        *n = 2;
        return AEL_ARROW;
    }
    return found ? of[found - signs] : AEL_END;
}

static struct ael_token token_at(struct ael_lexer *x, struct ael_file *f)
{
    size_t n;
    const enum ael_sign sign = sign_at(f, &n);
    struct ael_token t = { .sign = sign, .place = here(f), .text = text_make(f->content.p + f->at, n) };

    if (sign == AEL_END)
        return word_of(x, f);
    f->at += n;
    return t;
}

static bool begins_word(const struct ael_file *f)
{
    const char c = at(f, 0);

    return is_word_sign(c) || (unsigned char)c >= 0x80 || (c == '\\' && at(f, 1) && at(f, 1) != '\n');
}

struct ael_token ael_lexer_next(struct ael_lexer *x)
{
    struct ael_token end = { .sign = AEL_END, .text = TEXT("the end of the file") };

    for (;;) {
        struct ael_file *f = x->files + x->depth - 1;
        size_t n;

        end.place = here(f);
        if (x->is_full || x->b->err)
            return end;
        if (f->at >= f->content.n) {
            if (!ael_include_leave(x))
                return end;
        } else if (blank_skip(x, f) || ael_include_enter(x)) {
            continue;
        } else if (sign_at(f, &n) != AEL_END || begins_word(f)) {
            return token_at(x, f);
        } else {
            ael_problem(x, here(f), DIALPLAN_CUT, "a character that has no meaning here: Asterisk skips it");
            f->at++;
        }
    }
}
