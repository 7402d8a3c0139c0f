/* The auditor: any bytes, as every file of a folder at once, are read to an end; every rule looks at them; places are inside the file. */
#include "fuzz.h"

#include "audit/audit.h"
#include "audit/expression.h"

static int source_read(void *arg, const char *path, struct text *out)
{
    const struct text *content = arg;

    for (int f = 0; f < AUDIT_FILE_COUNT; f++)
        if (strncmp(path, "/f/", 3) == 0 && strcmp(path + 3, audit_file_name((enum audit_file)f)) == 0) {
            *out = text_make(fuzz_copy(content->p, content->n), content->n);
            return 0;
        }
    return -ENOENT;
}

static int source_expand(void *arg, const char *from, const char *pattern, char ***out)
{
    (void)arg;
    (void)from;
    (void)pattern;
    *out = calloc(1, sizeof **out);
    return *out ? 0 : -ENOMEM;
}

static void check_expression(struct text content)
{
    struct expression_fault fault;
    struct expression *tree;
    struct arena *memory;

    FUZZ_CHECK(arena_new(&memory, 16 << 20) == 0);
    FUZZ_CHECK(expression_parse(&tree, &fault, memory, content) == 0);
    FUZZ_CHECK(!fault.what || fault.at <= content.n);
    arena_free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    struct text content = text_make(copy, size);
    const struct conf_source source = { .read = source_read, .expand = source_expand, .arg = &content };
    const struct audit_options opt = { .folder = "/f", .source = &source };
    struct audit *a = NULL;

    check_expression(content);
    FUZZ_CHECK(audit_open(&a, &opt) == 0);
    FUZZ_CHECK(audit_run(a, NULL, 0) == 0);
    for (size_t i = 0; i < a->finding_count; i++) {
        FUZZ_CHECK(a->findings[i].place.line >= 1 && a->findings[i].place.line <= size + 1);
        FUZZ_CHECK(a->findings[i].message[0] && !strchr(a->findings[i].message, '\n'));
    }
    audit_free(a);
    free(copy);
    return 0;
}
