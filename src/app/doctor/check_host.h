/* Says what is wrong with this machine. Pure. */
#pragma once

#include "app/doctor/host.h"
#include "app/doctor/report.h"

void doctor_host_check(struct doctor_report *r, const struct doctor_host *h, const struct config *c);

/* What is wrong with a file, and the command that mends it. */
void doctor_file_say(struct doctor_report *r, const char *check, const struct doctor_file *f);
