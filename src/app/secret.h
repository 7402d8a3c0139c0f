/* A secret of the configuration: found by reference, handed out only by name of the act, wiped when it goes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/text.h"

enum { SECRET_MAX = 4096 };

/* The value has no field that a format could meet by accident; whoever needs it says secret_reveal. */
struct secret {
    struct secret_bytes *bytes; /* NULL: none, or not resolved */
};

/* Where `@env:NAME`, `@file:PATH` and `@credential:NAME` are looked up. */
struct secret_source {
    const char *directory;      /* relative @file: paths start here */
    const char *credentials;    /* $CREDENTIALS_DIRECTORY; NULL: none */
};

enum secret_form { SECRET_LITERAL, SECRET_ENV, SECRET_FILE, SECRET_CREDENTIAL };

/* Which form a reference has, and its NAME or PATH. SECRET_LITERAL: anything else, even a broken reference; *name is then absent. */
enum secret_form secret_form(struct text reference, struct text *name);

struct secret_answer {
    char problem[512];          /* one sentence, never any part of a value; "" when all is well */
    bool is_warning;            /* found, but the file is readable by everyone */
};

/* 0, -EINVAL (not a reference, or an unfit content), -ENOENT, -EACCES..., -ENOMEM. answer is always filled. */
int secret_resolve(struct secret *out, struct text reference, const struct secret_source *source, struct secret_answer *answer) MUST_USE;
/* From a value that is at hand. 0, -EINVAL (not one line), -ENOMEM. */
int secret_from(struct secret *out, struct text value) MUST_USE;
/* The file of an @file: reference, absolute when the configuration's folder is; NULL of the others. */
const char *secret_file(const struct secret *s);
/* Reads that file again: the value as it is now. of: the struct secret. 0, -ENOENT (no file), and as secret_resolve. */
int secret_read_again(const void *of, char *out, size_t size);
/* Wipes and forgets; safe on an empty one. */
void secret_free(struct secret *s);
bool secret_is_set(const struct secret *s);
/* NUL-terminated, lives as long as the secret. NULL when there is none. */
const char *secret_reveal(const struct secret *s);
