/* The caller's talk under a clock turned by hand: the ear, the script's steps, the places of what is heard, the recording. */
#include "sim/caller_talk.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "audio/wav.h"
#include "sim/caller_clip.h"
#include "sim/caller_ear.h"
#include "sim/caller_tape.h"

enum { MS = 8, SECOND = 8000, MOMENTS = 64, TONE = 8000 };

struct told {
    int64_t at;
    char what[24], detail[TALK_DETAIL_MAX + 64];
};

struct story {
    struct told moments[MOMENTS];
    size_t n;
};

static void on_moment(int64_t at, const char *what, const char *detail, void *arg)
{
    struct story *s = arg;

    assert_true(s->n < MOMENTS);
    s->moments[s->n].at = at;
    snprintf(s->moments[s->n].what, sizeof s->moments[0].what, "%s", what);
    snprintf(s->moments[s->n].detail, sizeof s->moments[0].detail, "%s", detail);
    s->n++;
}

static const struct told *moment_find(const struct story *s, const char *what, size_t nth)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->moments[i].what, what) == 0 && nth-- == 0)
            return &s->moments[i];
    return NULL;
}

static void tone(int16_t *out, size_t from, size_t to, int level)
{
    for (size_t i = from; i < to; i++)
        out[i] = (int16_t)lrint(level * cos(2 * M_PI * 1000 * (double)(i - from) / SECOND));
}

/* --- the ear --- */

static size_t ear_run(const int16_t *pcm, size_t n, size_t piece, struct caller_ear_event *out)
{
    struct caller_ear e;
    size_t count = 0;

    caller_ear_init(&e);
    for (size_t at = 0; at < n; at += piece)
        count += caller_ear_feed(&e, (int64_t)at, pcm + at, n - at < piece ? n - at : piece, out + count);
    return count;
}

static void ear_is_exact_in_any_pieces(void **state)
{
    static int16_t pcm[4 * SECOND];
    static const size_t pieces[] = { 160, 1, 7, 80, 640 };

    (void)state;
    tone(pcm, 1000 * MS, 1500 * MS, TONE);
    tone(pcm, 1650 * MS, 2000 * MS, TONE); /* 150 ms later: the same sound */
    tone(pcm, 2500 * MS, 2520 * MS, TONE); /* 20 ms: a click */
    tone(pcm, 3000 * MS, 3100 * MS, 600);  /* quiet, but there was little noise: heard */
    tone(pcm, 3400 * MS, 3500 * MS, 5000);
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        struct caller_ear_event e[16];

        assert_int_equal(ear_run(pcm, sizeof pcm / sizeof pcm[0], pieces[i], e), 6);
        assert_true(e[0].is_start);
        assert_int_equal(e[0].at, 1000 * MS);
        assert_false(e[1].is_start);
        assert_in_range(e[1].at, 2000 * MS - 8, 2000 * MS - 1);
        assert_true(e[4].is_start);
        assert_in_range(e[4].at, 3400 * MS, 3400 * MS + 2);
    }
}

static void ear_rises_over_noise(void **state)
{
    static int16_t pcm[3 * SECOND];
    struct caller_ear_event e[16];
    unsigned seed = 7;

    (void)state;
    for (size_t i = 0; i < sizeof pcm / sizeof pcm[0]; i++)
        pcm[i] = (int16_t)((int)((seed = seed * 1103515245u + 12345u) >> 16) % 101 - 50); /* +-50 */
    tone(pcm, 1000 * MS, 2000 * MS, TONE);
    assert_int_equal(ear_run(pcm, sizeof pcm / sizeof pcm[0], 160, e), 2);
    assert_in_range(e[0].at, 1000 * MS - 1, 1000 * MS + 2);
    assert_in_range(e[1].at, 2000 * MS - 8, 2000 * MS);
}

static void ear_ends_a_sound_when_nothing_comes(void **state)
{
    static int16_t pcm[100 * MS];
    struct caller_ear_event e[EAR_EVENTS];
    struct caller_ear ear;

    (void)state;
    tone(pcm, 0, 100 * MS, TONE);
    caller_ear_init(&ear);
    assert_int_equal(caller_ear_feed(&ear, 0, pcm, 100 * MS, e), 1);
    assert_true(caller_ear_is_hearing(&ear));
    assert_int_equal(caller_ear_idle(&ear, 299 * MS - 8, e), 0);
    assert_int_equal(caller_ear_idle(&ear, 301 * MS, e), 1);
    assert_false(e[0].is_start);
    assert_false(caller_ear_is_hearing(&ear));
    assert_int_equal(caller_ear_idle(&ear, 900 * MS, e), 0);
}

/* --- the talk --- */

static char wav_path[64], tape_path[64];

static int files_make(void **state)
{
    static int16_t pcm[1000];
    struct wav_writer *w;
    int fd;

    (void)state;
    strcpy(wav_path, "/tmp/t_talk_w.XXXXXX");
    strcpy(tape_path, "/tmp/t_talk_t.XXXXXX");
    fd = mkstemp(wav_path);
    if (fd < 0 || close(fd) < 0 || (fd = mkstemp(tape_path)) < 0 || close(fd) < 0)
        return -1;
    memset(pcm, 0, sizeof pcm);
    tone(pcm, 100, 900, TONE); /* sound from sample 100 to 899 of 1000 */
    if (wav_create(&w, wav_path, SECOND, 1) != 0 || wav_write(w, pcm, 1000) != 0)
        return -1;
    return wav_close(w);
}

static int files_remove(void **state)
{
    (void)state;
    return unlink(wav_path) | unlink(tape_path);
}

static struct caller_talk *talk_of(const char *script, struct caller_tape *tape, struct story *story)
{
    struct caller_step *steps;
    const char *file = strstr(script, "FILE");
    char *problem, text[1024];
    struct caller_talk *t = NULL;
    size_t n;

    snprintf(text, sizeof text, "%.*s%s%s", file ? (int)(file - script) : (int)strlen(script), script, file ? wav_path : "",
             file ? file + 4 : "");
    assert_int_equal(caller_script_parse("s", text_of(text), &steps, &n, &problem), 0);
    assert_int_equal(caller_talk_new(&t, steps, n, "rms", tape, on_moment, story, &problem), 0);
    caller_script_free(steps, n);
    return t;
}

/* Ticks until the talk ends or `until`; the other side sends `heard` (from position 0), one frame a tick. */
static int talk_run(struct caller_talk *t, const int16_t *heard, size_t n, int64_t until, int64_t *end)
{
    int16_t frame[TALK_FRAME];
    int more = 1;

    for (*end = 0; *end < until && more == 1; *end += TALK_FRAME) {
        if ((size_t)*end + TALK_FRAME <= n)
            caller_talk_hear(t, *end, heard + *end, TALK_FRAME);
        more = caller_talk_tick(t, *end, frame);
    }
    *end -= TALK_FRAME;
    return more;
}

static void steps_take_their_time(void **state)
{
    static int16_t heard[6 * SECOND];
    struct story s = { .n = 0 };
    struct caller_talk *t = talk_of("wait 500ms\nplay FILE\nwait-speech 5s\nwait-silence 700ms 5s\nhang-up\n", NULL, &s);
    int64_t end;

    (void)state;
    tone(heard, 2000 * MS, 3000 * MS, TONE);
    assert_int_equal(talk_run(t, heard, sizeof heard / sizeof heard[0], 6 * SECOND, &end), 0);
    /* play begins at 500 ms: its sound is samples 100..899 of the clip */
    assert_int_equal(moment_find(&s, "said-start", 0)->at, 500 * MS + 100);
    assert_in_range(moment_find(&s, "said-stop", 0)->at, 500 * MS + 892, 500 * MS + 899);
    assert_int_equal(moment_find(&s, "heard-start", 0)->at, 2000 * MS);
    assert_in_range(moment_find(&s, "heard-stop", 0)->at, 3000 * MS - 8, 3000 * MS);
    /* 700 ms after the last loud sample, on the next tick */
    assert_in_range(end, 3700 * MS - 8, 3700 * MS + TALK_FRAME);
    assert_string_equal(moment_find(&s, "step", 0)->detail, "wait 500ms");
    assert_string_equal(moment_find(&s, "step", 4)->detail, "hang-up");
    assert_null(moment_find(&s, "failed", 0));
    caller_talk_free(t);
}

static void waits_run_out_with_their_line(void **state)
{
    static const struct {
        const char *script, *failed;
        int64_t end;
    } cases[] = {
        { "# nobody speaks\nwait-speech 300ms\n", "line 2: wait-speech 300ms: ran out", 300 * MS },
        { "wait 100ms\nwait-silence 500ms 600ms\n", NULL, 500 * MS }, /* silence counts from the beginning */
        { "wait-hangup 1s\n", "line 1: wait-hangup 1000ms: ran out", 1000 * MS },
        { "wait 20ms\n", NULL, 20 * MS }, /* the script's end hangs up */
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct story s = { .n = 0 };
        struct caller_talk *t = talk_of(cases[i].script, NULL, &s);
        int64_t end;

        assert_int_equal(talk_run(t, NULL, 0, 2 * SECOND, &end), cases[i].failed ? -ETIMEDOUT : 0);
        assert_int_equal(end, cases[i].end);
        if (cases[i].failed)
            assert_string_equal(moment_find(&s, "failed", 0)->detail, cases[i].failed);
        else
            assert_null(moment_find(&s, "failed", 0));
        caller_talk_free(t);
    }
}

static void endless_talker_fails_the_silence(void **state)
{
    static int16_t heard[2 * SECOND];
    struct story s = { .n = 0 };
    struct caller_talk *t = talk_of("wait-speech 1s\nwait-silence 300ms 1s\n", NULL, &s);
    int64_t end;

    (void)state;
    tone(heard, 0, 2 * SECOND, TONE);
    assert_int_equal(talk_run(t, heard, 2 * SECOND, 2 * SECOND, &end), -ETIMEDOUT);
    assert_string_equal(moment_find(&s, "failed", 0)->detail, "line 2: wait-silence 300ms 1000ms: ran out");
    caller_talk_free(t);
}

static void their_hangup(void **state)
{
    static const struct {
        const char *script;
        int err;
        const char *failed;
    } cases[] = {
        { "wait-hangup 5s\n", 0, NULL },
        { "wait-hangup 5s\nhang-up\n", 0, NULL },
        { "wait-hangup 5s\nwait 1s\n", -ECONNRESET, "line 2: wait 1000ms: the other side ended the call before it" },
        { "wait 5s\n", -ECONNRESET, "line 1: wait 5000ms: the other side ended the call before it" },
        { "wait 5s\nhang-up\n", -ECONNRESET, "line 1: wait 5000ms: the other side ended the call before it" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct story s = { .n = 0 };
        struct caller_talk *t = talk_of(cases[i].script, NULL, &s);
        int64_t end;

        assert_int_equal(talk_run(t, NULL, 0, 1 * SECOND, &end), 1);
        assert_int_equal(caller_talk_end(t, SECOND), cases[i].err);
        assert_int_equal(moment_find(&s, "hangup", 0)->at, SECOND);
        assert_string_equal(moment_find(&s, "hangup", 0)->detail, "by the other side");
        if (cases[i].failed)
            assert_string_equal(moment_find(&s, "failed", 0)->detail, cases[i].failed);
        else
            assert_null(moment_find(&s, "failed", 0));
        caller_talk_free(t);
    }
}

static void missed_ticks_stay_silent(void **state)
{
    struct story s = { .n = 0 };
    struct caller_talk *t = talk_of("play FILE\n", NULL, &s);
    int16_t frame[TALK_FRAME];

    (void)state;
    assert_int_equal(caller_talk_tick(t, 0, frame), 1);
    assert_int_equal(frame[99], 0);
    assert_int_equal(frame[100], TONE);
    assert_int_equal(caller_talk_tick(t, 10 * TALK_FRAME, frame), 1); /* nine were missed: the clip goes on where it was */
    assert_int_equal(frame[36], TONE);                                /* sample 196 of the clip: twelve whole periods on */
    for (int i = 11; i < 15; i++)
        assert_int_equal(caller_talk_tick(t, i * TALK_FRAME, frame), 1);
    assert_int_equal(caller_talk_tick(t, 15 * TALK_FRAME, frame), 1);
    assert_int_equal(caller_talk_tick(t, 16 * TALK_FRAME, frame), 0);
    caller_talk_free(t);
}

/* A frame stamped `now` that carries a tone from its first sample on. */
static void loud_hear(struct caller_talk *t, int64_t now, size_t n)
{
    int16_t pcm[40 * TALK_FRAME];

    assert_true(n <= 40 * TALK_FRAME);
    tone(pcm, 0, n, TONE);
    caller_talk_hear(t, now, pcm, n);
}

static void heard_frames_find_their_place(void **state)
{
    static int16_t quiet[TALK_FRAME];
    struct story s = { .n = 0 };
    struct caller_talk *t = talk_of("wait 1h\n", NULL, &s);

    (void)state;
    /* an even flow that arrives unevenly keeps its own time */
    caller_talk_hear(t, 1000, quiet, TALK_FRAME);
    caller_talk_hear(t, 1000 + 160 + 90, quiet, TALK_FRAME);
    caller_talk_hear(t, 1000 + 320 - 60, quiet, TALK_FRAME);
    loud_hear(t, 1000 + 480 + 200, 480);
    assert_int_equal(moment_find(&s, "heard-start", 0)->at, 1000 + 480);
    assert_int_equal(caller_talk_length(t), 1000 + 960);
    /* our own delay: twenty frames at once are the last 400 ms, right behind what came before */
    loud_hear(t, 1000 + 960 + 19 * 160 + 30, 20 * 160);
    assert_int_equal(caller_talk_length(t), 1000 + 960 + 20 * 160);
    /* a sender that fell silent: the next frame stands where it came */
    caller_talk_hear(t, 20000, quiet, TALK_FRAME);
    assert_int_equal(caller_talk_length(t), 20160);
    assert_int_equal(moment_find(&s, "heard-stop", 0)->at / 80, (1000 + 960 + 20 * 160 - 1) / 80);
    /* a burst beyond the time that passed is dropped, not laid into the future */
    for (int i = 0; i < 20; i++)
        caller_talk_hear(t, 20200, quiet, TALK_FRAME);
    assert_true(caller_talk_length(t) <= 20200 + 480 + 160);
    assert_true(caller_talk_surplus(t) > 0);
    caller_talk_free(t);
}

static void steady_lateness_is_mended(void **state)
{
    static int16_t quiet[TALK_FRAME];
    struct story s = { .n = 0 };
    struct caller_talk *t = talk_of("wait 1h\n", NULL, &s);

    (void)state;
    caller_talk_hear(t, 1000, quiet, TALK_FRAME);
    /* another source takes over, 22 ms later in phase: at first its frames are jitter, then it is the new time */
    for (int i = 1; i <= 30; i++)
        caller_talk_hear(t, 1000 + i * TALK_FRAME + 176, quiet, TALK_FRAME);
    loud_hear(t, 1000 + 31 * TALK_FRAME + 176, TALK_FRAME * 3);
    assert_int_equal(moment_find(&s, "heard-start", 0)->at, 1000 + 31 * TALK_FRAME + 176);
    caller_talk_free(t);
}

static void recording_has_both_on_one_line(void **state)
{
    static int16_t heard[3 * SECOND];
    struct story s = { .n = 0 };
    struct caller_tape *tape;
    struct caller_talk *t;
    int16_t *pcm;
    size_t frames, i;
    unsigned rate, channels;
    int64_t end;

    (void)state;
    assert_int_equal(caller_tape_new(&tape, tape_path), 0);
    t = talk_of("wait 1s\nplay FILE\nwait 1500ms\n", tape, &s);
    tone(heard, 1500 * MS, 2000 * MS, TONE);
    assert_int_equal(talk_run(t, heard, sizeof heard / sizeof heard[0], 3 * SECOND, &end), 0);
    caller_tape_advance(tape, caller_talk_length(t));
    assert_int_equal(caller_tape_dropped(tape), 0);
    assert_int_equal(caller_tape_close(tape), 0);
    assert_int_equal(wav_load(tape_path, &pcm, &frames, &rate, &channels), 0);
    assert_int_equal(rate, SECOND);
    assert_int_equal(channels, 2);
    assert_int_equal(frames, caller_talk_length(t));
    for (i = 0; pcm[2 * i] == 0; i++)
        ;
    assert_int_equal(i, 1000 * MS + 100);
    assert_int_equal(i, moment_find(&s, "said-start", 0)->at);
    for (i = 0; pcm[2 * i + 1] == 0; i++)
        ;
    assert_int_equal(i, 1500 * MS);
    assert_int_equal(i, moment_find(&s, "heard-start", 0)->at);
    free(pcm);
    caller_talk_free(t);
}

static void tape_takes_late_samples_and_drops_lost_ones(void **state)
{
    const int16_t a[2] = { 11, 12 };
    struct caller_tape *tape;
    int16_t *pcm;
    size_t frames;
    unsigned rate, channels;

    (void)state;
    assert_int_equal(caller_tape_new(&tape, tape_path), 0);
    caller_tape_advance(tape, 1000);
    caller_tape_put(tape, TAPE_HEARD, 999, a, 2);                 /* the first is written already */
    caller_tape_put(tape, TAPE_SAID, 1000 + TAPE_RING - 1, a, 2); /* the second is too far ahead */
    assert_int_equal(caller_tape_dropped(tape), 2);
    caller_tape_advance(tape, 3 * TAPE_RING); /* a long pause */
    assert_int_equal(caller_tape_close(tape), 0);
    assert_int_equal(wav_load(tape_path, &pcm, &frames, &rate, &channels), 0);
    assert_int_equal(frames, 3 * TAPE_RING);
    assert_int_equal(pcm[2 * 1000 + 1], 12);
    assert_int_equal(pcm[2 * (1000 + TAPE_RING - 1)], 11);
    assert_int_equal(pcm[2 * (1000 + TAPE_RING)], 0);
    free(pcm);
    assert_int_equal(caller_tape_new(&tape, "/no/such/folder/x.wav"), -ENOENT);
    assert_int_equal(caller_tape_new(&tape, NULL), 0);
    caller_tape_put(tape, TAPE_SAID, 0, a, 2);
    caller_tape_advance(tape, 2);
    assert_int_equal(caller_tape_close(tape), 0);
    assert_int_equal(caller_tape_close(NULL), 0);
}

static void unusable_clips_name_their_line(void **state)
{
    static const struct caller_step missing[] = { { .verb = CALLER_WAIT, .line = 1 },
                                                  { .verb = CALLER_PLAY, .text = (char *)"/no/such.wav", .line = 2 } };
    struct caller_step not_wav[] = { { .verb = CALLER_PLAY, .text = (char *)"/dev/null", .line = 7 } };
    struct caller_step no_voice[] = { { .verb = CALLER_SAY, .text = (char *)"hello", .line = 1 } };
    struct caller_talk *t = NULL;
    char *problem;

    (void)state;
    assert_int_equal(caller_talk_new(&t, missing, 2, "rms", NULL, on_moment, NULL, &problem), -ENOENT);
    assert_non_null(strstr(problem, "line 2: play /no/such.wav: "));
    free(problem);
    assert_int_equal(caller_talk_new(&t, not_wav, 1, "rms", NULL, on_moment, NULL, &problem), -EBADMSG);
    assert_string_equal(problem, "line 7: play /dev/null: not a mono WAV of 16-bit samples");
    free(problem);
    assert_true(caller_talk_new(&t, no_voice, 1, "nobody-has-this-voice", NULL, on_moment, NULL, &problem) < 0);
    assert_non_null(strstr(problem, "line 1: say hello: "));
    free(problem);
    assert_null(t);
}

static void words_become_speech(void **state)
{
    struct caller_clip c;

    (void)state;
    assert_int_equal(caller_clip_say(&c, "rms", "Good morning."), 0);
    assert_in_range(c.n, SECOND / 4, 3 * SECOND);
    assert_true(c.first_loud < c.last_loud && c.last_loud < c.n);
    assert_true(c.last_loud - c.first_loud > SECOND / 4);
    caller_clip_free(&c);
    caller_clip_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ear_is_exact_in_any_pieces),
        cmocka_unit_test(ear_rises_over_noise),
        cmocka_unit_test(ear_ends_a_sound_when_nothing_comes),
        cmocka_unit_test_setup_teardown(steps_take_their_time, files_make, files_remove),
        cmocka_unit_test(waits_run_out_with_their_line),
        cmocka_unit_test(endless_talker_fails_the_silence),
        cmocka_unit_test(their_hangup),
        cmocka_unit_test_setup_teardown(missed_ticks_stay_silent, files_make, files_remove),
        cmocka_unit_test(heard_frames_find_their_place),
        cmocka_unit_test(steady_lateness_is_mended),
        cmocka_unit_test_setup_teardown(recording_has_both_on_one_line, files_make, files_remove),
        cmocka_unit_test_setup_teardown(tape_takes_late_samples_and_drops_lost_ones, files_make, files_remove),
        cmocka_unit_test(unusable_clips_name_their_line),
        cmocka_unit_test(words_become_speech),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
