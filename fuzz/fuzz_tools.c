/* What a model writes for a tool: the first line is taken as a schema, the rest as arguments. What is accepted is what it claims to be, a request
 * stays in its template, a transfer goes nowhere else. */
#include "fuzz.h"

#include <cjson/cJSON.h>

#include "app/tool_template.h"
#include "call/builtin.h"
#include "call/tool_args.h"

static const char shape[] = "{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":9},"
                            "\"n\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":9}}}";

static void check_shape(const cJSON *args)
{
    const cJSON *id = cJSON_GetObjectItemCaseSensitive(args, "id"), *n = cJSON_GetObjectItemCaseSensitive(args, "n");

    FUZZ_CHECK(cJSON_IsString(id) && strlen(id->valuestring) >= 1 && strlen(id->valuestring) <= 9 * 4);
    FUZZ_CHECK(!n || (cJSON_IsNumber(n) && n->valuedouble >= 0 && n->valuedouble <= 9));
}

/* The template has three slashes behind the host, one ? and one &: so has every request. */
static void check_url(const cJSON *args)
{
    static const char url[] = "http://h:1/a/{id}/b?q={q}&n={n}";
    char why[TOOL_TEMPLATE_WHY] = "";
    size_t slashes = 0, marks = 0, ands = 0;
    struct buf b;

    buf_init(&b, 1 << 20);
    if (tool_url_make(&b, text_of(url), args, why) == 0) {
        const struct text made = buf_text(&b);

        FUZZ_CHECK(text_starts(made, TEXT("http://h:1/a/")) && text_is_one_line(made) && text_find(made, '#') < 0 && text_find(made, ' ') < 0);
        for (size_t i = 0; i < made.n; i++) {
            slashes += made.p[i] == '/';
            marks += made.p[i] == '?';
            ands += made.p[i] == '&';
        }
        FUZZ_CHECK(slashes == 5 && marks == 1 && ands == 1);
        FUZZ_CHECK(text_find_text(made, TEXT("/../")) < 0 && text_find_text(made, TEXT("/./")) < 0 && text_find_text(text_skip(made, 7), TEXT("//")) < 0);
    } else {
        FUZZ_CHECK(why[0] || b.err);
    }
    buf_free(&b);
}

static void check_body(const cJSON *args)
{
    cJSON *body = cJSON_Parse("{\"a\":\"{id}\",\"b\":\"x {q} y\",\"c\":[\"{n}\"]}"), *again;
    char *made = tool_body_make(body, args);

    FUZZ_CHECK(made);
    again = cJSON_Parse(made);
    FUZZ_CHECK(cJSON_IsObject(again) && cJSON_GetArraySize(again) == 3);
    FUZZ_CHECK(cJSON_IsString(cJSON_GetObjectItemCaseSensitive(again, "b")));
    cJSON_Delete(again);
    cJSON_Delete(body);
    free(made);
}

static void check_transfer(const cJSON *args)
{
    static const struct builtin_target targets[] = { { "sales", "default", "2001", "1" } };
    static const char *const patterns[] = { "20XX" };
    static const struct builtin_rules r = { .targets = targets, .target_count = 1, .transfer_context = "inside", .patterns = patterns, .pattern_count = 1 };
    char why[BUILTIN_WHY_MAX];
    struct builtin_act act;

    if (builtin_read(&act, BUILTIN_TRANSFER, &r, args, why))
        return;
    if (strcmp(act.to.context, "default") == 0)
        FUZZ_CHECK(strcmp(act.to.extension, "2001") == 0);
    else
        FUZZ_CHECK(strcmp(act.to.context, "inside") == 0 && strlen(act.to.extension) == 4 && strncmp(act.to.extension, "20", 2) == 0 &&
                   strspn(act.to.extension, "0123456789") == 4);
}

static void check_value(struct text t)
{
    char out[64];

    talk_value_clean(out, sizeof out, t);
    FUZZ_CHECK(strlen(out) < sizeof out && !strpbrk(out, ",&|^\"`$\\{}[]()<>;\r\n\t"));
}

static void check_args(const struct schema *own, const struct schema *fixed, struct text raw)
{
    char why[SCHEMA_WHY_MAX];
    const char *fault;
    cJSON *args, *again;
    char *written, *twice;

    if (tool_args_read(&args, raw, &fault))
        return;
    written = tool_args_write(args);
    FUZZ_CHECK(written);
    if (strlen(written) <= TOOL_ARGS_MAX && !strstr(written, "\\u0000")) {
        FUZZ_CHECK(tool_args_read(&again, text_of(written), &fault) == 0);
        twice = tool_args_write(again);
        FUZZ_CHECK(strcmp(written, twice) == 0);
        free(twice);
        cJSON_Delete(again);
    }
    if (schema_accepts(fixed, args, why))
        check_shape(args);
    else
        FUZZ_CHECK(why[0] && strlen(why) < SCHEMA_WHY_MAX);
    if (own)
        (void)schema_accepts(own, args, why);
    check_url(args);
    check_body(args);
    check_transfer(args);
    tool_args_mask(written);
    FUZZ_CHECK(text_find_text(text_of(written), TEXT("0000")) < 0);
    free(written);
    cJSON_Delete(args);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *copy = fuzz_copy(data, size), why[SCHEMA_WHY_MAX];
    struct text rest = text_make(copy, size), first = TEXT("");
    struct schema *own = NULL, *fixed = NULL;

    FUZZ_CHECK(schema_new(&fixed, text_of(shape), why) == 0);
    text_cut(&rest, '\n', &first);
    if (schema_new(&own, first, why))
        own = NULL;
    check_args(own, fixed, rest.p ? rest : TEXT(""));
    check_value(first);
    schema_free(own);
    schema_free(fixed);
    free(copy);
    return 0;
}
