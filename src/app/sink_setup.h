/* A sink's settings, from its section of the configuration. */
#pragma once

#include "app/config.h"
#include "sink/sink.h"

/* *template_text: malloc'ed, or NULL; with the configuration it outlives out. Negative: *why is one line (malloc'ed), or NULL: the error says it all. */
int sink_setup(struct sink_settings *out, const struct config_sink *k, char **template_text, char **why) MUST_USE;
