/* The verb `bench call`: many callers at once, who bring their calls to a daemon by AudioSocket (`accept = any`) and measure what they hear. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "audio/wav.h"
#include "cli/cli.h"
#include "cli/cmd_bench.h"
#include "cli/load_result.h"

enum { APART_MS = 10, WARM_S = 3 /* sessions are being made */, SECONDS_MIN = 4, SECONDS_MAX = 70, VOICE_MAX = 30 * 8000 };

static int voice_load(const char *path, int16_t **voice, size_t *n)
{
    unsigned hz, channels;
    int err = wav_load(path, voice, n, &hz, &channels);

    if (!err && (hz != 8000 || channels != 1 || *n == 0 || *n > VOICE_MAX)) {
        free(*voice);
        err = -EINVAL;
    }
    return err;
}

int cmd_bench_call(int argc, char **argv)
{
    const char *target = NULL, *calls_text = NULL, *seconds_text = NULL, *say = NULL;
    bool as_json = false;
    const struct cli_option options[] = {
        { .name = "target", .takes = "HOST:PORT", .help = "the daemon's [audiosocket] listen (numeric address)", .value = &target },
        { .name = "calls", .takes = "N", .help = "how many at once (default 100)", .value = &calls_text },
        { .name = "seconds", .takes = "N", .help = "how long they speak (default 10); the first 3 are not counted", .value = &seconds_text },
        { .name = "say", .takes = "WAV", .help = "talk with the agent: say this (8 kHz, mono) into its words, and measure how soon it is silent", .value = &say },
        { .name = "json", .help = "one line of JSON", .is_set = &as_json },
    };
    const struct cli_syntax syntax = {
        .verb = "bench call",
        .usage = "--target HOST:PORT [options]",
        .about = "Brings calls to a daemon whose [audiosocket] has accept = any and calls_max. Without --say the agent must give the callers' voice back\n"
                 "(provider = echo, or openai with `sidetone sim openai --echo`): marks in it tell the delay from mouth to ear. tools/bench-call of\n"
                 "the sources runs all of it. Exit status 1 when a call broke.",
        .options = options,
        .option_count = sizeof options / sizeof *options,
    };
    int64_t calls = 100, seconds = 10;
    struct media_load_options opt = { 0 };
    int16_t *voice = NULL;
    size_t words;
    int code = cli_read(&syntax, argc, argv, NULL, &words), err;

    if (code == CLI_GO_ON)
        code = load_number("bench call", calls_text, "calls", 1, MEDIA_LOAD_LEGS_MAX, &calls);
    if (code == CLI_GO_ON)
        code = load_number("bench call", seconds_text, "seconds", SECONDS_MIN, SECONDS_MAX, &seconds);
    if (code != CLI_GO_ON)
        return code;
    if (!target || address_parse(text_of(target), &opt.target))
        return cli_wrong_use("bench call", "--target takes a numeric address and a port, as 127.0.0.1:9092");
    err = say ? voice_load(say, &voice, &opt.voice_n) : 0;
    if (err) {
        fprintf(stderr, "sidetone bench call: %s: %s; expected a WAV file of 16 bits, 8 kHz, mono, up to 30 s\n", say, err_text(err));
        return CLI_FAILED;
    }
    opt.voice = voice;
    opt.warm_s = WARM_S;
    opt.apart_ms = APART_MS;
    opt.legs = (unsigned)calls;
    opt.seconds = (double)seconds;
    load_files_raise();
    code = load_run("bench call", &opt, as_json);
    free(voice);
    return code;
}
