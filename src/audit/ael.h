/* Reads extensions.ael, and all that it includes, into the dialplan: the steps that Asterisk's own compiler makes of it (res/ael/ael.flex, ael.y and
 * pval.c of 22.10.1), priorities and all. */
#pragma once

#include "audit/audit.h"
#include "audit/dialplan_build.h"

/* Of FOLDER/extensions.ael, if it is there and modules.conf does not switch pbx_ael off. What is damaged is a problem of the dialplan, and the rest is
 * still read. 0 or -ENOMEM. */
int ael_read(struct dialplan_build *b, struct audit *a) MUST_USE;
