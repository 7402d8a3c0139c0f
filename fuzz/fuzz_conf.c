/* Configuration: any bytes are read to an end, with places inside the file and texts that are terminated. */
#include "fuzz.h"

#include "wire/conf.h"

enum { READS_MAX = 40 }; /* the reader's own ceiling of 10,000 has a unit test; here it would only cost time */

struct input {
    struct text content;
    size_t reads;
};

/* The whole input is also what every include finds: cycles of every sort. */
static int source_read(void *arg, const char *path, struct text *out)
{
    struct input *in = arg;

    if (strchr(path, 'E'))
        return -EACCES;
    if (in->reads++ >= READS_MAX)
        return -ENOENT;
    *out = text_make(fuzz_copy(in->content.p, in->content.n), in->content.n);
    return 0;
}

static int source_expand(void *arg, const char *from, const char *pattern, char ***out)
{
    char **list = calloc(3, sizeof *list);

    (void)arg;
    (void)from;
    FUZZ_CHECK(list);
    for (size_t i = 0; pattern[0] != 'n' && i < (strchr(pattern, '*') ? 2u : 1u); i++)
        list[i] = text_dup(text_of(pattern));
    *out = list;
    return 0;
}

static void check_place(struct conf_place p, struct text content)
{
    FUZZ_CHECK(p.file && p.line >= 1 && p.column >= 1 && p.line <= content.n + 1 && p.column <= content.n + 1);
}

static void check(const struct conf *c, struct text content)
{
    size_t errors = 0;

    for (size_t i = 0; i < c->section_count; i++) {
        const struct conf_section *s = c->sections + i;

        check_place(s->place, content);
        for (size_t k = 0; k < s->count; k++) {
            check_place(s->items[k].place, content);
            FUZZ_CHECK(s->items[k].name.n > 0 && s->items[k].value_column >= 1);
            FUZZ_CHECK(strlen(s->items[k].name.p) == s->items[k].name.n && strlen(s->items[k].value.p) == s->items[k].value.n);
            FUZZ_CHECK(text_find(s->items[k].value, '\n') < 0);
        }
        if (s->count && !s->is_template && i < 50)
            FUZZ_CHECK(conf_get(c, s->name, s->items[0].name).p);
    }
    for (size_t i = 0; i < c->problem_count; i++) {
        check_place(c->problems[i].place, content);
        errors += c->problems[i].severity == CONF_ERROR;
        FUZZ_CHECK(strlen(c->problems[i].message) > 5 && !strchr(c->problems[i].message, '\n'));
    }
    FUZZ_CHECK(errors <= c->error_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size);
    const struct text content = text_make(copy, size);
    struct input input = { .content = content };
    const struct conf_source source = { .read = source_read, .expand = source_expand, .arg = &input };
    struct conf *c = NULL;

    FUZZ_CHECK(conf_parse(&c, "root.conf", content, NULL) == 0);
    check(c, content);
    conf_free(c);
    c = NULL;
    if (conf_load(&c, "/etc/root.conf", &source) == 0) {
        check(c, content);
        conf_free(c);
    }
    free(copy);
    return 0;
}
