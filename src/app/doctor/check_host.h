/* Says what is wrong with this machine. Pure. */
#pragma once

#include "app/doctor/host.h"
#include "app/doctor/report.h"

void doctor_host_check(struct doctor_report *r, const struct doctor_host *h, const struct config *c);
