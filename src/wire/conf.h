/* Asterisk's configuration dialect, with file:line for every token. Shared by our own configuration and the auditor.
 * Facts: main/config.c of 22.10.1 (config_text_file_load, process_text_line): `;` comments beat quotes, `\;` is a literal,
 * `;--` ... `--;` nests, no continuation lines, `=` and `=>`, `+=`, templates, `(+)`, #include/#tryinclude with globs, #exec.
 * Pure: file contents come through struct conf_source. A parsed file is immutable; any thread may read it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"

/* CONF_LINE_MAX counts the LF: longer lines are skipped whole, as 22.10.1 does. CONF_INCLUDE_DEPTH does not count the root. */
enum { CONF_LINE_MAX = 8191, CONF_INCLUDE_DEPTH = 10, CONF_BLOCK_DEPTH = 128 };

struct conf_place {
    const char *file;              /* owned by the conf */
    unsigned line, column;         /* from 1 */
};

/* CONF_ERROR: Asterisk would refuse the whole configuration, or not read a part of it as it was meant. */
enum conf_severity { CONF_WARNING, CONF_ERROR };

struct conf_problem {
    struct conf_place place;
    enum conf_severity severity;
    char *message;                 /* what was expected and what came, one line */
};

struct conf_item {
    struct text name, value;       /* owned by the conf, each NUL-terminated for convenience */
    struct conf_place place;       /* of the name */
    unsigned value_column;
    bool arrow;                    /* written with => */
    bool appended;                 /* written with +=: value holds the joined text, place is that of the last += line */
    bool inherited;                /* copied from a template or base section */
};

struct conf_section {
    struct text name;
    struct conf_place place;
    bool is_template;              /* [x](!) */
    struct conf_item *items;       /* inherited ones first, then own, in file order */
    size_t count;
};

enum conf_directive_kind { CONF_INCLUDE, CONF_TRYINCLUDE, CONF_EXEC };

struct conf_directive {            /* what was met, for reports; #exec is never run */
    enum conf_directive_kind kind;
    struct text argument;
    struct conf_place place;
};

struct conf {
    struct conf_section *sections; /* file order; a repeated [name] is a section of its own here, [name](+) is not */
    size_t section_count;
    struct conf_problem *problems;
    size_t problem_count;
    size_t error_count;            /* problems of CONF_ERROR */
    struct conf_directive *directives;
    size_t directive_count;
    void *memory;                  /* internal */
};

/* Where files come from. read: whole content malloc'ed into *out (freed by the reader). 0, or -ENOENT, -ENOLINK (a link to nothing), -EACCES, -EFBIG...
 * expand: absolute or base-relative glob into a sorted NULL-terminated malloc'ed list of malloc'ed paths;
 * no match gives an empty list. `from` is the directory of the root file. */
struct conf_source {
    int (*read)(void *arg, const char *path, struct text *out);
    int (*expand)(void *arg, const char *from, const char *pattern, char ***out);
    void *arg;
};

/* The disk; a file over 64 MiB is -EFBIG. */
extern const struct conf_source conf_disk;

/* Reads root and all it includes. 0 (problems, even errors, are in the result; the rest is still read), -ENOMEM,
 * or what reading the root file itself gave. */
int conf_load(struct conf **out, const char *path, const struct conf_source *source) MUST_USE;
/* Reads one text as if it were a file of that name. Includes are resolved through source (NULL: each is a problem). */
int conf_parse(struct conf **out, const char *name, struct text content, const struct conf_source *source) MUST_USE;
void conf_free(struct conf *c);

/* Last value wins in the first section of that name merged with all later ones of it; templates do not count, nor does
 * the case of either name. TEXT_NONE when absent. */
struct text conf_get(const struct conf *c, struct text section, struct text name);
