/* The steps that are made of a dialplan in AEL, before they have numbers. Between ael_compile.c, ael_code.c and ael_put.c. */
#pragma once

#include "audit/ael_tree.h"

enum ael_step_kind { AEL_STEP_CALL, AEL_STEP_LABEL, AEL_STEP_GOTO, AEL_STEP_LOOP, AEL_STEP_IF, AEL_STEP_IFTIME };

/* AEL_DIALPLAN_MAX: bytes that the whole dialplan may take; long names within each other make long texts. */
enum { AEL_DIALPLAN_MAX = 256 << 20 };

struct ael_routine;

/* One step. GOTO leads to `yes`; LOOP and IF lead to the next one, or to `no`; IFTIME to the one behind the next. */
struct ael_step {
    enum ael_step_kind kind;
    struct text app, args;
    const struct ael_node *origin; /* what Asterisk takes it for; it decides how numbers are written (pval.c, add_extensions) */
    struct conf_place place;
    unsigned app_column, args_column; /* 0: Asterisk's own */
    const struct ael_step *yes, *no;
    const struct ael_routine *routine;
    unsigned number;
    struct ael_step *next;
};

/* An extension that is being made. */
struct ael_routine {
    struct text name, caller, hint;
    const struct ael_node *node;
    struct dialplan_context *context;
    struct ael_step *first, *last;
    const struct ael_step *on_break, *on_continue;
    bool is_case, is_regexten, has_switch, has_looked; /* has_looked: for a switch */
    struct ael_routine *next;
};

struct ael_code {
    struct ael_tree *t;
    struct dialplan_build *b;
    const struct ael_labels *labels;
    const struct audit *audit;
    struct ael_routine *first, *last; /* in the order in which they go into the dialplan */
    unsigned count;                /* of statements that get a number of their own */
    unsigned looked;               /* statements so far */
    bool is_full;                  /* a ceiling is met, and told */
    struct ael_step none;          /* stands for what there is no memory for */
};

struct ael_step *ael_step_new(struct ael_code *c, enum ael_step_kind kind, const struct ael_node *n);
/* Adds it at the end; "${EXTEN}" becomes "${~~EXTEN~~}" behind a switch. */
void ael_step_add(struct ael_code *c, struct ael_routine *r, struct ael_step *s, const struct ael_routine *mother);
/* An application of Asterisk's own making, added at the end. */
struct ael_step *ael_step_made(struct ael_code *c, struct ael_routine *r, const struct ael_routine *mother, const struct ael_node *n, const char *app,
                               struct text args);
struct ael_routine *ael_routine_new(struct ael_code *c, struct dialplan_context *context, struct text name, const struct ael_node *n);
/* The steps of a body. */
void ael_body(struct ael_code *c, struct ael_routine *r, struct text label, struct ael_node *body, struct ael_routine *mother);
void ael_switch(struct ael_code *c, struct ael_routine *r, struct text label, struct ael_node *n, struct ael_routine *mother);
void ael_catch(struct ael_code *c, struct ael_routine *r, struct ael_node *n, struct ael_routine *mother);
/* ael_put.c: numbers what was made, and puts it into the dialplan. */
void ael_put(struct ael_code *c);
