/* A configuration folder in memory. */
#include "audit_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char folder[] = "/etc/asterisk/";

static struct text part(const struct audit_files *f, const char *name)
{
    static const char mark[] = ";; file ";
    const char *at = f->text, *end;
    struct text now = text_of(f->first);

    for (;;) {
        end = strstr(at, mark);
        if (text_eq(now, text_of(name)))
            return text_make(at, end ? (size_t)(end - at) : strlen(at));
        if (!end)
            return TEXT_NONE;
        at = end + strlen(mark);
        now = text_make(at, strcspn(at, "\n"));
        at += now.n + (at[now.n] == '\n');
    }
}

static int files_read(void *arg, const char *path, struct text *out)
{
    struct text found;

    if (strncmp(path, folder, strlen(folder)) != 0)
        return -ENOENT;
    found = part(arg, path + strlen(folder));
    if (!found.p)
        return -ENOENT;
    out->n = found.n;
    out->p = text_dup(found);
    return out->p ? 0 : -ENOMEM;
}

static int files_expand(void *arg, const char *from, const char *pattern, char ***out)
{
    char **list = calloc(2, sizeof *list);
    const size_t n = strlen(from) + strlen(pattern) + 2;

    (void)arg;
    if (!list)
        return -ENOMEM;
    list[0] = malloc(n);
    if (!list[0]) {
        free(list);
        return -ENOMEM;
    }
    strcpy(list[0], pattern[0] == '/' ? "" : from);
    strcat(list[0], pattern[0] == '/' ? "" : "/");
    strcat(list[0], pattern);
    *out = list;
    return 0;
}

void audit_files_init(struct audit_files *f, const char *first, const char *text)
{
    f->first = first;
    f->text = text;
    f->source = (struct conf_source){ .read = files_read, .expand = files_expand, .arg = f };
}

int audit_files_run(struct audit **out, struct audit_files *f, const char *const *codes, size_t count)
{
    const struct audit_options opt = { .folder = "/etc/asterisk", .source = &f->source };
    struct audit *a = NULL;
    int err = audit_open(&a, &opt);

    if (!err)
        err = audit_run(a, codes, count);
    if (err) {
        audit_free(a);
        return err;
    }
    *out = a;
    return 0;
}
