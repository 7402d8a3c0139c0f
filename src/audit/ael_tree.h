/* What a dialplan in AEL says, as a tree of statements: ael_parse.c makes it, ael_check.c looks at it, ael_compile.c makes steps of it. */
#pragma once

#include "audit/ael_lexer.h"

/* AEL_DEPTH_MAX: statements within each other. AEL_NODES_MAX: of all files. */
enum { AEL_DEPTH_MAX = 400, AEL_NODES_MAX = 500000 };

enum ael_kind {
    AEL_CONTEXT, AEL_MACRO, AEL_GLOBALS, AEL_EXTENSION, AEL_INCLUDE, AEL_SWITCH_LINE, AEL_IGNOREPAT,
    AEL_BLOCK, AEL_SET, AEL_LOCAL, AEL_GOTO, AEL_LABEL, AEL_FOR, AEL_WHILE, AEL_SWITCH, AEL_CASE, AEL_PATTERN, AEL_DEFAULT, AEL_MACRO_CALL, AEL_CALL,
    AEL_BREAK, AEL_RETURN, AEL_CONTINUE, AEL_IF, AEL_IFTIME, AEL_RANDOM, AEL_CATCH
};

struct ael_node {
    enum ael_kind kind;
    struct conf_place place;       /* of its name; of its keyword if it has none */
    struct conf_place value_place; /* of part[0] */
    /* CONTEXT, MACRO, EXTENSION, LABEL, CASE, PATTERN, CATCH, SET, LOCAL, CALL, MACRO_CALL: its name. INCLUDE, IGNOREPAT: what. */
    struct text name;
    /* SET, LOCAL, CALL, MACRO_CALL: the value or the arguments. IF, RANDOM, WHILE, SWITCH, IFTIME: the condition. FOR: its three. GOTO: where to.
     * MACRO: its arguments. INCLUDE: the times. SWITCH_LINE: "switch" or "eswitch". EXTENSION: the hint. */
    struct text part[3];
    unsigned part_count;           /* GOTO: up to 3; CALL, MACRO_CALL: 0 without brackets, or with none between them */
    bool is_regexten, is_extended, is_made, is_damaged; /* is_made: by Asterisk, not in the file */
    struct ael_node *child, *otherwise; /* statements; the else branch */
    struct ael_node *next, *dad;
    struct text compiled;          /* LABEL: the extension that it came to stand in */
    size_t order, end;             /* among all nodes; end: behind what is in it */
};

struct ael_tree {
    struct dialplan_build *b;
    struct ael_lexer lexer;
    struct arena *memory;          /* of the nodes */
    struct ael_node *first;        /* contexts, macros, globals */
    size_t count;
    struct ael_token token;        /* the next one */
    unsigned depth;
};

/* Reads all of it; problems are told. The tree's texts live as long as the dialplan, its nodes as long as t->memory. */
void ael_parse(struct ael_tree *t);

/* ---- between ael_parse.c, ael_parse_statement.c and ael_parse_words.c ---- */

void ael_take(struct ael_tree *t);                    /* the next token comes into t->token */
bool ael_has(struct ael_tree *t, enum ael_sign sign); /* takes it if it is there */
/* Takes it, or tells what was expected and goes on behind the damage (false). */
bool ael_expect(struct ael_tree *t, enum ael_sign sign, const char *what);
void ael_damage(struct ael_tree *t, const char *expected);
/* Behind the next ";", or behind the block that begins before it; a "}" of somebody else stays. */
void ael_skip(struct ael_tree *t);
/* NULL: no room; nothing more is read. */
struct ael_node *ael_node_new(struct ael_tree *t, enum ael_kind kind, struct conf_place place);
/* One statement; NULL: an empty one, or a damaged one. */
struct ael_node *ael_statement(struct ael_tree *t);
/* Statements up to what cannot begin one. */
struct ael_node *ael_statements(struct ael_tree *t);
/* "NAME=VALUE;" with the name taken already. */
struct ael_node *ael_assignment(struct ael_tree *t, struct ael_token name, enum ael_kind kind);
/* "hours|days of the week|days|months", commas between. Absent: damaged. */
struct text ael_times(struct ael_tree *t);
/* "goto ...;" and "jump ...;", from the keyword on. NULL: damaged. */
struct ael_node *ael_goto(struct ael_tree *t);
struct ael_node *ael_jump(struct ael_tree *t);

/* ---- ael_check.c ---- */

struct ael_index {                 /* by name, then by place */
    const struct ael_node **of;
    size_t count, room;
};

struct ael_labels {
    struct ael_index labels, objects, extensions; /* objects: contexts and macros */
};

/* Adds what Asterisk adds (return, default), finds the labels, and tells what makes Asterisk refuse the file. False: no memory. */
bool ael_check(struct ael_tree *t, struct ael_labels *labels);
/* What a goto leads to, NULL: nothing that is known. is_compiling: the compiler has forgotten the other contexts (pval.c: current_db is 0 by then), so
 * a jump that names a context is never led into a case. */
const struct ael_node *ael_target(const struct ael_labels *labels, const struct ael_node *jump, bool is_compiling);
bool ael_is_in_case(const struct ael_node *n);
/* The arguments of a list, cut at the commas outside of "()". */
bool ael_cut(struct text *rest, struct text *one);

/* ---- ael_compile.c ---- */

/* Puts the steps into the dialplan. a: for the globals of extensions.conf. See b->err. */
void ael_compile(struct ael_tree *t, const struct ael_labels *labels, const struct audit *a);
