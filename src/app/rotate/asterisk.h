/* What a rotation asks of Asterisk, and tells it. Blocking. */
#pragma once

#include "app/rotate/rotate.h"
#include "base/err.h"

/* Logs in as this user alone, with this value. 0: let in; -EACCES: refused; else there was no answer. */
int asterisk_login(const struct config_node *node, enum rotate_door door, const char *user, const char *value) MUST_USE;
/* PROGRAM -C ETC/asterisk.conf -rx COMMAND. 0, or why it failed; Asterisk has read its file then. */
int asterisk_tell(const char *program, const char *etc, const char *command) MUST_USE;
