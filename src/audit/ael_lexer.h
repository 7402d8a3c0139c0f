/* Cuts AEL files into tokens as res/ael/ael.flex of 22.10.1 does: words, signs, and texts up to a bracket or a semicolon that are taken as they stand.
 * Follows #include. Texts point into the files, which stay in the dialplan's memory. Thread: one. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan_build.h"

/* AEL_INCLUDE_DEPTH is Asterisk's; its bracket stacks have AEL_BRACKETS_MAX places and no guard. */
enum { AEL_INCLUDE_DEPTH = 50, AEL_BRACKETS_MAX = 400, AEL_FILES_MAX = 10000, AEL_BYTES_MAX = 64 << 20, AEL_PROBLEMS_MAX = 200 };

enum ael_sign {
    AEL_END, AEL_WORD, AEL_OPEN, AEL_CLOSE, AEL_LEFT, AEL_RIGHT, AEL_SEMICOLON, AEL_EQUALS, AEL_COMMA, AEL_COLON, AEL_AND, AEL_BAR, AEL_ARROW, AEL_AT,
    AEL_KEYWORD,                   /* from here on: the keywords, in the order of their table */
    KW_CONTEXT = AEL_KEYWORD, KW_ABSTRACT, KW_EXTEND, KW_MACRO, KW_GLOBALS, KW_LOCAL, KW_IGNOREPAT, KW_SWITCHES, KW_SWITCH, KW_IFTIME, KW_IF, KW_RANDOM,
    KW_REGEXTEN, KW_HINT, KW_ELSE, KW_GOTO, KW_JUMP, KW_RETURN, KW_BREAK, KW_CONTINUE, KW_FOR, KW_WHILE, KW_CASE, KW_DEFAULT, KW_PATTERN, KW_CATCH,
    KW_ESWITCHES, KW_INCLUDES
};

struct ael_token {
    enum ael_sign sign;
    struct text text;              /* as written */
    struct conf_place place;
};

/* Texts taken as they stand: AEL_ARGUMENTS and AEL_CONDITION up to the ")" of a "(" before them, AEL_VALUE up to a ";". */
enum ael_verbatim { AEL_ARGUMENTS, AEL_CONDITION, AEL_VALUE };

struct ael_file {
    const char *name;
    struct text content;
    size_t at, line_start;
    unsigned line;
    char **others;                 /* what else the pattern of the #include gave, with next; malloc'ed */
    size_t next;
};

struct ael_lexer {
    struct dialplan_build *b;
    const struct conf_source *source;
    const char *folder;
    struct ael_file files[AEL_INCLUDE_DEPTH + 1];
    size_t depth;                  /* how many of them are open */
    size_t file_count, bytes, problem_count;
    bool is_full;                  /* a ceiling is met: what comes is the end */
};

/* Opens the root. 0, -ENOMEM, or what reading it gave. */
int ael_lexer_open(struct ael_lexer *x, struct dialplan_build *b, struct audit *a) MUST_USE;
void ael_lexer_close(struct ael_lexer *x);
struct ael_token ael_lexer_next(struct ael_lexer *x);
/* The text from here on, with its place; the ")" is taken, too, the ";" is not. False: it has no proper end (a problem says so). */
bool ael_lexer_verbatim(struct ael_lexer *x, enum ael_verbatim kind, struct ael_token *out);
/* Goes back to a token that was just read, in the same file. */
void ael_lexer_back(struct ael_lexer *x, const struct ael_token *t);
/* One sentence about a place in the files. The tail says what Asterisk makes of it. */
void ael_problem(struct ael_lexer *x, struct conf_place place, enum dialplan_fault fault, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* "x y" of two texts, in the dialplan's memory; see b->err. Cut at AEL_TEXT_MAX. */
struct text ael_text(struct dialplan_build *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What Asterisk's buffers of 2000 bytes hold. */
enum { AEL_TEXT_MAX = 1999 };
