/* FOLDER/.sidetone-undo.json: which files `audit --apply` wrote, and where the old ones are. No line of a file is in it. Blocking. */
#pragma once

#include <cjson/cJSON.h>

#include "app/file_set.h"
#include "base/err.h"

/* {"applied":[{"time":"20261123T093000Z","files":[{"file":"extensions.conf","backup":"extensions.conf.sidetone-20261123T093000Z",
 * "before":SHA256,"written":SHA256},...]},...]}, the newest last; names from the folder on. */

/* Without such a file: one without entries. -EBADMSG: it is something else; -ELOOP, -EINVAL: see file_grab. */
int audit_record_read(cJSON **out, const char *folder) MUST_USE;
/* One without entries is removed. */
int audit_record_write(const char *folder, const cJSON *record) MUST_USE;
int audit_record_add(cJSON *record, const char *folder, const struct file_set *s, const char *stamp) MUST_USE;
void audit_record_drop_newest(cJSON *record);
/* NULL: there is none. */
const cJSON *audit_record_newest(const cJSON *record);

/* One file of an entry, checked: the record may have been written by anyone who may write into the folder. */
struct audit_record_file {
    const char *file, *backup, *before, *written;
};
/* False when it is none, or leads out of the folder. */
bool audit_record_file(struct audit_record_file *out, const cJSON *item);

void audit_record_hash(char out[65], struct text t);
