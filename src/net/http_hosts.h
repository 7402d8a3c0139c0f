/* Which hosts may be asked over HTTP: the host of a URL, and whether a list grants it. Pure. */
#pragma once

#include <stdbool.h>

#include "base/text.h"

/* "https://host:port/x" -> "host:port". Absent: not a plain http:// or https:// URL. Only plain letters: what another reader might take for
 * something else is refused. */
struct text http_host_of(struct text url);
/* hosts: "api.example.com, 10.0.0.5:8080", or NULL: none. "host" grants the scheme's own port, "host:port" that one. */
bool http_host_is_granted(const char *hosts, struct text host);
