/* Claims calls that StasisBroadcast() offers to every gateway, as long as there is room. Internal to src/call. Control loop. */
#pragma once

#include "call/stasis_call.h"

struct stasis_claims;

int stasis_claims_new(struct stasis_claims **out, const struct stasis_ground *g) MUST_USE;
void stasis_claims_free(struct stasis_claims *m);  /* NULL passes; the ari_client lives */
/* Asks for the call. Whoever asks first gets it; a call that went to another gateway is no failure. */
void stasis_claims_want(struct stasis_claims *m, struct text channel);
/* Asked for, or won and not begun: places that are promised already. */
size_t stasis_claims_count(const struct stasis_claims *m);
/* Its StasisStart has come. */
void stasis_claims_begun(struct stasis_claims *m, struct text channel);
