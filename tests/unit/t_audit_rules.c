/* Every rule by its own examples: each bad one is found, each good one is not; records are whole and codes are unique. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/rules.h"
#include "audit_files.h"
#include "fail_alloc.h"

static size_t run_example(const struct audit_rule *r, const struct audit_rule_example *e)
{
    struct audit_files files;
    struct audit *a = NULL;
    size_t found;

    audit_files_init(&files, e->file, e->text);
    assert_int_equal(audit_files_run(&a, &files, &r->code, 1), 0);
    found = a->finding_count;
    for (size_t i = 0; i < found; i++) {
        const struct audit_finding *f = a->findings + i;

        assert_ptr_equal(f->rule, r);
        assert_true(f->place.file && f->place.line >= 1 && f->place.column >= 1);
        assert_true(strlen(f->message) > 10 && !strchr(f->message, '\n'));
        if (!e->is_bad)
            print_message("%s on a good example: %s:%u: %s\n%s\n", r->code, f->place.file, f->place.line, f->message, e->text);
    }
    audit_free(a);
    return found;
}

static void test_examples(void **state)
{
    (void)state;
    for (size_t i = 0; i < audit_rule_count; i++) {
        const struct audit_rule *r = audit_rules[i];
        size_t bad = 0, good = 0;

        for (size_t k = 0; k < r->example_count; k++) {
            const struct audit_rule_example *e = r->examples + k;
            const size_t found = run_example(r, e);

            if ((found > 0) != e->is_bad)
                fail_msg("%s: %zu findings in this %s example:\n%s", r->code, found, e->is_bad ? "bad" : "good", e->text);
            bad += e->is_bad;
            good += !e->is_bad;
        }
        if (!bad || !good)
            fail_msg("%s has %zu bad and %zu good examples", r->code, bad, good);
    }
}

static void test_records(void **state)
{
    (void)state;
    for (size_t i = 0; i < audit_rule_count; i++) {
        const struct audit_rule *r = audit_rules[i];

        assert_true(strncmp(r->code, "ST", 2) == 0 && strlen(r->code) == 5);
        if (i && strcmp(audit_rules[i - 1]->code, r->code) >= 0)
            fail_msg("%s stands after %s", r->code, audit_rules[i - 1]->code);
        assert_true(strlen(r->name) > 3 && strspn(r->name, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(r->name));
        assert_true(strlen(r->summary) > 20 && strlen(r->why) > 40 && strlen(r->fix) > 20);
        assert_ptr_equal(audit_rule_of(r->code), r);
    }
    assert_null(audit_rule_of("ST000"));
}

static void test_memory(void **state)
{
    (void)state;
    for (size_t i = 0; i < audit_rule_count; i++) {
        const struct audit_rule *r = audit_rules[i];
        const struct audit_rule_example *bad = r->examples;

        while (!bad->is_bad)
            bad++;
        for (long n = 1;; n++) {
            struct audit_files files;
            struct audit *a = NULL;
            int err;

            audit_files_init(&files, bad->file, bad->text);
            fail_alloc_at(n);
            err = audit_files_run(&a, &files, &r->code, 1);
            if (!fail_alloc_hit()) {
                assert_int_equal(err, 0);
                audit_free(a);
                break;
            }
            fail_alloc_off();
            assert_int_equal(err, -ENOMEM);
        }
        fail_alloc_off();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
