/* Writes the files of `init` below a folder, secrets for their owner only; nothing that is there is touched. Blocking. */
#pragma once

#include "app/init/text.h"

/* A fresh secret in hexadecimal: out has 2 * INIT_SECRET_BYTES + 1. 0 or -EIO. */
int init_secret_make(char *out, size_t size) MUST_USE;

/* All or nothing: when one of them is there already, or cannot be written, what was written before is removed. told: a line a file,
 * its path. 0, -EEXIST and the like, with the path in why. */
int init_files_write(const struct init_plan *p, const char *folder, const char *const secrets[INIT_SECRETS], struct buf *told, char *why, size_t size) MUST_USE;
