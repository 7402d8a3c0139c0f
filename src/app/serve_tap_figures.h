/* The tap's figures under the names that outsiders see. Control loop. */
#pragma once

#include "base/metrics.h"
#include "store/tap_writer.h"

struct serve_tap;
struct serve_tap_figures;

/* All outlive it. */
int serve_tap_figures_open(struct serve_tap_figures **out, struct metrics *m, const struct serve_tap *t, struct tap_writer *w) MUST_USE;
void serve_tap_figures_close(struct serve_tap_figures *f);      /* NULL passes */
