/* Gaps, restarts and limits: nothing that was open is left hanging, and nothing grows without a ceiling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "facts_play.h"

#define NEWEXTEN "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n"
#define HOUR_US ((int64_t)3600 * 1000000)

static const struct who one = { "PJSIP/trunk-00000001", "a-1.1", "a-1.1", "4930123", 6 };
static const struct who two = { "PJSIP/trunk-00000002", "a-1.2", "a-1.2", "4930777", 6 };

static struct play *begin(void)
{
    static struct play p;

    assert_int_equal(play_open(&p), 0);
    play_hello(&p);
    play_call(&p, &one);
    play_call(&p, &two);
    return &p;
}

static struct facts_figures figures_of(const struct play *p)
{
    struct facts_figures figures;

    facts_figures_of(p->facts, &figures);
    return figures;
}

static void end(struct play *p, size_t open, uint64_t unobserved)
{
    play_flush(p);
    assert_int_equal(figures_of(p).open, open);
    assert_int_equal(figures_of(p).unobserved, unobserved);
    assert_int_equal(figures_of(p).calls, p->ended + open);
    assert_int_equal(p->err, 0);
    assert_int_equal(p->strays, 0);
    play_close(p);
}

static void present(struct play *p, const struct who *w)
{
    const struct tap_pair pairs[] = {
        { TEXT("Channel"), text_of(w->channel) }, { TEXT("ChannelState"), TEXT("6") }, { TEXT("CallerIDNum"), text_of(w->number) },
        { TEXT("Uniqueid"), text_of(w->id) }, { TEXT("Linkedid"), text_of(w->linkedid) }, { TEXT("Exten"), TEXT("100") },
        { TEXT("Context"), TEXT("in") }, { TEXT("Duration"), TEXT("00:01:05") }, { TEXT("Application"), TEXT("Queue") },
    };

    play_note(p, TAP_PRESENT, pairs, sizeof pairs / sizeof *pairs);
}

static void gap_ends_what_is_not_there_any_more(void **state)
{
    struct play *p = begin();

    (void)state;
    play_note(p, TAP_DOWN, NULL, 0);
    assert_int_equal(play_open_calls(p), 2);
    play_note(p, TAP_UP, NULL, 0);
    present(p, &two);
    assert_int_equal(play_open_calls(p), 2);
    play_note(p, TAP_PRESENT_END, NULL, 0);
    assert_int_equal(play_open_calls(p), 1);
    assert_non_null(strstr(buf_cstr(&p->told), "{\"id\":\"a-1.1\",\"was\":\"\",\"outcome\":\"unobserved\""));
    play_hangup(p, &two);
    end(p, 0, 1);
    /* the other one was seen to its end, but a gap lies inside */
}

static void call_over_a_gap_is_partial(void **state)
{
    struct play *p = begin();

    (void)state;
    play_note(p, TAP_DOWN, NULL, 0);
    play_note(p, TAP_UP, NULL, 0);
    present(p, &one);
    present(p, &two);
    play_note(p, TAP_PRESENT_END, NULL, 0);
    play_hangup(p, &two);
    play_flush(p);
    assert_non_null(strstr(buf_cstr(&p->told), "\"is_partial\":true"));
    assert_null(strstr(buf_cstr(&p->told), "unobserved"));
    end(p, 1, 0);
}

/* A break-in makes the tap ask for the list: without a gap, too, it ends what it does not name; that it cannot be had ends nothing. */
static void list_without_a_gap_counts(void **state)
{
    struct play *p = begin();

    (void)state;
    play_note(p, TAP_PRESENT_NONE, NULL, 0);
    assert_int_equal(play_open_calls(p), 2);
    present(p, &one);
    play_says(p, "Newexten", &two, NEWEXTEN);       /* heard of while the list came */
    play_note(p, TAP_PRESENT_END, NULL, 0);
    assert_int_equal(play_open_calls(p), 2);
    present(p, &one);
    play_note(p, TAP_PRESENT_END, NULL, 0);
    assert_int_equal(play_open_calls(p), 1);
    play_hangup(p, &one);
    play_flush(p);
    assert_null(strstr(buf_cstr(&p->told), "\"id\":\"a-1.1\",\"was\":\"\",\"outcome\":\"unobserved\""));
    end(p, 0, 1);
}

static void without_a_list_everything_unheard_of_ends(void **state)
{
    static const enum tap_kind ways[][3] = { { TAP_DOWN, TAP_UP, TAP_PRESENT_NONE }, { TAP_LOST, TAP_PRESENT_NONE, TAP_PRESENT_NONE },
                                             { TAP_UP, TAP_PRESENT_NONE, TAP_PRESENT_NONE }, { TAP_PRESENT_NONE, TAP_UP, TAP_PRESENT_END } };

    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct play *p = begin();

        for (size_t k = 0; k < 3; k++)
            play_note(p, ways[i][k], NULL, 0);
        end(p, 0, 2);
    }
}

static void sign_of_life_after_the_gap_keeps_a_call(void **state)
{
    struct play *p = begin();

    (void)state;
    play_note(p, TAP_DOWN, NULL, 0);
    play_note(p, TAP_UP, NULL, 0);
    play_says(p, "Reload", NULL, "");
    play_says(p, "Newexten", &one, NEWEXTEN);
    play_note(p, TAP_PRESENT_NONE, NULL, 0);
    assert_int_equal(play_open_calls(p), 1);
    play_hangup(p, &one);
    end(p, 0, 1);
}

/* The list comes over another session than the events: a Hangup may be ahead of it. */
static void listed_channel_that_hung_up_meanwhile_opens_nothing(void **state)
{
    struct play *p = begin();

    (void)state;
    play_note(p, TAP_DOWN, NULL, 0);
    play_note(p, TAP_UP, NULL, 0);
    play_says(p, "Reload", NULL, "");
    play_hangup(p, &one);
    present(p, &one);
    present(p, &two);
    play_note(p, TAP_PRESENT_END, NULL, 0);
    assert_int_equal(play_open_calls(p), 1);
    play_hangup(p, &two);
    end(p, 0, 0);
}

static void call_that_was_there_first_is_partial(void **state)
{
    static struct play p;
    const struct who callee = { "PJSIP/101-00000007", "a-0.8", "a-0.7", "101", 6 }, caller = { "PJSIP/trunk-00000006", "a-0.7", "a-0.7", "555", 6 };

    (void)state;
    assert_int_equal(play_open(&p), 0);
    play_hello(&p);
    play_says(&p, "Newexten", &callee, NEWEXTEN);
    play_says(&p, "Hold", &caller, "");
    assert_int_equal(play_open_calls(&p), 1);
    play_says(&p, "VarSet", &two, "Variable: A\r\nValue: 1\r\n");
    assert_int_equal(play_open_calls(&p), 1);       /* may be the echo of one that ended */
    play_hangup(&p, &callee);
    play_hangup(&p, &caller);
    play_flush(&p);
    assert_non_null(strstr(buf_cstr(&p.told), "\"caller\":\"555\""));
    assert_non_null(strstr(buf_cstr(&p.told), "\"is_partial\":true"));
    end(&p, 0, 0);
}

static void present_call_began_before_it_was_listed(void **state)
{
    static struct play p;

    (void)state;
    assert_int_equal(play_open(&p), 0);
    play_hello(&p);
    play_note(&p, TAP_UP, NULL, 0);
    present(&p, &one);
    play_note(&p, TAP_PRESENT_END, NULL, 0);
    play_hangup(&p, &one);
    play_flush(&p);
    assert_non_null(strstr(buf_cstr(&p.told), "\"started_us\":1795378322001000"));     /* 65 s before the list */
    assert_non_null(strstr(buf_cstr(&p.told), "\"application\":\"Queue\""));
    end(&p, 0, 0);
}

static void silent_call_ends_after_a_day(void **state)
{
    struct play *p = begin();

    (void)state;
    p->clock_us += 1;
    for (int hour = 0; hour < 23; hour++) {
        p->clock_us += HOUR_US - 2000000;
        play_says(p, "Newexten", &two, NEWEXTEN);
    }
    assert_int_equal(play_open_calls(p), 2);
    for (int hour = 0; hour < 2; hour++) {
        p->clock_us += HOUR_US - 2000000;
        play_says(p, "Newexten", &two, NEWEXTEN);
    }
    assert_int_equal(play_open_calls(p), 1);
    end(p, 1, 1);
}

/* A forged Timestamp moves no clock but its own event's: idleness counts by arrival. */
static void future_timestamp_ends_nobody(void **state)
{
    struct play *p = begin();
    struct tap_event *e;
    const struct tap_pair pairs[] = { { TEXT("Privilege"), TEXT("call,all") }, { TEXT("Timestamp"), TEXT("4000000000.000000") },
                                      { TEXT("SystemName"), TEXT("a") } };

    (void)state;
    assert_int_equal(tap_event_new(&e, TAP_EVENT, TEXT("Reload"), pairs, 3), 0);
    e->order_us = e->emit_us;
    e->recv_us = p->clock_us;
    assert_int_equal(facts_take(p->facts, e), 0);
    tap_event_free(e);
    end(p, 2, 0);
}

static void id_that_is_used_again_ends_its_former_call(void **state)
{
    struct play *p = begin();
    const struct who again = { "PJSIP/trunk-000000ff", "a-1.1", "a-1.1", "111", 4 };

    (void)state;
    play_says(p, "Newchannel", &again, "");
    assert_int_equal(play_open_calls(p), 2);
    assert_int_equal(play_told(p, "call.ended"), 1);
    play_hangup(p, &again);
    play_hangup(p, &two);
    end(p, 0, 1);
}

static void nodes_do_not_share_ids(void **state)
{
    struct play *p = begin();

    (void)state;
    p->node = 1;
    play_call(p, &one);
    assert_int_equal(play_open_calls(p), 3);
    play_note(p, TAP_LOST, NULL, 0);
    play_note(p, TAP_PRESENT_NONE, NULL, 0);
    assert_int_equal(facts_open_of(p->facts, 0), 2);
    assert_int_equal(facts_open_of(p->facts, 1), 0);
    play_hangup(p, &one);       /* of the node where it is unknown */
    play_flush(p);
    assert_int_equal(facts_open_of(p->facts, 0), 2);
    p->node = 7;                /* there is no such node */
    play_call(p, &one);
    p->node = 0;
    end(p, 2, 1);
}

static void calls_have_a_ceiling(void **state)
{
    static struct play p;
    const struct facts_options opt = { .nodes = 1, .calls_max = 10 };
    const struct facts_handlers on = { 0 };
    char id[32];
    struct who w = { "PJSIP/x-00000001", id, id, "1", 4 };

    (void)state;
    assert_int_equal(play_open(&p), 0);
    facts_free(p.facts);
    assert_int_equal(facts_new(&p.facts, &opt, &on, NULL), 0);
    play_hello(&p);
    for (int i = 0; i < 25; i++) {
        snprintf(id, sizeof id, "b-%d", i);
        play_says(&p, "Newchannel", &w, "");
    }
    assert_int_equal(figures_of(&p).open, 10);
    assert_int_equal(figures_of(&p).refused, 15);
    for (int i = 0; i < 25; i++) {
        snprintf(id, sizeof id, "b-%d", i);
        play_hangup(&p, &w);
    }
    play_flush(&p);
    assert_int_equal(figures_of(&p).open, 0);
    assert_int_equal(figures_of(&p).channels, 0);
    play_close(&p);
}

static void legs_and_lists_have_ceilings(void **state)
{
    struct play *p = begin();
    char id[32], name[64], told[64];
    const struct who w = { name, id, "a-1.1", "1", 4 };

    (void)state;
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "c-%d", i);
        snprintf(name, sizeof name, "PJSIP/y-%08x", i);
        play_says(p, "Newchannel", &w, "");
    }
    for (int i = 0; i < 100; i++) {
        play_says(p, "MixMonitorStart", &one, "");
        play_says(p, "Newexten", &one, "Extension: 100\r\nApplication: Stasis\r\nAppData: shop\r\n");
    }
    assert_int_equal(figures_of(p).refused, 200 - (CALL_LEGS_MAX - 1) + 2 * (100 - CALL_LIST_MAX));
    for (int i = 0; i < 200; i++) {
        snprintf(id, sizeof id, "c-%d", i);
        snprintf(name, sizeof name, "PJSIP/y-%08x", i);
        play_hangup(p, &w);
    }
    play_hangup(p, &one);
    play_hangup(p, &two);
    play_flush(p);
    snprintf(told, sizeof told, "\"recordings_count\":%d", 100);
    assert_non_null(strstr(buf_cstr(&p->told), told));
    assert_int_equal(figures_of(p).channels, 0);
    end(p, 0, 0);
}

/* A queue tries three hundred phones for one caller: the one that answers is in the record. */
static void phones_that_rang_in_vain_make_room(void **state)
{
    struct play *p = begin();
    char id[32], name[64];
    struct who w = { name, id, "a-1.1", "1", 5 };

    (void)state;
    for (int i = 0; i < 300; i++) {
        snprintf(id, sizeof id, "c-%d", i);
        snprintf(name, sizeof name, "PJSIP/y-%08x", i);
        play_says(p, "Newchannel", &w, "");
        if (i == 299)
            break;
        play_hangup(p, &w);
    }
    w.state = 6;
    play_says(p, "Newstate", &w, "");
    play_says(p, "BridgeEnter", &w, "BridgeUniqueid: b\r\nBridgeTechnology: simple_bridge\r\n");
    play_says(p, "BridgeEnter", &one, "BridgeUniqueid: b\r\nBridgeTechnology: simple_bridge\r\n");
    assert_int_equal(play_told(p, "call.answered"), 1);
    play_hangup(p, &w);
    play_hangup(p, &one);
    play_flush(p);
    assert_non_null(strstr(buf_cstr(&p->told), "\"channel\":\"PJSIP/y-0000012b\",\"number\":\"1\",\"name\":\"\",\"role\":\"callee\",\"started_us\""));
    assert_non_null(strstr(buf_cstr(&p->told), "\"uniqueid\":\"a-1.1\""));
    assert_int_equal(figures_of(p).refused, 300 - (CALL_LEGS_MAX - 1));
    play_hangup(p, &two);
    end(p, 0, 0);
}

/* Forged channels under one Linkedid do not eat the memory. */
static void channels_have_a_ceiling(void **state)
{
    static struct play p;
    const struct facts_options opt = { .nodes = 1, .calls_max = 10 };
    const struct facts_handlers on = { 0 };
    char id[32];
    struct who w = { "PJSIP/x-00000001", id, "a-1.1", "1", 4 };

    (void)state;
    assert_int_equal(play_open(&p), 0);
    facts_free(p.facts);
    assert_int_equal(facts_new(&p.facts, &opt, &on, NULL), 0);
    play_hello(&p);
    for (int i = 0; i < 500; i++) {
        snprintf(id, sizeof id, "b-%d", i);
        play_says(&p, "Newchannel", &w, "");
    }
    assert_int_equal(figures_of(&p).channels, 80);
    assert_true(figures_of(&p).refused >= 420);
    play_close(&p);
}

/* Ids and texts longer than any real one are cut, and found again. */
static void long_ids_are_cut_and_found(void **state)
{
    static struct play p;
    char id[600], number[600];
    struct who w = { "PJSIP/x-00000001", id, id, number, 6 };

    (void)state;
    memset(id, 'i', sizeof id - 1);
    memset(number, '9', sizeof number - 1);
    id[sizeof id - 1] = number[sizeof number - 1] = '\0';
    assert_int_equal(play_open(&p), 0);
    play_hello(&p);
    play_call(&p, &w);
    play_says(&p, "Newexten", &w, NEWEXTEN);
    assert_int_equal(play_open_calls(&p), 1);
    play_hangup(&p, &w);
    end(&p, 0, 0);
}

/* A Linkedid that nobody has: the call carries it from now on. One that a call has: the leg moves there. */
static void call_is_rekeyed_with_its_linkedid(void **state)
{
    struct play *p = begin();
    const struct who renamed = { one.channel, one.id, "a-0.9", one.number, 6 }, joined = { two.channel, two.id, "a-0.9", two.number, 6 };

    (void)state;
    play_says(p, "Newexten", &renamed, NEWEXTEN);
    assert_int_equal(play_told(p, "call.rekeyed"), 1);
    assert_non_null(strstr(buf_cstr(&p->told), "{\"from\":\"a-1.1\",\"into\":\"a-0.9\",\"joined\":false}"));
    assert_int_equal(play_open_calls(p), 2);
    play_says(p, "Newexten", &joined, NEWEXTEN);
    assert_int_equal(play_told(p, "call.rekeyed"), 2);
    assert_non_null(strstr(buf_cstr(&p->told), "{\"from\":\"a-1.2\",\"into\":\"a-0.9\",\"joined\":true}"));
    assert_int_equal(play_open_calls(p), 1);
    play_hangup(p, &joined);
    play_hangup(p, &renamed);
    play_flush(p);
    assert_non_null(strstr(buf_cstr(&p->told), "{\"id\":\"a-0.9\",\"was\":\"a-1.1\""));
    assert_non_null(strstr(buf_cstr(&p->told), "\"joined\":\"a-0.9\""));
    end(p, 0, 0);
}

static void flush_tells_what_changed_once(void **state)
{
    struct play *p = begin();

    (void)state;
    play_flush(p);
    assert_int_equal(p->open_records, 2);
    play_flush(p);
    assert_int_equal(p->open_records, 2);
    play_says(p, "VarSet", &one, "Variable: A\r\nValue: 1\r\n");
    play_flush(p);
    assert_int_equal(p->open_records, 2);
    play_says(p, "Hold", &one, "");
    play_flush(p);
    assert_int_equal(p->open_records, 3);
    end(p, 2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gap_ends_what_is_not_there_any_more),
        cmocka_unit_test(call_over_a_gap_is_partial),
        cmocka_unit_test(list_without_a_gap_counts),
        cmocka_unit_test(without_a_list_everything_unheard_of_ends),
        cmocka_unit_test(sign_of_life_after_the_gap_keeps_a_call),
        cmocka_unit_test(listed_channel_that_hung_up_meanwhile_opens_nothing),
        cmocka_unit_test(call_that_was_there_first_is_partial),
        cmocka_unit_test(present_call_began_before_it_was_listed),
        cmocka_unit_test(silent_call_ends_after_a_day),
        cmocka_unit_test(future_timestamp_ends_nobody),
        cmocka_unit_test(id_that_is_used_again_ends_its_former_call),
        cmocka_unit_test(nodes_do_not_share_ids),
        cmocka_unit_test(calls_have_a_ceiling),
        cmocka_unit_test(legs_and_lists_have_ceilings),
        cmocka_unit_test(phones_that_rang_in_vain_make_room),
        cmocka_unit_test(channels_have_a_ceiling),
        cmocka_unit_test(long_ids_are_cut_and_found),
        cmocka_unit_test(call_is_rekeyed_with_its_linkedid),
        cmocka_unit_test(flush_tells_what_changed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
