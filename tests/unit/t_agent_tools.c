/* The tools of an agent: comments of files, sections of services, rules of the built-in ones, and what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <unistd.h>

#include "app/agent_tools.h"
#include "fail_alloc.h"

static const char source[] =
    "-- A tool.\n"
    "-- @description When we are open,\r\n"
    "--   in words.\n"
    "-- @parameters {\"type\":\"object\",\n"
    "--   \"properties\":{}}\n"
    "-- @author nobody\n"
    "function run() end -- @description not this one\n"
    "-- a comment of its own\n";

static void test_comments(void **state)
{
    char *description, *parameters;
    const char *why = NULL;

    (void)state;
    assert_int_equal(tool_comments_read(text_of(source), &description, &parameters, &why), 0);
    assert_string_equal(description, "When we are open, in words.");
    assert_string_equal(parameters, "{\"type\":\"object\", \"properties\":{}}");
    free(description);
    free(parameters);
    assert_int_equal(tool_comments_read(TEXT("function run() end"), &description, &parameters, &why), 0);
    assert_null(description);
    assert_null(parameters);
}

static void expect_refused(const char *text, const char *word)
{
    char *description, *parameters;
    const char *why = NULL;

    assert_int_equal(tool_comments_read(text_of(text), &description, &parameters, &why), -EINVAL);
    assert_null(description);
    assert_null(parameters);
    assert_non_null(strstr(why, word));
}

static void test_refused(void **state)
{
    static char endless[40000];

    (void)state;
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless, "-- @description ", 16);
    expect_refused(endless, "16 KiB");
}

static void test_without_memory(void **state)
{
    char *description, *parameters;
    const char *why;
    long n;

    (void)state;
    for (n = 1;; n++) {
        int err;

        fail_alloc_at(n);
        err = tool_comments_read(text_of(source), &description, &parameters, &why);
        fail_alloc_off();
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
        assert_null(description);
    }
    assert_true(n > 2);
    free(description);
    free(parameters);
}

/* ---- the whole list of an agent ---- */

struct place {
    char dir[64], told[4000];
};

static void on_line(const char *line, void *arg)
{
    struct place *p = arg;

    snprintf(p->told + strlen(p->told), sizeof p->told - strlen(p->told), "%s\n", line);
}

static const char *file(struct place *p, const char *name, const char *content)
{
    static char path[4][200];
    static int next;
    FILE *f;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[next], "%s/%s", p->dir, name);
    f = fopen(path[next], "w");
    assert_non_null(f);
    fputs(content, f);
    fclose(f);
    return path[next];
}

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    assert_non_null(p);
    strcpy(p->dir, "/tmp/t_agent_tools-XXXXXX");
    assert_non_null(mkdtemp(p->dir));
    *state = p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    char command[128];

    snprintf(command, sizeof command, "rm -rf '%s'", p->dir);
    assert_int_equal(system(command), 0);
    free(p);
    return 0;
}

static const char *const no_headers[] = { "X: y" };

/* One file, one service, the built-in ones. */
static int read_list(struct place *p, struct agent_tools *t, const char *lua, const char *parameters, const char *url, const char *body)
{
    static const char *const names[] = { "TOPIC" };
    static const struct config_target target = { "sales", { "default", "2001", "1" } };
    static const char *const line = "sales: default,2001,1";
    const struct config_tool_section service = {
        .head = { .name = "order", .file = file(p, "sidetone.conf", ""), .line = 7 }, .url = url, .parameters = parameters, .body = body,
        .method = body ? CONFIG_POST : CONFIG_GET, .headers = { no_headers, 1 }, .deadline_ms = 300, .answer_bytes = 1000,
    };
    const struct config_tool tools[] = { { .name = "order", .section = &service }, { .name = "hours", .path = file(p, "hours.lua", lua) } };
    const struct config_agent from = {
        .tools = tools, .tool_count = 2, .built_in = 1u << BUILTIN_TRANSFER | 1u << BUILTIN_SET_VARIABLE | 1u << BUILTIN_TAKE_MESSAGE,
        .transfer = { &line, 1 }, .targets = &target, .variables = { names, 1 }, .mask = CONFIG_MASK_NUMBERS,
    };
    const struct agent_complaint to = { .agent = "a", .problem = on_line, .arg = p };

    *t = (struct agent_tools){ 0 };
    p->told[0] = '\0';
    return agent_tools_read(t, &from, &to);
}

#define SHAPE "{\"type\":\"object\",\"properties\":{\"id\":{\"type\":\"string\"}},\"required\":[\"id\"]}"

static void test_a_whole_list(void **state)
{
    struct place *p = *state;
    struct agent_tools t;

    file(p, "shape.json", SHAPE);
    for (int i = 0; i < 2; i++) {  /* inline, and from a file beside the configuration */
        assert_int_equal(read_list(p, &t, source, i ? "shape.json" : SHAPE, "http://127.0.0.1/{id}", NULL), 0);
        assert_string_equal(p->told, "");
        assert_int_equal(t.count, 5);
        assert_int_equal(t.file_count, 1);
        assert_string_equal(t.items[0].name, "hours");     /* files come first: loops keep theirs side by side */
        assert_string_equal(t.told[1].name, "order");
        assert_non_null(t.items[1].http);
        assert_int_equal(t.items[1].entry.deadline_ms, 300);
        assert_string_equal(t.told[2].name, "transfer");
        assert_non_null(strstr(t.told[2].parameters, "\"enum\":[\"sales\"]"));
        assert_null(strstr(t.told[2].parameters, "2001"));  /* the model knows names only */
        assert_string_equal(t.rules.targets[0].extension, "2001");
        for (size_t k = 0; k < t.count; k++)
            assert_true(t.items[k].entry.is_masked && t.items[k].entry.schema);
        assert_ptr_equal(agent_tools_find(&t, TEXT("set_variable")), &t.items[4]);
        assert_null(agent_tools_find(&t, TEXT("hang_up")));
        agent_tools_free(&t);
    }
}

static void no_good(struct place *p, const char *lua, const char *parameters, const char *url, const char *body, const char *says)
{
    struct agent_tools t;

    assert_int_equal(read_list(p, &t, lua, parameters, url, body), -EINVAL);
    agent_tools_free(&t);
    if (!strstr(p->told, says) || strchr(p->told, '\n') != p->told + strlen(p->told) - 1)
        fail_msg("expected %s, told: %s", says, p->told);
}

static void test_mistakes_are_told_in_a_line(void **state)
{
    struct place *p = *state;

    no_good(p, "-- @parameters {\"type\":\"string\"}", SHAPE, "http://h/{id}", NULL, "hours.lua: agent a: tool hours: parameters: the object is no JSON schema");
    no_good(p, "-- @parameters {\"type\":\"object\",\"oneOf\":[]}", SHAPE, "http://h/{id}", NULL, "keyword \"oneOf\", which is not obeyed");
    no_good(p, "", "{broken", "http://h/{id}", NULL, "sidetone.conf:7: agent a: tool order: parameters: the object is not JSON");
    no_good(p, "", "missing.json", "http://h/{id}", NULL, "tool order: parameters: missing.json: ");
    no_good(p, "", SHAPE, "http://h/{other}", NULL, "tool order: url: {other} is no property");
    no_good(p, "", NULL, "http://h/{id}", NULL, "tool order: url: {id} is no property");
    no_good(p, "", SHAPE, "http://h/", "{\"a\":", "tool order: body: is not JSON");
    no_good(p, "", SHAPE, "http://h/", "{\"a\":\"{b}\"}", "tool order: body: {b} is no property");
}

static void test_a_list_without_memory(void **state)
{
    struct place *p = *state;
    long n;

    for (n = 1;; n++) {
        struct agent_tools t;
        int err;

        fail_alloc_at(n);
        err = read_list(p, &t, source, SHAPE, "http://h/{id}", "{\"a\":\"{id}\"}");
        fail_alloc_off();
        agent_tools_free(&t);
        if (!err)
            break;
        assert_int_equal(err, -ENOMEM);
    }
    assert_true(n > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_without_memory),
        cmocka_unit_test_setup_teardown(test_a_whole_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_mistakes_are_told_in_a_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_list_without_memory, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
