/* Puts a whole file in its place at once: the old one stays until the new one is on the disk. */
#pragma once

#include "base/text.h"

/* What is no regular file (a pipe, /dev/stdout) is written to as it is. An existing file keeps its mode, a new one gets 0666 less the umask.
 * 0 or what the system said. */
int file_put(const char *path, struct text content) MUST_USE;
