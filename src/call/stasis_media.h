/* The doors by which a caller's voice comes from Asterisk to us. Internal to src/call. Control loop.
 * What is meant is always the call's present one, kinds[kind_at]. */
#pragma once

#include "call/stasis_call.h"

const char *stasis_media_name(enum stasis_media m);

/* Makes ready before Asterisk is asked. 0, or why this door cannot be had. */
int stasis_media_prepare(struct stasis_call *c) MUST_USE;
/* What of POST channels/externalMedia differs: into a JSON object that is begun. */
void stasis_media_fields(const struct stasis_call *c, struct buf *b);
/* What Asterisk answered to that. False: no use. */
bool stasis_media_answered(struct stasis_call *c, struct text body);
/* The way is there, both ends are known. */
bool stasis_media_is_open(const struct stasis_call *c);
/* Hands the way over. */
void stasis_media_give(struct stasis_call *c, struct stasis_way *out);
/* Gives up whatever is there of it. Safe to call twice. */
void stasis_media_forget(struct stasis_call *c);
