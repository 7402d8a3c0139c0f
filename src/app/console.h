/* The daemon's HTTP port: /metrics, /live and /ready. Runs on the control loop; plain HTTP, on loopback unless told otherwise. */
#pragma once

#include "app/gather.h"
#include "base/metrics.h"
#include "net/httpd.h"

struct console;

struct console_options {
    struct loop *control;
    struct address listen;
    const struct gather_from *from;     /* outlives it */
    struct metrics *metrics;            /* outlives it; the AGI plane's figures are added to it */
    const struct log *log;
};

enum { CONSOLE_CHECKS_MAX = 128, CONSOLE_NAME_MAX = 80 };

int console_open(struct console **out, const struct console_options *opt) MUST_USE;
/* One thing that /ready asks about: is_ready runs on the control loop, name is copied. 0 or -ENOBUFS. */
int console_check(struct console *c, const char *name, bool (*is_ready)(void *arg), void *arg) MUST_USE;
unsigned console_port(const struct console *c);
/* Before what its checks look at is freed. NULL passes. */
void console_close(struct console *c);
