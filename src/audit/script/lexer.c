/* Cuts source into words. What differs between languages is a table of comments; texts are much the same in all of them. */
#include "audit/script/lexer.h"

#include <string.h>

enum { PART_MAX = 1500 };          /* bytes of a pattern or a text between brackets: a longer one is none */

struct syntax {
    const char *line_comments[2];
    const char *block_begin, *block_end;
    const char *quotes;            /* characters that begin a text */
    bool has_triple;               /* """ and ''' */
    bool has_here;                 /* <<WORD */
};

static const struct syntax *syntax_of(enum inventory_language language)
{
    static const struct syntax python = { .line_comments = { "#" }, .quotes = "\"'", .has_triple = true };
    static const struct syntax perl = { .line_comments = { "#" }, .block_begin = "\n=", .block_end = "\n=cut", .quotes = "\"'`", .has_here = true };
    static const struct syntax php = { .line_comments = { "#", "//" }, .block_begin = "/*", .block_end = "*/", .quotes = "\"'`", .has_here = true };
    static const struct syntax shell = { .line_comments = { "#" }, .quotes = "\"'`", .has_here = true };
    static const struct syntax lua = { .line_comments = { "--" }, .block_begin = "--[[", .block_end = "]]", .quotes = "\"'" };
    static const struct syntax ruby = { .line_comments = { "#" }, .block_begin = "\n=begin", .block_end = "\n=end", .quotes = "\"'`", .has_here = true };
    static const struct syntax c = { .line_comments = { "//" }, .block_begin = "/*", .block_end = "*/", .quotes = "\"'" };
    static const struct syntax script = { .line_comments = { "//", "#!" }, .block_begin = "/*", .block_end = "*/", .quotes = "\"'`" };

    switch (language) {
    case INVENTORY_PERL:
        return &perl;
    case INVENTORY_PHP:
        return &php;
    case INVENTORY_SHELL:
        return &shell;
    case INVENTORY_LUA:
        return &lua;
    case INVENTORY_RUBY:
        return &ruby;
    case INVENTORY_JAVASCRIPT:
        return &script;
    case INVENTORY_C:
        return &c;
    default:
        return &python;
    }
}

void script_lexer_begin(struct script_lexer *l, enum inventory_language language, struct text source)
{
    *l = (struct script_lexer){ .rest = source, .language = language, .line = 1, .is_line_start = true, .is_outside = language == INVENTORY_PHP };
}

/* ---- going on ---- */

static void skip(struct script_lexer *l, size_t n)
{
    for (size_t i = 0; i < n && i < l->rest.n; i++)
        l->line += l->rest.p[i] == '\n';
    l->rest = text_skip(l->rest, n);
}

static bool starts(const struct script_lexer *l, const char *word)
{
    return word && text_starts(l->rest, text_of(word));
}

/* Behind the next word, or at the end. */
static void skip_past(struct script_lexer *l, const char *word)
{
    const ptrdiff_t at = text_find_text(l->rest, text_of(word));

    skip(l, at < 0 ? l->rest.n : (size_t)at + strlen(word));
}

static void skip_line(struct script_lexer *l)
{
    size_t n = 0;

    while (n < l->rest.n && l->rest.p[n] != '\n')
        n++;
    skip(l, n);
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || (unsigned char)c >= 0x80;
}

/* ---- comments ---- */

/* In Perl and Ruby, a block begins with "=" at the beginning of a line. */
static bool block_skip(struct script_lexer *l, const struct syntax *s)
{
    const char *begin = s->block_begin;

    if (!begin)
        return false;
    if (begin[0] == '\n') {
        if (!l->is_line_start || !starts(l, begin + 1) || l->rest.n < 2 || !is_name_char(l->rest.p[1]))
            return false;
        skip(l, 1);
        skip_past(l, s->block_end);
        skip_line(l);
        return true;
    }
    if (!starts(l, begin))
        return false;
    skip(l, strlen(begin));
    skip_past(l, s->block_end);
    return true;
}

/* "$#" is no comment, nor is "#" within a word of the shell. */
static bool line_skip(struct script_lexer *l, const struct syntax *s, char before)
{
    for (size_t i = 0; i < 2 && s->line_comments[i]; i++) {
        if (!starts(l, s->line_comments[i]))
            continue;
        if (s->line_comments[i][0] == '#' && (before == '$' || before == '\\' || (l->language == INVENTORY_SHELL && is_name_char(before))))
            continue;
        skip_line(l);
        return true;
    }
    return false;
}

/* ---- texts ---- */

static bool is_quote(const struct syntax *s, char c)
{
    return c && strchr(s->quotes, c) != NULL;
}

static bool text_triple(struct script_lexer *l, struct script_token *t, char quote)
{
    const char end[4] = { quote, quote, quote, '\0' };
    ptrdiff_t at;

    if (!starts(l, end))
        return false;
    skip(l, 3);
    at = text_find_text(l->rest, text_of(end));
    t->text = at < 0 ? l->rest : text_head(l->rest, (size_t)at);
    skip(l, at < 0 ? l->rest.n : (size_t)at + 3);
    return true;
}

static void text_take(struct script_lexer *l, struct script_token *t, char quote)
{
    const bool escapes = !(l->language == INVENTORY_SHELL && quote == '\'');
    size_t n = 1;

    while (n < l->rest.n && l->rest.p[n] != quote)
        n += escapes && l->rest.p[n] == '\\' ? 2 : 1;
    n = n < l->rest.n ? n : l->rest.n;
    t->text = text_skip(text_head(l->rest, n), 1);
    skip(l, n < l->rest.n ? n + 1 : n);
}

static bool take_text(struct script_lexer *l, const struct syntax *s, struct script_token *t, bool is_formatted)
{
    const char quote = l->rest.p[0];

    if (!is_quote(s, quote))
        return false;
    t->kind = SCRIPT_TEXT;
    t->is_command = quote == '`' && l->language != INVENTORY_JAVASCRIPT;
    switch (l->language) {
    case INVENTORY_PYTHON:
    case INVENTORY_UNKNOWN:
        t->is_open = is_formatted;
        break;
    case INVENTORY_JAVASCRIPT:
        t->is_open = quote == '`';
        break;
    case INVENTORY_C:
    case INVENTORY_LUA:
        break;
    default:
        t->is_open = quote != '\'';
        break;
    }
    if (!s->has_triple || !text_triple(l, t, quote))
        text_take(l, t, quote);
    return true;
}

/* ---- patterns ---- */

static char closing_of(char open)
{
    return open == '(' ? ')' : open == '{' ? '}' : open == '[' ? ']' : open == '<' ? '>' : open;
}

/* Length of what stands between the delimiter at t and its end, both included. 0: it does not end on this line, or, between brackets, within PART_MAX. */
static size_t part_length(struct text t)
{
    const char open = t.p[0], close = closing_of(open);
    size_t depth = 1;

    for (size_t i = 1; i < t.n && i < PART_MAX; i++) {
        if (t.p[i] == '\n' && open == close)
            return 0;
        if (t.p[i] == '\\')
            i++;
        else if (t.p[i] == close && --depth == 0)
            return i + 1;
        else
            depth += open != close && t.p[i] == open;
    }
    return 0;
}

/* What may stand before a pattern, and not before a division. */
static bool is_operator(char c)
{
    return c == '\0' || strchr("(,=~!&|{};:?[\n", c) != NULL;
}

/* The letters of "s/.../.../", "tr{...}{...}", "m|...|", "qr/.../", "q(...)", "qq{...}" at the beginning; *parts: how many follow. 0: none. */
static size_t letters_of(const struct script_lexer *l, unsigned *parts, bool *is_text)
{
    static const struct {
        const char *letters;
        unsigned parts;
        bool is_text, is_anywhere;  /* anywhere: also where no operator stands before it */
    } known[] = { { "qq", 1, true, true }, { "qr", 1, false, true }, { "q", 1, true, true }, { "tr", 2, false, false },
                  { "y", 2, false, false }, { "s", 2, false, false }, { "m", 1, false, false } };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const size_t n = strlen(known[i].letters);
        const char next = l->rest.n > n ? l->rest.p[n] : '\0';

        if (!starts(l, known[i].letters) || !next || is_name_char(next) || strchr(" \t\r\n,;=)]}>.-+*&'\"", next))
            continue;
        if (known[i].is_anywhere ? l->prior == '>' || l->prior == '{' : !is_operator(l->prior))
            continue;
        *parts = known[i].parts;
        *is_text = known[i].is_text;
        return n;
    }
    return 0;
}

/* Perl: quotes within a pattern begin no text. */
static bool perl_take(struct script_lexer *l, struct script_token *t)
{
    unsigned parts = 0;
    bool is_text = false;
    const size_t letters = letters_of(l, &parts, &is_text);
    const struct text from = text_skip(l->rest, letters);
    size_t n, second;

    if (!letters)
        return false;
    n = part_length(from);
    if (!n)
        return false;
    t->kind = is_text ? SCRIPT_TEXT : SCRIPT_SIGN;
    t->text = is_text ? text_skip(text_head(from, n - 1), 1) : text_head(l->rest, 1);
    t->is_open = is_text && letters == 2;
    if (parts == 2 && closing_of(from.p[0]) == from.p[0]) {
        second = part_length(text_skip(from, n - 1));
        n = second ? n - 1 + second : n;
    } else if (parts == 2) {
        second = n;
        while (second < from.n && (from.p[second] == ' ' || from.p[second] == '\n'))
            second++;
        n = second < from.n ? second + part_length(text_skip(from, second)) : n;
    }
    skip(l, letters + n);
    return true;
}

/* "/.../" where a division cannot stand. */
static bool pattern_take(struct script_lexer *l, struct script_token *t)
{
    const bool has_patterns = l->language == INVENTORY_PERL || l->language == INVENTORY_RUBY || l->language == INVENTORY_JAVASCRIPT;
    size_t n;

    if (!has_patterns)
        return false;
    if (l->language == INVENTORY_PERL && perl_take(l, t))
        return true;
    if (l->rest.p[0] != '/' || !is_operator(l->prior))
        return false;
    n = part_length(l->rest);
    if (!n)
        return false;
    t->kind = SCRIPT_SIGN;
    t->text = text_head(l->rest, 1);
    skip(l, n);
    return true;
}

/* <<WORD, <<"WORD", <<-WORD, <<~WORD, <<<WORD (PHP): what stands on the next lines is a text. */
static bool here_begin(struct script_lexer *l)
{
    size_t n = 2, begin;
    char quote = '\0';

    if (!starts(l, "<<") || l->here.n > 0)
        return false;
    n += l->rest.n > n && strchr("<-~", l->rest.p[n]) ? 1 : 0;
    if (l->rest.n > n && (l->rest.p[n] == '"' || l->rest.p[n] == '\''))
        quote = l->rest.p[n++];
    begin = n;
    while (n < l->rest.n && is_name_char(l->rest.p[n]))
        n++;
    if (n == begin || (l->rest.p[begin] >= '0' && l->rest.p[begin] <= '9'))
        return false;
    l->here = text_skip(text_head(l->rest, n), begin);
    l->here_is_open = quote != '\'';
    skip(l, n + (quote && n < l->rest.n ? 1 : 0));
    return true;
}

static bool here_take(struct script_lexer *l, struct script_token *t)
{
    const struct text word = l->here, from = l->rest;
    size_t n = 0;

    l->here = TEXT_NONE;
    t->kind = SCRIPT_TEXT;
    t->is_open = l->here_is_open;
    t->line = l->line;
    while (n < from.n) {
        struct text line = text_skip(from, n);
        size_t end = 0;

        while (end < line.n && line.p[end] != '\n')
            end++;
        line = text_trim(text_head(line, end));
        if (text_starts(line, word) && (line.n == word.n || !is_name_char(line.p[word.n]))) {
            t->text = text_head(from, n);
            skip(l, n + end);
            return true;
        }
        n += end + 1;
    }
    t->text = from;
    skip(l, from.n);
    return true;
}

/* ---- words ---- */

static void take_name(struct script_lexer *l, struct script_token *t)
{
    size_t n = 0;

    while (n < l->rest.n && is_name_char(l->rest.p[n]))
        n++;
    t->kind = SCRIPT_NAME;
    t->text = text_head(l->rest, n);
    skip(l, n);
}

static bool php_enter(struct script_lexer *l)
{
    const ptrdiff_t at = text_find_text(l->rest, TEXT("<?"));

    if (at < 0) {
        skip(l, l->rest.n);
        return false;
    }
    skip(l, (size_t)at + 2);
    if (starts(l, "php"))
        skip(l, 3);
    l->is_outside = false;
    return true;
}

/* Blanks and comments. False at the end. True with *here: a here document begins on this line. */
static bool blanks_skip(struct script_lexer *l, const struct syntax *s, char *before, bool *here)
{
    *here = false;
    while (l->rest.n > 0) {
        const char c = l->rest.p[0];

        if (c == '\n') {
            skip(l, 1);
            l->is_line_start = true;
            *before = '\n';
            if (l->here.n > 0) {
                *here = true;
                return true;
            }
        } else if (c == ' ' || c == '\t' || c == '\r' || c == '\0') {
            skip(l, 1);
            *before = ' ';
        } else if (!block_skip(l, s) && !line_skip(l, s, *before)) {
            return true;
        }
    }
    return false;
}

/* r"", f"", b"": the letters belong to the text. */
static bool is_prefix(const struct script_lexer *l, const struct text name)
{
    return l->language == INVENTORY_PYTHON && name.n <= 2 && l->rest.n > 0 && (l->rest.p[0] == '"' || l->rest.p[0] == '\'');
}

static bool word_take(struct script_lexer *l, const struct syntax *s, struct script_token *out)
{
    const char *const rest = l->rest.p;

    if (pattern_take(l, out) || take_text(l, s, out, false))
        return true;
    if (l->rest.n > 1 && (rest[0] == '$' || rest[0] == '@' || rest[0] == '%') && is_name_char(rest[1])) {
        skip(l, 1);
        out->has_sigil = true;
    }
    if (is_name_char(l->rest.p[0])) {
        take_name(l, out);
        if (is_prefix(l, out->text)) {
            const bool is_formatted = text_find(out->text, 'f') >= 0 || text_find(out->text, 'F') >= 0;

            take_text(l, s, out, is_formatted);
        }
        return true;
    }
    if (l->language == INVENTORY_SHELL && starts(l, "$#"))
        skip(l, 1);                /* no comment */
    out->kind = SCRIPT_SIGN;
    out->text = text_head(l->rest, 1);
    skip(l, 1);
    return true;
}

/* Behind some words a pattern may stand. */
static char prior_of(const struct script_token *t)
{
    static const char *const words[] = { "split", "grep", "if", "unless", "and", "or", "not", "return", "when", "while", "until" };

    if (t->kind == SCRIPT_SIGN)
        return t->text.p[0];
    for (size_t i = 0; t->kind == SCRIPT_NAME && !t->has_sigil && i < sizeof words / sizeof *words; i++)
        if (text_eq(t->text, text_of(words[i])))
            return '(';
    return 'a';
}

bool script_lexer_next(struct script_lexer *l, struct script_token *out)
{
    const struct syntax *s = syntax_of(l->language);
    char before = '\n';
    bool here;

    for (;;) {
        *out = (struct script_token){ .kind = SCRIPT_END };
        if ((l->is_outside && !php_enter(l)) || !blanks_skip(l, s, &before, &here))
            return false;
        if (here)
            return here_take(l, out);
        out->line = l->line;
        out->is_first = l->is_line_start;
        l->is_line_start = false;
        if (s->has_here && here_begin(l))
            continue;
        if (l->language == INVENTORY_PHP && starts(l, "?>")) {
            l->is_outside = true;
            skip(l, 2);
            continue;
        }
        if (!word_take(l, s, out))
            return false;
        l->prior = prior_of(out);
        return true;
    }
}
