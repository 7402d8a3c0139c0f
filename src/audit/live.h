/* The view of the running system beside the files: sidetone-live.conf, as `audit --live` makes it. Pure.
 *
 *   [contexts]  context = NAME    loaded from extensions.conf     a section that is there is whole
 *               other = NAME      loaded by AEL or Lua
 *   [steps]     context = NAME, extension = NAME, step = PRIORITY MARK APPLICATION   of extensions.conf; MARK: live_step_mark
 *   [modules]   module = NAME     that run
 *   [changed]   file = NAME       newer than the last reload
 *   [users]     user = NAME, and where they were told: secret = yes|no, acl = yes|no, read = CLASSES, write = CLASSES
 *   [listens]   manager, manager-tls, http, https = ADDRESS|no    by Asterisk's own words; udp, tcp, tls = ADDRESS: SIP transports
 *   [sockets]   tcp, udp = ADDRESS    on which the process listens */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"

/* The section of that name, or NULL: then nothing is known. */
const struct conf_section *live_section(const struct audit *a, const char *name);
bool live_has(const struct conf_section *s, struct text value);
/* The values of a section, sorted: for who looks up many. */
struct live_names {
    struct text *names;
    size_t count;
};
/* 0 or -ENOMEM; memory is the audit's. */
int live_names_of(struct live_names *out, struct audit *a, const struct conf_section *s) MUST_USE;
bool live_names_have(const struct live_names *n, struct text name);
/* May the name stand in the view as it is? Others are left out of both sides. */
bool live_is_plain(struct text name);
/* Of an application and its arguments, which may hold secrets. */
uint64_t live_step_mark(struct text app, struct text args);
/* The application's name where it is a plain word; else "?". */
struct text live_app_word(struct text app);
/* Was #exec or a damaged part met in that file, so that what it says is not all known? */
bool live_is_unsure(const struct audit *a, enum audit_file f);
