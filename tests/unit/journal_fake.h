/* A journal in memory for the tests of sinks: the reader's functions of store/journal.h over two lists. Any thread. */
#pragma once

#include "store/journal.h"

void journal_fake_reset(void);
/* Ids 1, 2, ... of each table. detail "{}" when NULL. */
void journal_fake_fact(const char *kind, const char *call, const char *detail);
void journal_fake_event(const char *name, const char *call);
void journal_fake_cursor(const char *sink, int64_t fact_id, int64_t event_id);   /* as if it had been made durable */
void journal_fake_fail(int open_err, int read_err);     /* until it is set to 0 */
