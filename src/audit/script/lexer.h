/* The words of a script in any of the languages in which AGI scripts are written: names, texts and signs, with comments left out. Not a parser: what
 * it gives of broken source is words, too. Pure; allocates nothing. */
#pragma once

#include <stdbool.h>

#include "audit/inventory.h"

enum script_token_kind { SCRIPT_END, SCRIPT_NAME, SCRIPT_TEXT, SCRIPT_SIGN };

struct script_token {
    enum script_token_kind kind;
    struct text text;              /* of a text: what is between its quotes, as written; of a sign: one character */
    unsigned line;
    bool is_open;                  /* a text in which variables are put in: "", ``, f"", here documents */
    bool is_command;               /* `...`: a shell runs it */
    bool has_sigil;                /* $name @name %name */
    bool is_first;                 /* of its line */
};

struct script_lexer {
    struct text rest;
    enum inventory_language language;
    unsigned line;
    bool is_line_start;
    bool is_outside;               /* PHP: before <?php */
    struct text here;              /* the word that ends a here document, from the next line on */
    bool here_is_open;
    char prior;                    /* the sign before, 'a' behind a word or a text, '\0' at the beginning */
};

void script_lexer_begin(struct script_lexer *l, enum inventory_language language, struct text source);
/* False at the end. */
bool script_lexer_next(struct script_lexer *l, struct script_token *out);
