/* The AGI scripts that the dialplan of an Asterisk of this machine starts: may the user that it runs as run them? */
#pragma once

#include "app/doctor/checks.h"
#include "app/doctor/rights.h"

enum doctor_shebang { DOCTOR_SHEBANG_BINARY, DOCTOR_SHEBANG_NONE, DOCTOR_SHEBANG_WINDOWS, DOCTOR_SHEBANG_NAMED };

/* Of the first bytes of a program; name is set for NAMED. Pure. */
enum doctor_shebang doctor_shebang_read(struct text head, struct text *name);

/* The process of the Asterisk of n, if it is on this machine and may be seen; else 0. Blocking. */
pid_t doctor_asterisk_process(const struct config_node *n);
/* Whom the Asterisk of n runs as: its process, else runuser of asterisk.conf (NULL: not read), else the user asterisk. 0 or -ENOENT. Blocking. */
int doctor_asterisk_user(struct doctor_person *p, const struct config_node *n, const struct conf *asterisk_conf) MUST_USE;

/* Reads the dialplan and looks; says a line for each that cannot be run, or one for all. Nothing for a node of another machine. */
void doctor_scripts_check(const struct doctor_context *x);
