/* The reader of Lua: any bytes, as extensions.lua, are read to an end; every rule looks at the steps; places are inside the file. */
#include "fuzz.h"

#include "audit/audit.h"
#include "audit/dialplan.h"

static int source_read(void *arg, const char *path, struct text *out)
{
    const struct text *content = arg;

    if (strcmp(path, "/f/extensions.lua") != 0)
        return -ENOENT;
    *out = text_make(fuzz_copy(content->p, content->n), content->n);
    return 0;
}

static int source_expand(void *arg, const char *from, const char *pattern, char ***out)
{
    (void)arg;
    (void)from;
    (void)pattern;
    (void)out;
    return -ENOENT;
}

static void check_steps(const struct dialplan *d, size_t size)
{
    for (size_t i = 0; i < d->context_count; i++)
        for (size_t k = 0; k < d->contexts[i]->extension_count; k++) {
            const struct dialplan_extension *e = d->contexts[i]->extensions[k];

            FUZZ_CHECK(e->origin == DIALPLAN_LUA);
            for (size_t n = 0; n < e->step_count; n++) {
                FUZZ_CHECK(e->steps[n].priority >= 1 && e->steps[n].place.line >= 1 && e->steps[n].place.line <= size + 1);
                FUZZ_CHECK(e->steps[n].app_column <= size + 1 && e->steps[n].extension == e);
                FUZZ_CHECK(n == 0 || e->steps[n - 1].priority < e->steps[n].priority);
            }
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    struct text content = text_make(copy, size);
    const struct conf_source source = { .read = source_read, .expand = source_expand, .arg = &content };
    const struct audit_options opt = { .folder = "/f", .source = &source };
    struct audit *a = NULL;
    const int err = audit_open(&a, &opt);

    FUZZ_CHECK(err == 0 || err == -ENOENT); /* nothing in it */
    if (!err) {
        check_steps(a->dialplan, size);
        FUZZ_CHECK(size % 4 > 0 || audit_run(a, NULL, 0) == 0); /* the rules take ten times as long as the reader */
        for (size_t i = 0; i < a->finding_count; i++)
            FUZZ_CHECK(a->findings[i].place.line >= 1 && a->findings[i].place.line <= size + 1 && !strchr(a->findings[i].message, '\n'));
    }
    audit_free(a);
    free(copy);
    return 0;
}
