/* The doctor's pure parts: lists, modes, the report, and the checks of a machine that is described. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "app/doctor/asked.h"
#include "app/doctor/check_host.h"
#include "app/doctor/checks.h"
#include "fail_alloc.h"

static void test_lists(void **state)
{
    struct buf list = { .p = NULL };

    (void)state;
    doctor_list_add(&list, TEXT("res_agi"));
    doctor_list_add(&list, TEXT("app_stasis"));
    assert_true(doctor_list_has(&list, "res_agi") && doctor_list_has(&list, "app_stasis"));
    assert_false(doctor_list_has(&list, "res_ag") || doctor_list_has(&list, "agi") || doctor_list_has(&list, ""));
    buf_free(&list);
}

static void test_modules_are_known_or_not(void **state)
{
    struct doctor_asked a = { .has_modules = false };

    (void)state;
    assert_int_equal(doctor_has_module(&a, "res_agi"), DOCTOR_UNKNOWN);
    doctor_list_add(&a.asked_modules, TEXT("res_agi"));
    assert_int_equal(doctor_has_module(&a, "res_agi"), DOCTOR_NO);
    assert_int_equal(doctor_has_module(&a, "res_ari"), DOCTOR_UNKNOWN);
    doctor_list_add(&a.modules, TEXT("res_agi"));
    assert_int_equal(doctor_has_module(&a, "res_agi"), DOCTOR_YES);
    a.has_modules = true;
    assert_int_equal(doctor_has_module(&a, "res_ari"), DOCTOR_NO);
    doctor_asked_free(&a);
}

static void test_report(void **state)
{
    struct doctor_report r;
    struct buf out;

    (void)state;
    doctor_report_init(&r);
    r.node = "pbx\"1";
    doctor_say(&r, DOCTOR_FAIL, "ami", "port %d does not answer", 5038);
    doctor_fix(&r, "manager.conf", "[general]\nport = %d", 5038);
    doctor_fix(&r, "manager.conf", "the first one stays");
    r.node = "";
    doctor_say(&r, DOCTOR_OK, "disk", "room");
    assert_int_equal(r.err, 0);
    buf_init(&out, 4096);
    assert_int_equal(doctor_json(&r, &out), 0);
    assert_string_equal(buf_cstr(&out), "{\"ok\":false,\"fine\":1,\"warnings\":0,\"failed\":1,\"skipped\":0,\"checks\":["
                                        "{\"verdict\":\"FAIL\",\"node\":\"pbx\\\"1\",\"check\":\"ami\",\"said\":\"port 5038 does not answer\",\"file\":\"manager.conf\","
                                        "\"fix\":\"[general]\\nport = 5038\"},"
                                        "{\"verdict\":\"OK\",\"node\":null,\"check\":\"disk\",\"said\":\"room\",\"file\":null,\"fix\":null}]}");
    buf_free(&out);
    doctor_report_free(&r);
}

static void test_report_without_memory(void **state)
{
    struct doctor_report r;

    (void)state;
    for (int n = 1;; n++) {
        bool has_failed;

        doctor_report_init(&r);
        fail_alloc_at(n);
        doctor_say(&r, DOCTOR_FAIL, "ami", "%s", "a sentence");
        doctor_fix(&r, "file", "%s", "a fix");
        has_failed = fail_alloc_hit();
        fail_alloc_off();
        assert_int_equal(r.err, has_failed ? -ENOMEM : 0);
        doctor_report_free(&r);
        if (!has_failed)
            break;
    }
}

static void check_command(const char *path, const char *expected)
{
    struct doctor_report r;

    doctor_report_init(&r);
    doctor_say(&r, DOCTOR_FAIL, "files", "x");
    doctor_fix_command(&r, "chmod a+r", path);
    assert_int_equal(r.err, 0);
    assert_string_equal(r.lines[0].fix, expected);
    doctor_report_free(&r);
}

/* What is to be pasted into a shell names one file, whatever its name. */
static void test_commands(void **state)
{
    (void)state;
    check_command("/a/b-c_1.py", "chmod a+r /a/b-c_1.py");
    check_command("/a/b c", "chmod a+r -- '/a/b c'");
    check_command("/a/$(x);y", "chmod a+r -- '/a/$(x);y'");
    check_command("/a/it's", "chmod a+r -- '/a/it'\\''s'");
    check_command("-x", "chmod a+r -- '-x'");
    check_command("", "chmod a+r -- ''");
}

static struct config config_of_disk(void)
{
    return (struct config){ .path = "sidetone.conf", .sidetone = { .state_dir = "/var/lib/sidetone", .workers = 2 }, .fastagi = { .sessions_max = 100 } };
}

/* The verdict of one check, and of no other line of that check. */
static enum doctor_verdict verdict_of(const struct doctor_report *r, const char *check)
{
    enum doctor_verdict v = DOCTOR_VERDICTS;

    for (size_t i = 0; i < r->count; i++)
        if (strcmp(r->lines[i].check, check) == 0) {
            assert_int_equal(v, DOCTOR_VERDICTS);
            v = r->lines[i].verdict;
        }
    return v;
}

static enum doctor_verdict host_verdict(const struct doctor_host *h, const char *check)
{
    const struct config c = config_of_disk();
    struct doctor_report r;
    enum doctor_verdict v;

    doctor_report_init(&r);
    doctor_host_check(&r, h, &c);
    assert_int_equal(r.err, 0);
    v = verdict_of(&r, check);
    doctor_report_free(&r);
    return v;
}

static void test_machine(void **state)
{
    const int64_t mib = 1 << 20;
    struct doctor_host h = { .open_files = 1024, .open_files_needed = 500, .disk_free = 5000 * mib, .state_is_there = true };

    (void)state;
    assert_int_equal(host_verdict(&h, "open files"), DOCTOR_OK);
    assert_int_equal(host_verdict(&h, "disk"), DOCTOR_OK);
    assert_int_equal(host_verdict(&h, "state folder"), DOCTOR_OK);
    assert_int_equal(host_verdict(&h, "ports"), DOCTOR_VERDICTS);
    h.open_files = 499;
    assert_int_equal(host_verdict(&h, "open files"), DOCTOR_WARN);
    h.disk_free = 500 * mib;
    assert_int_equal(host_verdict(&h, "disk"), DOCTOR_WARN);
    h.disk_free = 99 * mib;
    assert_int_equal(host_verdict(&h, "disk"), DOCTOR_FAIL);
    h.disk_free = -1;
    assert_int_equal(host_verdict(&h, "disk"), DOCTOR_SKIP);
    h.state_err = -EACCES;
    assert_int_equal(host_verdict(&h, "state folder"), DOCTOR_FAIL);
    h.ports[h.port_count++] = (struct doctor_port){ .key = "fastagi/listen", .where = "127.0.0.1:4573", .state = DOCTOR_PORT_OURS };
    assert_int_equal(host_verdict(&h, "ports"), DOCTOR_OK);
    h.ports[0].state = DOCTOR_PORT_REFUSED;
    h.ports[0].err = -EADDRNOTAVAIL;
    assert_int_equal(host_verdict(&h, "ports"), DOCTOR_FAIL);
    for (int f = DOCTOR_FILE_GONE; f <= DOCTOR_FOLDER_WRITABLE; f++) {
        h.files[0] = (struct doctor_file){ .what = "route", .name = "a", .path = "/x", .fault = (enum doctor_file_fault)f };
        h.file_count = 1;
        assert_int_equal(host_verdict(&h, "files"), f == DOCTOR_FILE_UNSEEN ? DOCTOR_SKIP : f < DOCTOR_FILE_WRITABLE ? DOCTOR_FAIL : DOCTOR_WARN);
    }
}

static void test_open_files_that_full_load_needs(void **state)
{
    struct config c = config_of_disk();
    struct config_route routes[2] = { { .handler = "/a.lua" }, { .script = "/a.py", .max = 10 } };
    const int64_t idle = doctor_files_needed(&c);

    (void)state;
    c.routes = routes;
    c.route_count = 1;
    assert_int_equal(doctor_files_needed(&c), idle + 100);
    c.route_count = 2;
    assert_int_equal(doctor_files_needed(&c), idle + 100 + 4 * 10);
}

static void test_open_files_of_asterisk(void **state)
{
    struct config c = config_of_disk();
    struct config_node n = { .calls_max = 10 };
    struct config_route route = { .handler = "/a.lua" };
    int64_t idle;

    (void)state;
    idle = doctor_asterisk_files_needed(&c, &n);
    assert_true(idle > 0);
    n.ari = "http://127.0.0.1:8088";
    assert_int_equal(doctor_asterisk_files_needed(&c, &n), idle + 10 * 16);
    c.routes = &route;
    c.route_count = 1;
    assert_int_equal(doctor_asterisk_files_needed(&c, &n), idle + 10 * 16 + 100 * 10);
}

static enum doctor_verdict certificate_verdict(int64_t not_after)
{
    const struct doctor_asked a = { .ami_certificate = { .is_asked = true, .is_known = true, .not_after = not_after } };
    struct doctor_report r;
    const struct doctor_context x = { .asked = &a, .report = &r, .now_s = 1000000000 };
    enum doctor_verdict v;

    doctor_report_init(&r);
    doctor_checks_run(&doctor_tls_checks, &x);
    v = verdict_of(&r, "certificate");
    doctor_report_free(&r);
    return v;
}

static void test_certificate(void **state)
{
    (void)state;
    assert_int_equal(certificate_verdict(1000000000), DOCTOR_FAIL);
    assert_int_equal(certificate_verdict(1000000001), DOCTOR_WARN);
    assert_int_equal(certificate_verdict(1000000000 + 21 * 86400), DOCTOR_WARN);
    assert_int_equal(certificate_verdict(1000000001 + 21 * 86400), DOCTOR_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_modules_are_known_or_not),
        cmocka_unit_test(test_commands),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_report_without_memory),
        cmocka_unit_test(test_machine),
        cmocka_unit_test(test_open_files_that_full_load_needs),
        cmocka_unit_test(test_open_files_of_asterisk),
        cmocka_unit_test(test_certificate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
