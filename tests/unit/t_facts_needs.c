/* needs.c: the events that are needed are enough: every recorded stream gives the same facts with them alone; and what the classes are. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "facts_play.h"
#include "tap/needs.h"

/* The stream as a session would get it whose filters let only the needed events through. */
static void keep_needed(struct buf *out, const char *bytes, size_t n, size_t *left_out)
{
    struct ami_reader r;
    struct ami_message m;
    struct text in = text_make(bytes, n), name, value;

    ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
    while (ami_read(&r, &in, &m) > 0) {
        if (m.kind == AMI_BANNER) {
            buf_addf(out, "%.*s\r\n", TEXT_ARG(m.name));
            continue;
        }
        if (m.kind == AMI_EVENT && !tap_needs_event(m.name, ami_get(&m, TEXT("Variable")))) {
            (*left_out)++;
            continue;
        }
        for (size_t i = 0; ami_at(&m, i, &name, &value); i++)
            buf_addf(out, "%.*s: %.*s\r\n", TEXT_ARG(name), TEXT_ARG(value));
        buf_add_text(out, TEXT("\r\n"));
    }
    ami_reader_free(&r);
    assert_int_equal(out->err, 0);
}

static void play(struct play *p, struct text bytes)
{
    assert_int_equal(play_open(p), 0);
    p->first_us = 1795000000000000;      /* the same zero for both */
    play_bytes(p, bytes);
    play_flush(p);
    assert_non_null(buf_cstr(&p->told));
}

static void same_facts(const char *name)
{
    struct play all, needed;
    struct buf some;
    size_t n, left_out = 0;
    char path[512], *bytes;

    snprintf(path, sizeof path, "%s/%s", AMI_FOLDER, name);
    bytes = play_file(path, &n);
    buf_init(&some, 8 << 20);
    keep_needed(&some, bytes, n, &left_out);
    play(&all, text_make(bytes, n));
    play(&needed, buf_text(&some));
    if (strcmp(all.told.p, needed.told.p) != 0)
        print_error("%s: the facts differ without the events that are said to be of no need\n", name);
    assert_string_equal(needed.told.p, all.told.p);
    assert_true(left_out > 0);
    play_close(&all);
    play_close(&needed);
    buf_free(&some);
    free(bytes);
}

static void what_is_needed_is_enough(void **state)
{
    DIR *d = opendir(AMI_FOLDER);
    size_t streams = 0;

    (void)state;
    assert_non_null(d);
    for (const struct dirent *e = readdir(d); e; e = readdir(d)) {
        const size_t n = strlen(e->d_name);

        /* Lines that a caller forged are no events that a filter sees; and of a call that runs when the stream begins, any event may
         * be the first that shows it. */
        if (n < 4 || strcmp(e->d_name + n - 4, ".txt") != 0 || strncmp(e->d_name, "hostile", 7) == 0 || strcmp(e->d_name, "reconnect.txt") == 0)
            continue;
        same_facts(e->d_name);
        streams++;
    }
    closedir(d);
    assert_true(streams >= 18);
}

static void classes(void **state)
{
    size_t count;
    const struct tap_need *needs = tap_needs(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(tap_name_of(text_of(needs[i].event)), TAP_E_OTHER);
        assert_string_equal(tap_class_of(text_of(needs[i].event)), needs[i].class);
    }
    assert_string_equal(tap_class_of(TEXT("RTCPSent")), "reporting");
    assert_string_equal(tap_class_of(TEXT("NoSuchEvent")), "");
    assert_true(tap_needs_event(TEXT("VarSet"), TEXT("AGISTATUS")));
    assert_false(tap_needs_event(TEXT("VarSet"), TEXT("AGISTATUSES")));
    assert_false(tap_needs_event(TEXT("VarSet"), TEXT_NONE));
    assert_true(tap_needs_event(TEXT("Hangup"), TEXT_NONE));
    assert_false(tap_needs_event(TEXT("RTCPSent"), TEXT_NONE));
}

/* As recorded: the classes that Asterisk wrote into the events. */
static void classes_are_asterisks(void **state)
{
    char path[512], *bytes;
    struct ami_reader r;
    struct ami_message m;
    struct text in;
    size_t n, seen = 0;

    (void)state;
    snprintf(path, sizeof path, "%s/queue-two-agents.txt", AMI_FOLDER);
    bytes = play_file(path, &n);
    in = text_make(bytes, n);
    ami_reader_init(&r, AMI_FROM_ASTERISK, 0);
    while (ami_read(&r, &in, &m) > 0) {
        const char *class = tap_class_of(m.name);
        const struct text privilege = ami_get(&m, TEXT("Privilege"));

        if (m.kind != AMI_EVENT || !class[0])
            continue;
        seen++;
        if (!text_starts(privilege, text_of(class)))
            fail_msg("%.*s is of %.*s, not of %s", TEXT_ARG(m.name), TEXT_ARG(privilege), class);
    }
    assert_true(seen > 100);
    ami_reader_free(&r);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_needed_is_enough), cmocka_unit_test(classes), cmocka_unit_test(classes_are_asterisks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
