/* timeline.c: what the sink is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "call/timeline.h"
#include "fail_alloc.h"

struct sink {
    struct fact *last;
    unsigned count;
    bool full;
};

static bool keep(void *arg, struct fact *f)
{
    struct sink *s = arg;

    fact_free(s->last);
    s->last = f;
    s->count++;
    return !s->full;
}

static void t_fields_become_json(void **state)
{
    struct sink s = { 0 };
    const struct timeline t = { .publish = keep, .arg = &s };
    const int64_t before = clock_wall_us();

    (void)state;
    TIMELINE(&t, TEXT("1700.12"), "caller.said", kv_str("text", "say \"hi\"\n\t\\"), kv_int("score", -1850), kv_int("accepted", 1),
             kv_text("intent", TEXT_NONE), kv_secret("key"));
    assert_int_equal(s.count, 1);
    assert_string_equal(s.last->call, "1700.12");
    assert_string_equal(s.last->kind, "caller.said");
    assert_string_equal(fact_detail(s.last),
                        "{\"text\":\"say \\\"hi\\\"\\n\\t\\\\\",\"score\":-1850,\"accepted\":1,\"intent\":null,\"key\":\"***\"}");
    assert_true(s.last->wall_us >= before && s.last->wall_us <= clock_wall_us());
    fact_free(s.last);
}

static void t_no_fields_and_no_call(void **state)
{
    struct sink s = { 0 };
    const struct timeline t = { .publish = keep, .arg = &s };

    (void)state;
    TIMELINE(&t, TEXT_NONE, "started");
    assert_string_equal(s.last->call, "");
    assert_string_equal(fact_detail(s.last), "{}");
    timeline_add(&t, TEXT("x"), "bare", NULL);
    assert_string_equal(fact_detail(s.last), "{}");
    assert_int_equal(s.count, 2);
    fact_free(s.last);
}

static void t_null_timeline_passes(void **state)
{
    const struct timeline silent = { .publish = NULL };

    (void)state;
    TIMELINE(NULL, TEXT("x"), "a", kv_int("n", 1));
    TIMELINE(&silent, TEXT("x"), "a", kv_int("n", 1));
    fact_free(NULL);
}

static void t_long_texts_are_cut_at_a_character(void **state)
{
    struct sink s = { 0 };
    const struct timeline t = { .publish = keep, .arg = &s };
    char long_text[8000];
    size_t n;

    (void)state;
    memset(long_text, 'a', sizeof long_text);
    memcpy(long_text + 4095, "\xc3\xa9", 2);  /* begins one byte before the ceiling */
    timeline_add(&t, text_make(long_text, sizeof long_text), "k",
                 (const struct kv[]){ kv_text("t", text_make(long_text, sizeof long_text)), { .key = NULL } });
    n = strlen(fact_detail(s.last));
    assert_int_equal(n, strlen("{\"t\":\"") + 4095 + strlen("...\"}"));
    assert_string_equal(fact_detail(s.last) + n - 6, "a...\"}");
    assert_int_equal(strlen(s.last->call), FACT_CALL_MAX - 1);
    fact_free(s.last);
}

static void t_memory_short(void **state)
{
    struct sink s = { 0 };
    const struct timeline t = { .publish = keep, .arg = &s };
    unsigned lost = 0;

    (void)state;
    for (long n = 1;; n++) {
        const unsigned before = s.count;

        fail_alloc_at(n);
        TIMELINE(&t, TEXT("1.1"), "talk.start", kv_str("agent", "reception"));
        if (!fail_alloc_hit())
            break;
        assert_int_equal(s.count, before);
        lost++;
    }
    fail_alloc_off();
    assert_int_equal(lost, 1); /* one block a fact */
    assert_int_equal(s.count, 1);
    fail_alloc_at(1);
    assert_null(fact_detail(s.last));
    assert_true(fail_alloc_hit());
    fail_alloc_off();
    assert_string_equal(fact_detail(s.last), "{\"agent\":\"reception\"}"); /* asked again */
    fact_free(s.last);
}

/* The packed fields have a ceiling; what is below it becomes JSON whatever the bytes are. */
static void t_ceiling_of_a_fact(void **state)
{
    struct sink s = { 0 };
    const struct timeline t = { .publish = keep, .arg = &s };
    struct kv fields[10] = { { .key = NULL } };
    static char worst[4096];

    (void)state;
    memset(worst, 1, sizeof worst); /* six bytes of JSON each */
    for (int i = 0; i < 7; i++)
        fields[i] = kv_text("k", text_make(worst, sizeof worst));
    timeline_add(&t, TEXT("x"), "large", fields);
    assert_int_equal(s.count, 1);
    assert_true(strlen(fact_detail(s.last)) > 7 * 6 * sizeof worst);
    fields[7] = fields[0];
    timeline_add(&t, TEXT("x"), "larger", fields);
    assert_int_equal(s.count, 1);
    fact_free(s.last);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(t_fields_become_json),
        cmocka_unit_test(t_no_fields_and_no_call),
        cmocka_unit_test(t_null_timeline_passes),
        cmocka_unit_test(t_long_texts_are_cut_at_a_character),
        cmocka_unit_test(t_memory_short),
        cmocka_unit_test(t_ceiling_of_a_fact),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
