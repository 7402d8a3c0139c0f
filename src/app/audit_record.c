/* Keeps the record of what `audit --apply` wrote. */
#include "app/audit_record.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sha256.h"

enum { ENTRIES_MAX = 16 };

static const char record_name[] = ".sidetone-undo.json";

void audit_record_hash(char out[65], struct text t)
{
    uint8_t digest[SHA256_BYTES];
    struct sha256 h;

    sha256_begin(&h);
    sha256_add(&h, t);
    sha256_end(&h, digest);
    for (size_t i = 0; i < SHA256_BYTES; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static int path_make(char out[PATH_MAX], const char *folder, const char *more)
{
    const int n = snprintf(out, PATH_MAX, "%s/%s%s", folder, record_name, more);

    return n < 0 || n >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int begin(cJSON **out)
{
    cJSON *o = cJSON_CreateObject();

    if (!o || !cJSON_AddArrayToObject(o, "applied")) {
        cJSON_Delete(o);
        return -ENOMEM;
    }
    *out = o;
    return 0;
}

static cJSON *list_of(const cJSON *record)
{
    return cJSON_GetObjectItemCaseSensitive(record, "applied");
}

int audit_record_read(cJSON **out, const char *folder)
{
    char path[PATH_MAX], *text;
    size_t n;
    cJSON *o;
    int err = path_make(path, folder, "");

    if (!err)
        err = file_grab(path, &text, &n, NULL);
    if (err)
        return err == -ENOENT ? begin(out) : err;
    o = cJSON_ParseWithLength(text, n);
    free(text);
    if (!cJSON_IsArray(list_of(o))) {
        cJSON_Delete(o);
        return -EBADMSG;
    }
    *out = o;
    return 0;
}

int audit_record_write(const char *folder, const cJSON *record)
{
    const struct stat like = { .st_uid = geteuid(), .st_gid = getegid(), .st_mode = 0640 };
    char path[PATH_MAX], fresh[PATH_MAX], *text;
    int err = path_make(path, folder, "");

    if (!err)
        err = path_make(fresh, folder, ".fresh");
    if (err)
        return err;
    if (cJSON_GetArraySize(list_of(record)) == 0)
        return unlink(path) && errno != ENOENT ? -errno : 0;
    text = cJSON_Print(record);
    if (!text)
        return -ENOMEM;
    (void)unlink(fresh);           /* a crash may have left it */
    err = file_make(fresh, text_of(text), &like);
    cJSON_free(text);
    if (!err && rename(fresh, path)) {
        err = -errno;
        (void)unlink(fresh);
    }
    return err;
}

static const char *name_in(const char *folder, const char *path)
{
    path += strlen(folder);
    while (*path == '/')
        path++;
    return path;
}

static bool add_file(cJSON *files, const char *folder, const struct file_change *c)
{
    cJSON *const o = cJSON_CreateObject();
    char before[65], written[65];

    if (!o || !cJSON_AddItemToArray(files, o))
        return false;
    audit_record_hash(before, text_make(c->before, c->before_n));
    audit_record_hash(written, text_make(c->after, c->after_n));
    return cJSON_AddStringToObject(o, "file", name_in(folder, c->path)) && cJSON_AddStringToObject(o, "backup", name_in(folder, c->backup)) &&
           cJSON_AddStringToObject(o, "before", before) && cJSON_AddStringToObject(o, "written", written);
}

int audit_record_add(cJSON *record, const char *folder, const struct file_set *s, const char *stamp)
{
    cJSON *const list = list_of(record), *const entry = cJSON_CreateObject(), *files;
    bool is_fine;

    if (!entry)
        return -ENOMEM;
    cJSON_AddItemToArray(list, entry);
    files = cJSON_AddStringToObject(entry, "time", stamp) ? cJSON_AddArrayToObject(entry, "files") : NULL;
    is_fine = files != NULL;
    for (size_t i = 0; is_fine && i < s->count; i++)
        is_fine = add_file(files, folder, &s->items[i]);
    while (cJSON_GetArraySize(list) > ENTRIES_MAX)
        cJSON_DeleteItemFromArray(list, 0);
    return is_fine ? 0 : -ENOMEM;
}

void audit_record_drop_newest(cJSON *record)
{
    const int n = cJSON_GetArraySize(list_of(record));

    if (n > 0)
        cJSON_DeleteItemFromArray(list_of(record), n - 1);
}

const cJSON *audit_record_newest(const cJSON *record)
{
    const int n = cJSON_GetArraySize(list_of(record));

    return n > 0 ? cJSON_GetArrayItem(list_of(record), n - 1) : NULL;
}

static const char *word_of(const cJSON *o, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(o, key));
}

static bool stays_inside(const char *name)
{
    struct text rest = text_of(name), part;

    while (text_cut(&rest, '/', &part))
        if (part.n == 0 || text_eq(part, TEXT(".")) || text_eq(part, TEXT("..")))
            return false;
    return true;
}

bool audit_record_file(struct audit_record_file *out, const cJSON *item)
{
    const struct audit_record_file f = { word_of(item, "file"), word_of(item, "backup"), word_of(item, "before"), word_of(item, "written") };
    size_t n;

    if (!f.file || !f.backup || !f.before || !f.written || !stays_inside(f.file))
        return false;
    n = strlen(f.file);
    if (strncmp(f.backup, f.file, n) != 0 || !text_starts(text_of(f.backup + n), TEXT(".sidetone-")) || strchr(f.backup + n, '/'))
        return false;
    *out = f;
    return true;
}
