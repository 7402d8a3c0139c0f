/* The files of `init`, as texts: additions to Asterisk's own files, and our configuration. Pure. */
#pragma once

#include "app/init/plan.h"
#include "base/buf.h"

enum init_file { INIT_MANAGER, INIT_ARI_CONF, INIT_HTTP, INIT_MODULES, INIT_EXTENSIONS, INIT_SIDETONE, INIT_HELLO, INIT_FILES };

/* "asterisk/manager.conf": below the folder of --out. */
const char *init_file_name(enum init_file f);
/* Is it needed for this plan? */
bool init_file_is_wanted(const struct init_plan *p, enum init_file f);
/* secrets: one for each user of the plan; NULL: a word that says where it comes from stands there instead. 0 or the buffer's error. */
int init_file_write(struct buf *out, const struct init_plan *p, enum init_file f, const char *const secrets[INIT_SECRETS]) MUST_USE;
/* "pbx1.tap": the secret's file beside sidetone.conf. */
void init_secret_name(const struct init_plan *p, enum init_secret_of s, char *out, size_t size);
