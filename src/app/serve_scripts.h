/* What the routes of hosted scripts need, made from the configuration. */
#pragma once

#include "app/config.h"
#include "route/hosted.h"

struct serve_scripts;

/* 0 or -ENOMEM. The configuration outlives it. */
int serve_scripts_new(struct serve_scripts **out, const struct config *c) MUST_USE;
/* Of the i-th route; NULL when that has a handler. */
const struct hosted_options *serve_scripts_options(const struct serve_scripts *s, size_t i);
void serve_scripts_free(struct serve_scripts *s);   /* NULL passes */
