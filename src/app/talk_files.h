/* The folder of recordings and transcripts: the worker that writes them, and the one that deletes what is too old.
 * Thread: control loop; the pool may be asked by all. */
#pragma once

#include "base/log.h"
#include "net/worker.h"

struct talk_files;

/* keep_ms: older files of ours are deleted, at start and every hour; 0: never. -ENOMEM. */
int talk_files_open(struct talk_files **out, struct loop *control, const char *folder, int64_t keep_ms, const struct log *log) MUST_USE;
/* Writes what was asked for; before the loops are freed. NULL passes. */
void talk_files_close(struct talk_files *t);
struct worker_pool *talk_files_pool(struct talk_files *t);
const char *talk_files_folder(const struct talk_files *t);

/* Deletes *.wav and *.jsonl in folder that were written before then; how many. Blocking. */
size_t talk_files_sweep(const char *folder, int64_t before_s);
