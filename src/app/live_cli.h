/* Reads what Asterisk's console says of its manager, its HTTP server and its SIP transports (22.10.1), into lines of the live view (audit/live.h). Pure.
 * Each takes a whole output, lines ended by LF. False: it is not what was expected; then nothing was added, but for a sticky error of out. */
#pragma once

#include <stdbool.h>

#include "base/buf.h"

enum { LIVE_USERS_MAX = 5000 };

/* "manager show users": a name a line. */
bool live_cli_users(struct buf *out, struct text output);
/* "manager show user NAME": secret, acl, read, write. */
bool live_cli_user(struct buf *out, struct text output);
/* "manager show settings": manager, manager-tls. */
bool live_cli_settings(struct buf *out, struct text output);
/* "http show status": http, https. */
bool live_cli_http(struct buf *out, struct text output);
/* "pjsip show transports": udp, tcp, tls, a line each; those over HTTP have no door of their own. */
bool live_cli_transports(struct buf *out, struct text output);
/* Can the name be asked for without quotes, and stand in the view? */
bool live_cli_is_plain(struct text name);
