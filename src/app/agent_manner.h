/* How the agents of the configuration behave: their phrases made ready, what cuts them off. */
#pragma once

#include "app/agent_kind.h"
#include "call/phrases.h"

/* *m is read by every loop afterwards; its words belong to ready, its names to from. -EINVAL (told), -ENOMEM. */
int agent_manner_read(struct talk_manner *m, struct phrases *ready, const struct config_agent *from, const struct agent_kind *kind,
                      struct agent_barge_in usual, const struct agent_complaint *to) MUST_USE;
