/* What stasis_call.c and stasis_leave.c share; nobody else includes this. */
#pragma once

#include "call/stasis_call.h"

/* stasis_call.c */
void stasis_call_enter(struct stasis_call *c, enum call_state to);
/* Sends the present step's request; what cannot be sent is tried again until the step's deadline. */
void stasis_call_ask_on(struct stasis_call *c);
/* Events of this call come; without them an answer has to do. */
bool stasis_call_hears(const struct stasis_call *c);
/* The caller's channel is gone (404), outside Stasis (409) or dying (412). */
bool stasis_is_without_caller(int status);
void stasis_call_log_refusal(struct stasis_call *c, int err, int status, struct text body);
void stasis_call_set_reason(struct stasis_call *c, const char *reason);

/* stasis_leave.c: the step that is next, and what came of the present one. */
enum call_state stasis_leave_next(const struct stasis_call *c);
void stasis_leave_answered(struct stasis_call *c, int err, int status, struct text body);
void stasis_leave_place_answered(struct stasis_call *c, int err, int status, struct text body);
/* The deadline of CALL_LEAVE is over. */
void stasis_leave_late(struct stasis_call *c);
