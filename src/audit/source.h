/* The lines of configuration files by number, for reports. Each file is read once; all of it is freed with the cache. Thread: one. */
#pragma once

#include <stddef.h>

#include "base/err.h"
#include "base/text.h"
#include "wire/conf.h"

struct source;

enum { SOURCE_BYTES_MAX = 256 << 20 }; /* of all files; lines of those beyond it are not had */

int source_open(struct source **out, const struct conf_source *from) MUST_USE;
void source_free(struct source *s);    /* NULL passes */
/* Without its end (LF, CR LF). TEXT_NONE: there is no such line, or the file cannot be read. */
struct text source_line(struct source *s, const char *file, unsigned line);
/* The line "[name]..." that is in force there; empty before the first. */
struct text source_section(struct source *s, const char *file, unsigned line);
/* -ENOMEM when a file could not be kept for lack of memory, else 0. */
int source_error(const struct source *s);
