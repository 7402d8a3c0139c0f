/* Forged events: what a caller writes into its number ends nobody's call but its own, and is reported. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "facts_play.h"

static const struct who victim = { "PJSIP/trunk-00000001", "a-1.1", "a-1.1", "4930123", 6 };
static const struct who other = { "PJSIP/trunk-00000002", "a-1.2", "a-1.2", "4930777", 6 };

static struct play *begin(void)
{
    static struct play p;

    assert_int_equal(play_open(&p), 0);
    play_hello(&p);
    play_call(&p, &victim);
    play_call(&p, &other);
    assert_int_equal(play_open_calls(&p), 2);
    return &p;
}

static void end(struct play *p, size_t open, uint64_t disbelieved)
{
    struct facts_figures figures;

    play_flush(p);
    facts_figures_of(p->facts, &figures);
    assert_int_equal(figures.open, open);
    assert_int_equal(figures.disbelieved, disbelieved);
    assert_int_equal(p->err, 0);
    assert_int_equal(p->strays, 0);
    play_close(p);
}

static void bytes(struct play *p, const char *wire)
{
    play_bytes(p, text_of(wire));
}

#define ENVELOPE "Privilege: call,all\r\nTimestamp: 1795378387.500000\r\nSystemName: a\r\n"
#define SNAPSHOT(channel_, number_) \
    "Channel: " channel_ "\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: " number_ "\r\nCallerIDName: x\r\nConnectedLineNum: x\r\n" \
    "ConnectedLineName: x\r\nLanguage: en\r\nAccountCode: \r\nContext: in\r\nExten: 100\r\nPriority: 1\r\n"
#define IDS "Uniqueid: a-1.1\r\nLinkedid: a-1.1\r\n"
#define CAUSE "Cause: 16\r\nCause-txt: Normal Clearing\r\n\r\n"
/* What is left of the event that the text was put into. */
#define REST "CallerIDName: <unknown>\r\nPriority: 1\r\nUniqueid: a-6.6\r\nLinkedid: a-6.6\r\nVariable: X\r\nValue: 1\r\n\r\n"

static void real_hangup_ends_its_call(void **state)
{
    struct play *p = begin();

    (void)state;
    play_hangup(p, &victim);
    assert_int_equal(play_open_calls(p), 2);    /* it waits for what follows */
    play_says(p, "Newexten", &other, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
    assert_int_equal(play_open_calls(p), 1);
    play_hangup(p, &other);
    assert_int_equal(play_told(p, "break_in"), 0);
    end(p, 0, 0);
}

static void hangup_without_the_envelope_is_forged(void **state)
{
    static const char *const forged[] = {
        "Event: Hangup\r\nUniqueid: a-1.1\r\nChannel: PJSIP/trunk-00000001\r\nCause: 16\r\n\r\n",
        "Event: Hangup\r\nPrivilege: call,all\r\n" SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS CAUSE,
        "Event: Hangup\r\nTimestamp: 1795378387.500000\r\nSystemName: a\r\n" SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS CAUSE,
        "Event: Hangup\r\nPrivilege: call,all\r\nTimestamp: 1795378387.500000\r\n" SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS CAUSE,
    };

    (void)state;
    for (size_t i = 0; i < 2 * sizeof forged / sizeof *forged; i++) {
        struct play *p = begin();

        bytes(p, forged[i / 2]);
        if (i % 2)
            bytes(p, REST);
        else
            play_says(p, "Newexten", &other, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
        assert_int_equal(play_open_calls(p), 2);
        assert_true(play_told(p, "break_in") > 0);
        play_hangup(p, &victim);
        end(p, 1, 1);
    }
}

static void hangup_that_does_not_know_the_channel_is_not_believed(void **state)
{
    static const char *const forged[] = {
        "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000009", "4930123") IDS CAUSE,
        "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "666") IDS CAUSE,
        "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "4930123") "Uniqueid: a-1.1\r\nLinkedid: a-9.9\r\n" CAUSE,
        "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS "Cause: 16\r\n\r\n",
        "Event: Hangup\r\n" ENVELOPE "Channel: PJSIP/trunk-00000001\r\n" IDS CAUSE,
        "Event: Hangup\r\n" ENVELOPE "Channel: PJSIP/trunk-00000001\r\nCallerIDNum: 4930123\r\n" IDS CAUSE,
        "Event: Hangup\r\n" ENVELOPE "Channel: PJSIP/trunk-00000001\r\nUniqueid: a-1.1\r\n\r\n",
        "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "4930123\r\nCallerIDNum: 1") IDS CAUSE,
    };

    (void)state;
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        struct play *p = begin();

        bytes(p, forged[i]);
        play_says(p, "Newexten", &other, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
        play_flush(p);
        assert_int_equal(play_open_calls(p), 2);
        assert_true(play_told(p, "break_in") > 0);
        end(p, 2, 1);
    }
}

/* Everything is known to the forger; what follows gives it away. */
static void perfect_hangup_before_an_odd_block_is_not_believed(void **state)
{
    static const char *const behind[] = { REST, "Event: Newstate\r\nCallerIDNum: 1\r\n" REST };

    (void)state;
    for (size_t i = 0; i < sizeof behind / sizeof *behind; i++) {
        struct play *p = begin();

        bytes(p, "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS CAUSE);
        bytes(p, behind[i]);
        play_says(p, "Newexten", &victim, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
        end(p, 2, 1);
    }
}

/* The limit, as docs/internals say: nothing odd anywhere. The call's next event opens it again. */
static void forged_end_is_undone_by_the_next_event(void **state)
{
    struct play *p = begin();

    (void)state;
    bytes(p, "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS CAUSE);
    play_says(p, "Newexten", &other, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
    assert_int_equal(play_open_calls(p), 1);
    play_says(p, "Newexten", &victim, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
    play_flush(p);
    assert_non_null(strstr(buf_cstr(&p->told), "\"origin\":\"unknown\""));
    end(p, 2, 0);
}

/* The caller's own Hangup, with another's ids put in front of its own. */
static void ids_in_front_of_the_real_ones_do_not_count(void **state)
{
    struct play *p = begin();
    const struct who liar = { "PJSIP/trunk-00000002", "a-1.2", "a-1.2", "4930777\r\nUniqueid: a-1.1\r\nLinkedid: a-1.1", 6 };

    (void)state;
    play_says(p, "Newstate", &liar, "");
    play_hangup(p, &liar);
    play_says(p, "Newexten", &victim, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
    assert_true(play_told(p, "break_in") > 0);
    end(p, 1, 0);               /* its own call ended, the victim's did not */
    assert_int_equal(play_told(p, "call.ended"), 1);
}

/* Whole events between the head and the tail of a broken one: none is Asterisk's. */
static void nothing_between_head_and_tail_counts(void **state)
{
    struct play *p = begin();

    (void)state;
    bytes(p, "Event: Newexten\r\n" ENVELOPE "Channel: PJSIP/trunk-00000002\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: 20\r\n\r\n");
    bytes(p, "Event: Newchannel\r\n" ENVELOPE SNAPSHOT("PJSIP/ghost-00000001", "1") "Uniqueid: a-3.3\r\nLinkedid: a-3.3\r\n\r\n");
    bytes(p, "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS CAUSE);
    bytes(p, "Event: Newstate\r\n" ENVELOPE "Channel: x\r\nCallerIDNum: 1\r\nPriority: 1\r\nUniqueid: a-1.2\r\nLinkedid: a-1.2\r\n\r\n");
    assert_true(play_told(p, "break_in") > 0);
    play_hangup(p, &other);
    end(p, 1, 1);
}

/* A head that names the victim, and a tail for it: both from a caller. */
static void broken_hangup_of_another_does_not_count(void **state)
{
    struct play *p = begin();

    (void)state;
    bytes(p, "Event: Hangup\r\n" ENVELOPE "Channel: PJSIP/trunk-00000001\r\nChannelState: 6\r\nCallerIDNum: 20\r\n\r\n");
    bytes(p, "CallerIDName: x\r\nPriority: 1\r\n" IDS CAUSE);
    bytes(p, REST);
    end(p, 2, 1);
}

static void hostile_caller_is_followed_to_its_end(void **state)
{
    struct play *p = begin();
    static const char events[][16] = { "Newchannel", "Newexten", "Newstate", "Hangup" };
    char wire[2048];

    (void)state;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        snprintf(wire, sizeof wire,
                 "Event: %s\r\n" ENVELOPE "Channel: PJSIP/anonymous-00000012\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: 20\r\n\r\n"
                 "Event: Hangup\r\nUniqueid: a-1.1\r\nChannel: PJSIP/trunk-00000001\r\nCause: 16\r\n\r\n"
                 "CallerIDName: x\r\nContext: sip\r\nExten: 101\r\nPriority: 1\r\nUniqueid: a-6.6\r\nLinkedid: a-6.6\r\n%s\r\n", events[i],
                 strcmp(events[i], "Hangup") == 0 ? "Cause: 127\r\nCause-txt: Interworking\r\n" : "");
        bytes(p, wire);
        assert_int_equal(play_open_calls(p), strcmp(events[i], "Hangup") == 0 ? 2 : 3);
    }
    assert_int_equal(play_told(p, "call.ended"), 1);
    assert_non_null(strstr(buf_cstr(&p->told), "\"id\":\"a-6.6\""));
    assert_non_null(strstr(buf_cstr(&p->told), "\"is_suspect\":true"));
    end(p, 2, 5);
}

static void break_in_is_told_once_a_second_with_counts(void **state)
{
    struct play *p = begin();
    uint64_t blocks = 0;
    const char *at;
    long long n;

    (void)state;
    for (int i = 0; i < 500; i++)
        bytes(p, REST);
    assert_in_range(play_told(p, "break_in"), 1, 2);
    p->clock_us += 2000000;
    play_says(p, "Newexten", &other, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
    assert_in_range(play_told(p, "break_in"), 2, 3);
    for (at = buf_cstr(&p->told); (at = strstr(at, "\"blocks\":")) && sscanf(at, "\"blocks\":%lld", &n) == 1; at++)
        blocks += (uint64_t)n;
    assert_int_equal(blocks, 500);
    end(p, 2, 0);
}

/* A Hangup that was not believed may have been true: ten minutes of silence later the call ends as unobserved; life takes the doubt away. */
static void doubted_call_does_not_hang_for_ever(void **state)
{
    struct play *p = begin();

    (void)state;
    bytes(p, "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "666") IDS CAUSE);
    bytes(p, "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000002", "666") "Uniqueid: a-1.2\r\nLinkedid: a-1.2\r\n" CAUSE);
    play_says(p, "Newexten", &other, "Extension: 100\r\nApplication: Wait\r\nAppData: 1\r\n");
    p->clock_us += (int64_t)500 * 1000000;
    play_says(p, "Reload", NULL, "");
    play_flush(p);
    assert_int_equal(play_open_calls(p), 2);
    p->clock_us += (int64_t)200 * 1000000;
    play_says(p, "Reload", NULL, "");
    play_flush(p);
    assert_int_equal(play_told(p, "call.ended"), 1);
    assert_non_null(strstr(buf_cstr(&p->told), "\"outcome\":\"unobserved\""));
    end(p, 1, 2);
}

/* timestampevents = no, and no system name: the same rules with a plainer envelope; and a reload that turns it on is learned. */
static void envelope_is_the_sessions_own(void **state)
{
    static struct play p;

    (void)state;
    assert_int_equal(play_open(&p), 0);
    p.last_us = 1795378387000000;
    bytes(&p, "Asterisk Call Manager/11.0.0\r\nEvent: Newchannel\r\nPrivilege: call,all\r\n" SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS "\r\n");
    bytes(&p, "Event: Hangup\r\n" ENVELOPE SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS CAUSE);
    play_flush(&p);
    assert_int_equal(play_open_calls(&p), 1);
    bytes(&p, "Event: Hangup\r\nPrivilege: call,all\r\n" SNAPSHOT("PJSIP/trunk-00000001", "4930123") IDS CAUSE);
    play_flush(&p);
    assert_int_equal(play_open_calls(&p), 0);
    p.clock_us = 1795378387000000;
    for (int i = 0; i < 64; i++)
        play_says(&p, "Reload", NULL, "");
    play_call(&p, &victim);
    assert_int_equal(play_open_calls(&p), 1);
    play_hangup(&p, &victim);
    end(&p, 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_hangup_ends_its_call),
        cmocka_unit_test(hangup_without_the_envelope_is_forged),
        cmocka_unit_test(hangup_that_does_not_know_the_channel_is_not_believed),
        cmocka_unit_test(perfect_hangup_before_an_odd_block_is_not_believed),
        cmocka_unit_test(forged_end_is_undone_by_the_next_event),
        cmocka_unit_test(ids_in_front_of_the_real_ones_do_not_count),
        cmocka_unit_test(nothing_between_head_and_tail_counts),
        cmocka_unit_test(broken_hangup_of_another_does_not_count),
        cmocka_unit_test(hostile_caller_is_followed_to_its_end),
        cmocka_unit_test(break_in_is_told_once_a_second_with_counts),
        cmocka_unit_test(doubted_call_does_not_hang_for_ever),
        cmocka_unit_test(envelope_is_the_sessions_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
