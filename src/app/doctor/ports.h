/* The ports that the daemon wants: free, its own, or somebody else's. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "app/doctor/host.h"

/* Fills ports, has_rtp and rtp_taken; reads daemon. Binds for a moment, and lets go. */
void doctor_ports_look(struct doctor_host *h, const struct config *c);
/* Is a voice of any agent brought by this way ("audiosocket", "rtp", "websocket")? */
bool doctor_has_medium(const struct config *c, const char *medium);
