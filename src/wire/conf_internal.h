/* What the files of the conf reader share: the result in the making, its memory, logical lines. Not for outsiders. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "wire/conf.h"

enum {
    CONF_FILES_MAX = 10000,                /* files read for one conf: includes may multiply */
    CONF_BYTES_MAX = 256 << 20,            /* their bytes together */
    CONF_MEMORY_MAX = 768 << 20,           /* of the result */
    CONF_INHERITED_MAX = 1000000,          /* settings copied by inheritance: templates may double at each step */
    CONF_JOINED_MAX = 16 << 20,            /* bytes copied by += */
    CONF_PROBLEMS_MAX = 10000,             /* listed; the rest is counted */
    CONF_SECTION_NAME_MAX = 79,            /* Asterisk cuts longer ones */
    CONF_BOM_BYTES = 3,
};

/* Keys of conf_index: sections by name without regard to case, the first of each sort; the last setting of a name. */
enum { CONF_KEY_ANY, CONF_KEY_LIVE, CONF_KEY_TEMPLATE, CONF_KEY_ITEMS };

struct conf_index {
    struct conf_slot *slots;
    size_t cap, used;
};

bool conf_index_get(const struct conf_index *x, size_t kind, struct text name, size_t *value);
/* Replaces. The name's bytes must outlive the index. 0 or -ENOMEM. */
int conf_index_put(struct conf_index *x, size_t kind, struct text name, size_t value) MUST_USE;
void conf_index_free(struct conf_index *x);

/* A line without comments and outer blanks; columns[i] tells where p[i] stood in the file, from 1. */
struct conf_line {
    const char *p;
    const uint16_t *columns;
    size_t n;
    unsigned number;
    char store[CONF_LINE_MAX];
    uint16_t column_store[CONF_LINE_MAX];
};

/* Column of a place in the line, its end included. */
unsigned conf_column(const struct conf_line *l, const char *at);

/* The files of one #include: an open block comment runs on from one into the next (seen on 22.10.1). */
struct conf_lexer {
    struct text rest;
    const char *file;
    unsigned number;
    int depth;                             /* of block comments; below 0 after a stray "--;" */
    struct conf_place open[CONF_BLOCK_DEPTH];
    struct conf_place told;                /* the opening already reported as unclosed */
};

struct conf_build {
    struct conf *c;
    const struct conf_source *source;
    const char *from;                      /* directory of the root file */
    const char *file;                      /* that the current line is in */
    struct conf_index index;
    struct conf_line line;
    ssize_t current;                       /* section last opened anywhere, or -1 */
    size_t files, bytes, memory, inherited, joined;
    bool is_full;                          /* a ceiling was met: nothing more is read */
    int err;                               /* -ENOMEM sticks */
};

/* conf_memory.c: nothing is added once err is set; texts are TEXT_NONE and indexes -1 then. */
struct conf *conf_new(void);
struct text conf_keep(struct conf_build *b, struct text t);
ssize_t conf_section_add(struct conf_build *b, struct text name, struct conf_place place);
void conf_section_drop_last(struct conf_build *b);
struct conf_item *conf_item_add(struct conf_build *b, size_t section, const struct conf_item *item);
/* How many of the section's items the index knows. */
size_t *conf_indexed(struct conf_build *b, size_t section);
void conf_directive_add(struct conf_build *b, enum conf_directive_kind kind, struct text argument, struct conf_place place);
void conf_problem(struct conf_build *b, enum conf_severity severity, struct conf_place place, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* A ceiling is met: says so once and ends the reading. */
void conf_stop(struct conf_build *b, struct conf_place place, const char *why);

/* Says how many problems were not listed. */
void conf_finish(struct conf_build *b);

/* conf_lex.c */
void conf_lexer_file(struct conf_lexer *x, const char *file, struct text content);
bool conf_lexer_next(struct conf_lexer *x, struct conf_build *b, struct conf_line *out);
void conf_lexer_end(struct conf_lexer *x, struct conf_build *b);

/* conf_build.c: *section is where settings of this file go, or -1. */
void conf_build_lines(struct conf_build *b, struct conf_lexer *x, ssize_t *section, unsigned level);
/* conf_section.c */
void conf_build_section(struct conf_build *b, const struct conf_line *l, const char *file, ssize_t *section);
/* conf_setting.c */
void conf_build_setting(struct conf_build *b, const struct conf_line *l, const char *file, ssize_t section);
/* conf_include.c */
void conf_build_directive(struct conf_build *b, const struct conf_line *l, const char *file, unsigned level);
