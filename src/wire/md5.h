/* MD5 (RFC 1321), for AMI's challenge and for nothing else: it protects no message. */
#pragma once

#include "base/text.h"

enum { MD5_HEX = 32 };

/* MD5 of a and b joined, as lowercase hex digits, terminated. */
void md5_hex(struct text a, struct text b, char out[MD5_HEX + 1]);
