/* Hides secrets in a line of configuration that is to be shown. Pure. What it does not know for harmless, it hides. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/text.h"
#include "wire/conf.h"

/* Of each byte of a line. MASK_HIDDEN: a run of them is shown as "***"; MASK_GONE: a comment, not shown at all. */
enum mask { MASK_SHOWN, MASK_HIDDEN, MASK_GONE };

/* Fills out[0..line.n). False: the line is not to be shown, because nobody can be sure of it: its kind is unknown, or it is longer than
 * CONF_LINE_MAX. file: its name says whether `;`, `//` or `--` begins a comment. */
bool mask_line(const char *file, struct text line, unsigned char out[CONF_LINE_MAX]);
/* Does a name or a sentence speak of a secret (secret, password, token, PIN...)? */
bool mask_speaks_of_secrets(struct text t);
