/* The embedded agent on a real loop with real workers, fed faster than real time by a stand-in for the conversation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>
#include <semaphore.h>
#include <unistd.h>

#include <cmocka.h>

#include "ai/local.h"
#include "fail_alloc.h"

enum { PER_MS = 8, PIECE = 20 * PER_MS, DEADLINE_MS = 60000, ITEMS = 32 };

static const char agent_text[] = "[agent]\n"
                                 "greeting = Good morning. How can I help you?\n"
                                 "voice = kal\n"
                                 "reprompt = Sorry.\n"
                                 "confirm = Did you say {title}?\n"
                                 "digits_help = Press {digits}.\n"
                                 "no_input = Still there?\n"
                                 "no_input_after = 3s\n"
                                 "goodbye = Bye bye.\n"
                                 "give_up = I give up.\n"
                                 "barge_in = voice, dtmf\n"
                                 "[intent hours]\n"
                                 "title = our hours\n"
                                 "say = what are your opening hours\n"
                                 "say = when are you open\n"
                                 "digit = 3\n"
                                 "tool = opening_hours\n"
                                 "answer = From {opens} to {closes}.\n"
                                 "failed = No idea.\n"
                                 "[intent address]\n"
                                 "title = our address\n"
                                 "say = where can i find you\n"
                                 "say = how do i get to your office\n"
                                 "digit = 4\n"
                                 "answer = Station Road.\n"
                                 "[intent operator]\n"
                                 "title = a colleague\n"
                                 "say = connect me with the operator\n"
                                 "digit = 0\n"
                                 "answer = One moment.\n"
                                 "then = hand_back\n"
                                 "reason = desk\n"
                                 "[intent silent]\n"
                                 "digit = 7\n"
                                 "then = hand_back\n"
                                 "[intent bye]\n"
                                 "title = goodbye\n"
                                 "say = goodbye and have a nice day\n"
                                 "then = hang_up\n";

static const struct log_sink sink = {.fd = 2, .level = LOG_ERROR};
static const struct log test_log = {.sink = &sink, .module = "test"};

/* A conversation's side: it plays what it gets in the time of the samples it feeds, and cuts off when the caller speaks. */
struct talk {
    struct loop *loop;
    struct worker_pool *pool;
    struct timer *watchdog, *feeder;
    struct agent_file *agent;
    struct grammar *grammar;
    struct synthesiser *voice;
    struct provider *p;
    char dir[32], file[64];

    int64_t fed;  /* samples so far */
    int16_t *say; /* what the caller says next */
    size_t say_n, say_at;
    int64_t say_began; /* sample, where its first sound was fed */
    size_t say_lead;   /* silence in front of that sound */
    uint32_t noise;
    bool (*met)(const struct talk *t);
    int64_t feed_until;
    bool never_hears, keeps_playing, closes_in_handler;

    size_t item_n[ITEMS]; /* samples of each item */
    bool item_last[ITEMS];
    uint32_t playing; /* 0 none */
    int64_t played;
    uint32_t last_item;

    int ready, started, stopped, tools, wishes, errors, closed, caller_texts, interrupts, texts;
    int64_t onset_us, end_us, played_at_start;
    char agent_text[32][1024];
    char words[256], intent[64], tool[64], args[256], reason[64];
    double score;
    bool accepted, wish_after_audio;
    uint32_t tool_id;
    enum provider_wish wish;
    enum provider_error error;
};

static void must_be_open(const struct talk *t)
{
    assert_int_equal(t->closed, 0);
}

static void on_ready(void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    t->ready++;
    if (t->closes_in_handler)
        provider_close(t->p);
}

static void on_audio(uint32_t item, const int16_t *pcm, size_t n, bool last, void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    assert_true(item > 0 && item < ITEMS);
    assert_true(n <= 800);
    assert_true(n == 0 || pcm);
    assert_false(t->item_last[item]); /* nothing after the last */
    if (item != t->last_item)
        assert_int_equal(item, t->last_item + 1);
    t->last_item = item;
    t->item_n[item] += n;
    t->item_last[item] = last;
    t->wish_after_audio = last;
    if (!t->playing) {
        t->playing = item;
        t->played = 0;
    }
}

static void on_agent_text(uint32_t item, struct text words, void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    assert_int_equal(t->item_n[item], 0); /* before its audio */
    t->texts++;
    text_copy(t->agent_text[item], sizeof t->agent_text[item], words);
}

static void on_speech_started(int64_t onset_us, void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    assert_int_equal(t->started, t->stopped);
    t->started++;
    t->onset_us = onset_us;
    t->played_at_start = t->playing ? t->played : -1;
    if (t->playing && !t->keeps_playing) {
        const uint32_t cut = t->playing;
        t->playing = 0;
        t->interrupts++;
        provider_interrupted(t->p, cut, (unsigned)(t->played / PER_MS));
    }
}

static void on_speech_stopped(int64_t end_us, void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    t->stopped++;
    assert_int_equal(t->started, t->stopped);
    assert_true(end_us > t->onset_us);
    t->end_us = end_us;
}

static void on_caller_text(struct text words, struct text intent, double score, bool accepted, void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    t->caller_texts++;
    text_copy(t->words, sizeof t->words, words);
    text_copy(t->intent, sizeof t->intent, intent);
    t->score = score;
    t->accepted = accepted;
}

static void on_tool_call(uint32_t id, struct text name, struct text args, void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    t->tools++;
    t->tool_id = id;
    text_copy(t->tool, sizeof t->tool, name);
    text_copy(t->args, sizeof t->args, args);
}

static void on_wish(enum provider_wish wish, struct text reason, void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    t->wishes++;
    t->wish = wish;
    text_copy(t->reason, sizeof t->reason, reason);
}

static void on_error(enum provider_error kind, struct text detail, void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    assert_true(detail.n > 0);
    t->errors++;
    t->error = kind;
}

static void on_closed(void *arg)
{
    struct talk *t = arg;

    must_be_open(t);
    t->closed++;
    t->p = NULL;
    loop_stop(t->loop);
}

static const struct provider_handlers handlers = {
    .on_ready = on_ready,
    .on_audio = on_audio,
    .on_agent_text = on_agent_text,
    .on_speech_started = on_speech_started,
    .on_speech_stopped = on_speech_stopped,
    .on_caller_text = on_caller_text,
    .on_tool_call = on_tool_call,
    .on_wish = on_wish,
    .on_error = on_error,
    .on_closed = on_closed,
};

/* ---- time ---- */

static void play(struct talk *t)
{
    if (!t->playing)
        return;
    t->played += PIECE;
    if (!t->item_last[t->playing] || (size_t)t->played < t->item_n[t->playing])
        return;
    const uint32_t done = t->playing;
    t->playing = done < t->last_item ? done + 1 : 0;
    t->played = 0;
    if (!t->never_hears)
        provider_heard(t->p, done);
}

static void feed_piece(struct talk *t)
{
    int16_t pcm[PIECE];

    for (size_t i = 0; i < PIECE; i++) {
        t->noise = t->noise * 1664525 + 1013904223;
        pcm[i] = (int16_t)((int)(t->noise >> 16) % 41 - 20);
        if (t->say_at < t->say_n)
            pcm[i] = (int16_t)(pcm[i] + t->say[t->say_at++]);
    }
    const int64_t at_us = t->fed * 1000 / PER_MS;
    t->fed += PIECE;
    provider_hear(t->p, pcm, PIECE, at_us);
    play(t);
}

static void on_feed(void *arg)
{
    struct talk *t = arg;

    if (t->p && !t->closed)
        feed_piece(t);
    if (t->met ? t->met(t) : t->fed >= t->feed_until)
        loop_stop(t->loop);
    else
        timer_start(t->feeder, 1);
}

static void on_late(void *arg)
{
    struct talk *t = arg;

    fprintf(stderr, "nothing came for %d ms; the last words: \"%s\" / \"%s\" (%.0f)\n", DEADLINE_MS,
            t->agent_text[t->last_item], t->words, t->score);
    abort();
}

static void run(struct talk *t)
{
    timer_start(t->watchdog, DEADLINE_MS);
    timer_start(t->feeder, 1);
    loop_run(t->loop);
    timer_stop(t->feeder);
    timer_stop(t->watchdog);
}

static void until(struct talk *t, bool (*met)(const struct talk *t))
{
    t->met = met;
    run(t);
    t->met = NULL;
}

static void pass_ms(struct talk *t, int ms)
{
    t->feed_until = t->fed + ms * PER_MS;
    run(t);
}

static bool is_all_heard(const struct talk *t)
{
    return t->last_item > 0 && !t->playing && t->item_last[t->last_item];
}
static bool is_playing(const struct talk *t)
{
    return t->playing && t->item_last[t->playing];
}
static bool has_tool_call(const struct talk *t)
{
    return t->tools > 0;
}
static bool has_wish(const struct talk *t)
{
    return t->wishes > 0;
}
static bool has_error(const struct talk *t)
{
    return t->errors > 0;
}
static bool has_stopped(const struct talk *t)
{
    return t->stopped > 0;
}
static bool has_caller_text(const struct talk *t)
{
    return t->caller_texts > 0;
}

/* Puts words in the caller's mouth; the sound itself begins lead_ms from now. */
static void caller_says(struct talk *t, const char *words, int lead_ms)
{
    int16_t *clip = NULL;
    size_t n = 0, from = 0;

    free(t->say);
    assert_int_equal(speech_make("rms", words, &clip, &n), 0);
    while (from < n && abs(clip[from]) < 300)
        from++;
    t->say_n = n - from + (size_t)(lead_ms * PER_MS);
    t->say = calloc(t->say_n, sizeof *t->say);
    memcpy(t->say + lead_ms * PER_MS, clip + from, (n - from) * sizeof *clip);
    t->say_at = 0;
    t->say_began = t->fed + lead_ms * PER_MS;
    free(clip);
}

/* Waits for the agent's next words after the present ones, and until they were heard. */
static const char *next_words(struct talk *t)
{
    const int before = t->texts;

    while (t->texts == before)
        pass_ms(t, 20);
    until(t, is_all_heard);
    return t->agent_text[t->last_item];
}

static const char *ask(struct talk *t, const char *words)
{
    t->caller_texts = 0;
    caller_says(t, words, 400);
    return next_words(t);
}

/* ---- set-up ---- */

static int agent_make(struct talk *t, const char *text, const char *replaced, const char *by)
{
    FILE *f = fopen(t->file, "w");
    const char *at = replaced ? strstr(text, replaced) : NULL;

    if (!f || (replaced && !at))
        return -1;
    if (at)
        fprintf(f, "%.*s%s%s", (int)(at - text), text, by, at + strlen(replaced));
    else
        fputs(text, f);
    fclose(f);
    const int err = agent_file_load(&t->agent, t->file, NULL, NULL);
    return err ? err : grammar_new(&t->grammar, t->agent, NULL, t->dir, NULL);
}

static struct talk *talk_new(const char *replaced, const char *by)
{
    struct talk *t = calloc(1, sizeof *t);

    strcpy(t->dir, "/tmp/t_local_XXXXXX");
    assert_non_null(mkdtemp(t->dir));
    snprintf(t->file, sizeof t->file, "%s/agent", t->dir);
    assert_int_equal(loop_new(&t->loop, &test_log), 0);
    assert_int_equal(worker_pool_new(&t->pool, 2, 8, "speech"), 0);
    assert_int_equal(timer_new(&t->watchdog, t->loop, on_late, t), 0);
    assert_int_equal(timer_new(&t->feeder, t->loop, on_feed, t), 0);
    assert_int_equal(agent_make(t, agent_text, replaced, by), 0);
    assert_int_equal(synthesiser_new(&t->voice, t->pool, 1 << 22), 0);
    const struct local_options opt = {.agent = t->agent, .grammar = t->grammar, .voice = t->voice, .pool = t->pool};
    assert_int_equal(local_new(&t->p, t->loop, &opt, &test_log), 0);
    assert_int_equal(t->p->rate_hz, 8000);
    return t;
}

static struct talk *talk_start(const char *replaced, const char *by)
{
    struct talk *t = talk_new(replaced, by);

    provider_start(t->p, &handlers, t);
    assert_int_equal(t->ready, 0); /* never from inside the call */
    return t;
}

/* After the greeting was heard. */
static struct talk *talk_listening(const char *replaced, const char *by)
{
    struct talk *t = talk_start(replaced, by);

    until(t, is_all_heard);
    return t;
}

static void talk_close(struct talk *t)
{
    if (t->p) {
        provider_close(t->p);
        assert_int_equal(t->closed, 0);
        timer_start(t->watchdog, DEADLINE_MS);
        loop_run(t->loop);
        timer_stop(t->watchdog);
    }
    assert_int_equal(t->closed, 1);
}

static void talk_end(struct talk *t)
{
    talk_close(t);
    worker_pool_free(t->pool);
    timer_free(t->watchdog);
    timer_free(t->feeder);
    loop_free(t->loop);
    synthesiser_free(t->voice);
    grammar_free(t->grammar);
    agent_file_free(t->agent);
    unlink(t->file);
    assert_int_equal(rmdir(t->dir), 0);
    free(t->say);
    free(t);
}

/* ---- what it does ---- */

static void test_greeting(void **state)
{
    struct talk *t = talk_start(NULL, NULL);

    (void)state;
    until(t, is_all_heard);
    assert_int_equal(t->ready, 1);
    assert_int_equal(t->last_item, 1);
    assert_string_equal(t->agent_text[1], "Good morning. How can I help you?");
    assert_in_range(t->item_n[1], 1000 * PER_MS, 5000 * PER_MS);
    assert_int_equal(t->started, 0);
    talk_end(t);
}

static void test_question_and_answer(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    assert_string_equal(ask(t, "where can i find you"), "Station Road.");
    assert_int_equal(t->started, 1);
    assert_int_equal(t->stopped, 1);
    assert_in_range(t->onset_us + 20000 - t->say_began * 125, 0, 60000); /* 20 ms early to 40 ms late */
    assert_int_equal(t->caller_texts, 1);
    assert_string_equal(t->words, "where can i find you");
    assert_string_equal(t->intent, "address");
    assert_true(t->accepted);
    assert_true(t->score >= -2300 && t->score < 0);
    assert_string_equal(ask(t, "how do i get to your office"), "Station Road.");
    assert_int_equal(t->wishes, 0);
    talk_end(t);
}

static void test_tool(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    caller_says(t, "what are your opening hours", 400);
    until(t, has_tool_call);
    assert_string_equal(t->tool, "opening_hours");
    assert_string_equal(t->args, "{\"intent\":\"hours\"}");
    provider_tool_result(t->p, t->tool_id + 1, 0, TEXT("{\"opens\":\"x\",\"closes\":\"y\"}")); /* of nobody */
    provider_tool_result(t->p, t->tool_id, 0, TEXT("{\"opens\":\"nine\",\"closes\":17}"));
    provider_tool_result(t->p, t->tool_id, 0, TEXT("{\"opens\":\"twice\",\"closes\":17}"));
    assert_string_equal(next_words(t), "From nine to 17.");
    assert_int_equal(t->last_item, 2);
    t->tools = 0;
    provider_digit(t->p, '3');
    until(t, has_tool_call);
    provider_tool_result(t->p, t->tool_id, -5, TEXT("broken"));
    assert_string_equal(next_words(t), "No idea.");
    t->tools = 0;
    provider_digit(t->p, '3');
    until(t, has_tool_call);
    provider_tool_result(t->p, t->tool_id, 0, TEXT("{\"opens\":\"nine\"}"));
    assert_string_equal(next_words(t), "No idea.");
    t->tools = 0;
    provider_digit(t->p, '3');
    until(t, has_tool_call);
    assert_string_equal(next_words(t), "No idea."); /* 20 s of the call's time pass without a result */
    provider_tool_result(t->p, t->tool_id, 0, TEXT("{\"opens\":\"nine\",\"closes\":17}"));
    pass_ms(t, 500);
    assert_int_equal(t->last_item, 5);
    talk_end(t);
}

static void test_tool_overtaken_by_a_digit(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    provider_digit(t->p, '3');
    until(t, has_tool_call);
    provider_digit(t->p, '4');
    assert_string_equal(next_words(t), "Station Road.");
    provider_tool_result(t->p, t->tool_id, 0, TEXT("{\"opens\":\"nine\",\"closes\":17}"));
    pass_ms(t, 500);
    assert_int_equal(t->last_item, 2);
    talk_end(t);
}

static void test_digits(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    provider_digit(t->p, '4');
    assert_int_equal(t->caller_texts, 0); /* never from inside the call */
    assert_string_equal(next_words(t), "Station Road.");
    assert_string_equal(t->words, "4");
    assert_string_equal(t->intent, "address");
    assert_true(t->accepted);
    provider_digit(t->p, '9');
    assert_string_equal(next_words(t), "Sorry.");
    assert_false(t->accepted);
    provider_digit(t->p, '0');
    until(t, has_wish);
    assert_string_equal(t->agent_text[t->last_item], "One moment.");
    assert_int_equal(t->wish, PROVIDER_HAND_BACK);
    assert_string_equal(t->reason, "desk");
    assert_true(t->wish_after_audio);
    provider_digit(t->p, '4'); /* too late */
    pass_ms(t, 3000);
    assert_string_equal(t->agent_text[t->last_item], "One moment.");
    assert_int_equal(t->wishes, 1);
    talk_end(t);
}

static void test_wish_without_words(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    provider_digit(t->p, '7');
    until(t, has_wish);
    assert_int_equal(t->last_item, 1);
    assert_string_equal(t->reason, "silent");
    talk_end(t);
}

static void test_goodbye(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    caller_says(t, "goodbye and have a nice day", 300);
    until(t, has_wish);
    assert_string_equal(t->agent_text[t->last_item], "Bye bye.");
    assert_int_equal(t->wish, PROVIDER_HANG_UP);
    assert_string_equal(t->reason, "bye");
    until(t, is_all_heard);
    talk_end(t);
}

static void test_barge_in(void **state)
{
    struct talk *t = talk_start(NULL, NULL);

    (void)state;
    until(t, is_playing);
    caller_says(t, "where can i find you", 600);
    assert_string_equal(next_words(t), "Station Road.");
    assert_int_equal(t->interrupts, 1);
    assert_true(t->played_at_start >= 600 * PER_MS);
    /* Told after 120 ms of speech, and some of the detector's own time. */
    assert_in_range(t->played_at_start / PER_MS, 700, 900);
    assert_in_range(t->onset_us + 20000 - t->say_began * 125, 0, 60000);
    assert_string_equal(t->intent, "address");
    talk_end(t);
}

static void test_no_barge_in_by_voice(void **state)
{
    struct talk *t = talk_start("barge_in = voice, dtmf", "barge_in = dtmf");

    (void)state;
    until(t, is_playing);
    caller_says(t, "where can i find you", 100);
    until(t, is_all_heard);
    assert_int_equal(t->interrupts, 0);
    talk_end(t);
}

static void test_conversation_that_keeps_playing(void **state)
{
    struct talk *t = talk_start(NULL, NULL);

    (void)state;
    t->keeps_playing = true; /* told of the speech, it does not cut the agent off */
    until(t, is_playing);
    caller_says(t, "where can i find you", 100);
    assert_string_equal(next_words(t), "Station Road.");
    assert_int_equal(t->interrupts, 0);
    talk_end(t);
}

static void test_three_rejections(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);
    const char foreign[] = "seventeen people waited under the old wooden bridge";

    (void)state;
    assert_string_equal(ask(t, foreign), "Sorry.");
    assert_false(t->accepted);
    assert_string_equal(ask(t, foreign), "Sorry. Press 3 for our hours, 4 for our address, 0 for a colleague or 7 for silent.");
    caller_says(t, foreign, 300);
    until(t, has_wish);
    assert_string_equal(t->agent_text[t->last_item], "I give up.");
    assert_int_equal(t->wish, PROVIDER_HAND_BACK);
    assert_string_equal(t->reason, "not_understood");
    talk_end(t);
}

static void test_success_forgets_rejections(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    for (int i = 0; i < 2; i++) {
        provider_digit(t->p, '9');
        assert_string_equal(next_words(t), "Sorry.");
        provider_digit(t->p, '4');
        assert_string_equal(next_words(t), "Station Road.");
    }
    talk_end(t);
}

static void test_no_input(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    const int64_t heard = t->fed;
    assert_string_equal(next_words(t), "Still there?");
    assert_true(t->fed - heard >= 3000 * PER_MS);
    assert_string_equal(next_words(t), "Still there?");
    until(t, has_wish);
    assert_string_equal(t->agent_text[t->last_item], "I give up.");
    assert_string_equal(t->reason, "no_input");
    assert_int_equal(t->started, 0);
    talk_end(t);
}

#define ASKS_ALWAYS "barge_in = voice, dtmf", "accept = -1\nconfirm_above = -3500"

static void test_confirmation_by_voice(void **state)
{
    struct talk *t = talk_listening(ASKS_ALWAYS);

    (void)state;
    assert_string_equal(ask(t, "where can i find you"), "Did you say our address?");
    assert_string_equal(t->intent, "address");
    assert_false(t->accepted);
    assert_string_equal(ask(t, "yes please"), "Station Road.");
    assert_string_equal(t->intent, "address");
    assert_true(t->accepted);
    assert_string_equal(ask(t, "where can i find you"), "Did you say our address?");
    assert_string_equal(ask(t, "no thank you"), "Sorry.");
    assert_string_equal(t->intent, "");
    assert_string_equal(ask(t, "where can i find you"), "Did you say our address?");
    assert_string_equal(ask(t, "how do i get to your office"), "Station Road."); /* the same again */
    assert_true(t->accepted);
    assert_string_equal(ask(t, "yes please"), "Sorry."); /* to nothing */
    assert_false(t->accepted);
    talk_end(t);
}

static void test_confirmation_by_digit(void **state)
{
    struct talk *t = talk_listening(ASKS_ALWAYS);

    (void)state;
    assert_string_equal(ask(t, "where can i find you"), "Did you say our address?");
    provider_digit(t->p, '1');
    assert_string_equal(next_words(t), "Station Road.");
    assert_string_equal(ask(t, "where can i find you"), "Did you say our address?");
    provider_digit(t->p, '2');
    assert_string_equal(next_words(t), "Sorry.");
    assert_string_equal(ask(t, "where can i find you"), "Did you say our address?");
    provider_digit(t->p, '4'); /* not an answer, but an intent of its own */
    assert_string_equal(next_words(t), "Station Road.");
    talk_end(t);
}

static void test_digit_discards_what_is_being_said(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    caller_says(t, "goodbye and have a nice day", 300);
    pass_ms(t, 900);
    assert_int_equal(t->started, 1);
    provider_digit(t->p, '4');
    assert_string_equal(next_words(t), "Station Road.");
    until(t, has_stopped);
    pass_ms(t, 1000);
    assert_int_equal(t->wishes, 0);
    assert_int_equal(t->last_item, 2);
    talk_end(t);
}

static void test_line_that_falls_silent_by_sending_nothing(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    caller_says(t, "where can i find you", 300);
    while (t->say_at < t->say_n)
        pass_ms(t, 20);
    assert_int_equal(t->stopped, 0);
    timer_start(t->watchdog, DEADLINE_MS);
    t->met = has_caller_text;
    struct provider *p = t->p;
    t->p = NULL; /* the feeder feeds nothing now */
    timer_start(t->feeder, 1);
    loop_run(t->loop);
    timer_stop(t->feeder);
    timer_stop(t->watchdog);
    t->met = NULL;
    t->p = p;
    assert_int_equal(t->stopped, 1);
    assert_string_equal(t->intent, "address");
    talk_end(t);
}

static void test_item_never_reported_as_heard(void **state)
{
    struct talk *t = talk_start(NULL, NULL);

    (void)state;
    t->never_hears = true;
    until(t, is_all_heard);
    assert_string_equal(next_words(t), "Still there?"); /* after the longest that a playout can hold */
    talk_end(t);
}

static void test_odd_order_of_calls(void **state)
{
    struct talk *t = talk_start(NULL, NULL);

    (void)state;
    provider_tool_result(t->p, 0, 0, TEXT("{}"));
    provider_tool_result(t->p, 1, 0, TEXT_NONE);
    provider_heard(t->p, 7);
    provider_interrupted(t->p, 7, 100);
    for (int i = 0; i < 100; i++)
        provider_digit(t->p, '9'); /* more than wait: the rest is dropped */
    until(t, has_wish);            /* three unknown digits are enough to give up */
    assert_string_equal(t->reason, "not_understood");
    provider_interrupted(t->p, t->last_item, 1);
    provider_heard(t->p, t->last_item);
    talk_end(t);
}

/* ---- ends ---- */

static void test_close_before_start(void **state)
{
    struct talk *t = talk_new(NULL, NULL);

    (void)state;
    provider_close(t->p);
    t->feed_until = 0;
    t->p = NULL;
    run(t); /* a turn of the loop: nobody is told, nothing is left */
    t->closed = 1;
    talk_end(t);
}

static void test_close_with_speech_under_way(void **state)
{
    struct talk *t = talk_start(NULL, NULL);

    (void)state;
    while (t->ready == 0)
        pass_ms(t, 20);
    talk_end(t);
}

static void test_close_with_recognition_under_way(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);

    (void)state;
    caller_says(t, "where can i find you", 300);
    until(t, has_stopped);
    talk_end(t);
}

static void test_close_inside_a_handler(void **state)
{
    struct talk *t = talk_new(NULL, NULL);

    (void)state;
    t->closes_in_handler = true;
    provider_start(t->p, &handlers, t);
    timer_start(t->watchdog, DEADLINE_MS);
    loop_run(t->loop);
    timer_stop(t->watchdog);
    assert_int_equal(t->ready, 1);
    assert_int_equal(t->last_item, 0);
    talk_end(t);
}

struct gate {
    sem_t entered, open;
};

static void block(void *arg)
{
    struct gate *g = arg;

    sem_post(&g->entered);
    sem_wait(&g->open);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void test_full_pool_is_an_error(void **state)
{
    struct talk *t = talk_new(NULL, NULL);
    struct gate gate;
    int jobs = 2;

    (void)state;
    assert_int_equal(sem_init(&gate.entered, 0, 0), 0);
    assert_int_equal(sem_init(&gate.open, 0, 0), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(worker_submit(t->pool, t->loop, block, nothing, &gate), 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(sem_wait(&gate.entered), 0); /* both threads are taken, */
    while (worker_submit(t->pool, t->loop, block, nothing, &gate) == 0)
        jobs++;
    assert_int_equal(jobs, 2 + 8); /* and the queue is full */
    provider_start(t->p, &handlers, t);
    timer_start(t->watchdog, DEADLINE_MS);
    t->met = has_error;
    timer_start(t->feeder, 1);
    loop_run(t->loop);
    timer_stop(t->feeder);
    timer_stop(t->watchdog);
    assert_int_equal(t->error, PROVIDER_RATE);
    for (int i = 0; i < jobs; i++)
        sem_post(&gate.open);
    talk_end(t);
    sem_destroy(&gate.open);
    sem_destroy(&gate.entered);
}

static void test_hearing_allocates_nothing(void **state)
{
    struct talk *t = talk_listening(NULL, NULL);
    static int16_t quiet[PIECE];

    (void)state;
    fail_alloc_off();
    const long before = fail_alloc_count();
    for (int i = 0; i < 100; i++)
        provider_hear(t->p, quiet, PIECE, (int64_t)i * 20000);
    assert_int_equal(fail_alloc_count(), before);
    talk_end(t);
}

static void test_allocation_failures_at_creation(void **state)
{
    struct talk *t = talk_new(NULL, NULL);
    const struct local_options opt = {.agent = t->agent, .grammar = t->grammar, .voice = t->voice, .pool = t->pool};

    (void)state;
    for (long n = 1;; n++) {
        struct provider *p = NULL;
        fail_alloc_at(n);
        const int err = local_new(&p, t->loop, &opt, &test_log);
        const bool hit = fail_alloc_hit();
        fail_alloc_off();
        if (!hit) {
            assert_int_equal(err, 0);
            provider_close(p);
            break;
        }
        assert_int_equal(err, -ENOMEM);
        assert_null(p);
    }
    provider_start(t->p, &handlers, t);
    talk_end(t);
}

static void test_error_names(void **state)
{
    (void)state;
    assert_string_equal(provider_error_name(PROVIDER_AUTH), "auth");
    assert_string_equal(provider_error_name(PROVIDER_EXPIRED), "expired");
    assert_string_equal(provider_error_name((enum provider_error)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_question_and_answer),
        cmocka_unit_test(test_tool),
        cmocka_unit_test(test_tool_overtaken_by_a_digit),
        cmocka_unit_test(test_digits),
        cmocka_unit_test(test_wish_without_words),
        cmocka_unit_test(test_goodbye),
        cmocka_unit_test(test_barge_in),
        cmocka_unit_test(test_no_barge_in_by_voice),
        cmocka_unit_test(test_conversation_that_keeps_playing),
        cmocka_unit_test(test_three_rejections),
        cmocka_unit_test(test_success_forgets_rejections),
        cmocka_unit_test(test_no_input),
        cmocka_unit_test(test_confirmation_by_voice),
        cmocka_unit_test(test_confirmation_by_digit),
        cmocka_unit_test(test_digit_discards_what_is_being_said),
        cmocka_unit_test(test_line_that_falls_silent_by_sending_nothing),
        cmocka_unit_test(test_item_never_reported_as_heard),
        cmocka_unit_test(test_odd_order_of_calls),
        cmocka_unit_test(test_close_before_start),
        cmocka_unit_test(test_close_with_speech_under_way),
        cmocka_unit_test(test_close_with_recognition_under_way),
        cmocka_unit_test(test_close_inside_a_handler),
        cmocka_unit_test(test_full_pool_is_an_error),
        cmocka_unit_test(test_hearing_allocates_nothing),
        cmocka_unit_test(test_allocation_failures_at_creation),
        cmocka_unit_test(test_error_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
