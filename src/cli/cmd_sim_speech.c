/* `sidetone sim say` and `sidetone sim recognise`: the embedded voice and ear on files, for tests and for tuning an agent. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ai/agent_file.h"
#include "ai/speech.h"
#include "audio/resample.h"
#include "audio/wav.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/cmd_sim.h"
#include "net/worker.h"

enum { SPEECH_HZ = 8000, SPEECH_LONGEST_MS = 60000 };

/* ---- say ---- */

static int say(const char *words, const char *voice, const char *output)
{
    struct wav_writer *w;
    int16_t *pcm = NULL;
    size_t n;
    int err = speech_make(voice, words, &pcm, &n);

    if (!err)
        err = wav_create(&w, output, SPEECH_HZ, 1);
    if (!err) {
        err = wav_write(w, pcm, n);
        if (wav_close(w) && !err)
            err = -EIO;
    }
    free(pcm);
    if (err)
        fprintf(stderr, "sidetone sim say: %s: %s\n", output, err_text(err));
    return err ? CLI_FAILED : CLI_FINE;
}

int cmd_sim_say(int argc, char **argv)
{
    const char *voice = "rms", *output = NULL, *words[1];
    const struct cli_option options[] = {
        { .name = "voice", .takes = "NAME", .help = "slt rms awb kal16 kal (default rms)", .value = &voice },
        { .name = "output", .takes = "FILE", .help = "the WAV to write (8 kHz, mono)", .value = &output },
    };
    const struct cli_syntax syntax = {
        .verb = "sim say", .usage = "TEXT --output FILE [--voice NAME]", .about = "Speaks a text into a WAV file.",
        .options = options, .option_count = 2, .words_min = 1, .words_max = 1,
    };
    size_t count;
    const int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (!output)
        return cli_wrong_use(syntax.verb, "--output FILE is needed");
    if (!speech_has_voice(text_of(voice)))
        return cli_wrong_use(syntax.verb, "no voice \"%s\"; there are slt rms awb kal16 kal", voice);
    return say(words[0], voice, output);
}

/* ---- recognise ---- */

struct hearing {
    struct loop *loop;
    const struct agent_file *agent;
    bool as_json;
    int code;
};

static void on_result(int err, int intent, const char *words, double score, void *arg)
{
    struct hearing *h = arg;
    const bool known = !err && intent >= 0 && (size_t)intent < h->agent->intent_count;
    const struct text name = known ? h->agent->intents[intent].name : TEXT("");
    const char *zone = !known ? "nothing" : score >= h->agent->accept ? "accept" : score >= h->agent->confirm_above ? "confirm" : "reject";

    if (err)
        fprintf(stderr, "sidetone sim recognise: %s\n", err_text(err));
    else if (h->as_json)
        printf("{\"intent\":\"%.*s\",\"words\":\"%s\",\"score\":%.0f,\"zone\":\"%s\"}\n", TEXT_ARG(name), words ? words : "", score, zone);
    else
        printf("%s: \"%s\" (intent %.*s, score %.0f per second)\n", zone, words ? words : "", TEXT_ARG(name), score);
    h->code = err ? CLI_FAILED : CLI_FINE;
    loop_stop(h->loop);
}

static void on_file_problem(const struct conf_place *place, const char *message, void *arg)
{
    (void)arg;
    fprintf(stderr, "%s:%u: %s\n", place->file, place->line, message);
}

/* The wanted piece of one channel at 8 kHz, malloc'ed. */
static int load_piece(const char *path, bool right, int64_t from_ms, int64_t to_ms, int16_t **out, size_t *out_n)
{
    unsigned rate, channels;
    size_t frames, begin, end;
    int16_t *all;
    int err = wav_load(path, &all, &frames, &rate, &channels);

    if (err)
        return err;
    begin = (size_t)from_ms * rate / 1000;
    end = to_ms ? (size_t)to_ms * rate / 1000 : frames;
    end = end < frames ? end : frames;
    begin = begin < end ? begin : end;
    for (size_t i = begin; i < end; i++)
        all[i - begin] = all[i * channels + (right && channels == 2)];
    err = resample_clip(all, end - begin, rate, SPEECH_HZ, out, out_n);
    free(all);
    return err;
}

static int hear(struct hearing *h, const int16_t *pcm, size_t n)
{
    struct log_sink sink = { .fd = 2, .level = LOG_ERROR };
    const struct log log = { .sink = &sink, .module = "sim" };
    struct worker_pool *pool = NULL;
    struct grammar *grammar = NULL;
    struct recogniser *ear = NULL;
    char *missing = NULL;
    int err = loop_new(&h->loop, &log);

    if (!err)
        err = worker_pool_new(&pool, 1, 4, "speech");
    if (!err)
        err = grammar_new(&grammar, h->agent, NULL, "/tmp", &missing);
    if (missing)
        fprintf(stderr, "sidetone sim recognise: the dictionary does not know \"%s\"\n", missing);
    if (!err)
        err = recogniser_new(&ear, grammar, pool, h->loop);
    if (!err)
        err = recogniser_submit(ear, pcm, n, on_result, h);
    if (!err)
        loop_run(h->loop);
    recogniser_close(ear);
    if (pool)
        worker_pool_free(pool);
    loop_free(h->loop);
    grammar_free(grammar);
    free(missing);
    return err;
}

static int recognise(const char *wav, const char *agent_path, bool right, int64_t from_ms, int64_t to_ms, bool as_json)
{
    struct hearing h = { .as_json = as_json, .code = CLI_FAILED };
    struct agent_file *agent;
    int16_t *pcm = NULL;
    size_t n;
    int err = agent_file_load(&agent, agent_path, on_file_problem, NULL);

    if (err) {
        fprintf(stderr, "sidetone sim recognise: %s: %s\n", agent_path, err_text(err));
        return CLI_FAILED;
    }
    h.agent = agent;
    err = load_piece(wav, right, from_ms, to_ms, &pcm, &n);
    if (!err && n > (size_t)SPEECH_HZ * SPEECH_LONGEST_MS / 1000)
        err = -EFBIG;
    if (err)
        fprintf(stderr, "sidetone sim recognise: %s: %s\n", wav, err_text(err));
    else if (hear(&h, pcm, n))
        h.code = CLI_FAILED;
    free(pcm);
    agent_file_free(agent);
    return h.code;
}

int cmd_sim_recognise(int argc, char **argv)
{
    const char *agent = NULL, *channel = "left", *from = "0", *to = "0", *words[1];
    bool as_json = false;
    const struct cli_option options[] = {
        { .name = "agent", .takes = "FILE", .help = "agent file whose phrases may be heard", .value = &agent },
        { .name = "channel", .takes = "SIDE", .help = "of a stereo file: left (default) or right", .value = &channel },
        { .name = "from", .takes = "MS", .help = "where to begin (default 0)", .value = &from },
        { .name = "to", .takes = "MS", .help = "where to end (default: the end)", .value = &to },
        { .name = "json", .help = "one line of JSON", .is_set = &as_json },
    };
    const struct cli_syntax syntax = {
        .verb = "sim recognise", .usage = "FILE.wav --agent FILE [options]",
        .about = "Recognises one utterance of a recording with an agent's grammar, and prints the score that accept and\n"
                 "confirm_above are compared with.",
        .options = options, .option_count = sizeof options / sizeof *options, .words_min = 1, .words_max = 1,
    };
    int64_t from_ms, to_ms;
    size_t count;
    const int code = cli_read(&syntax, argc, argv, words, &count);

    if (code != CLI_GO_ON)
        return code;
    if (!agent)
        return cli_wrong_use(syntax.verb, "--agent FILE is needed");
    if (text_to_ms(text_of(from), &from_ms) || text_to_ms(text_of(to), &to_ms))
        return cli_wrong_use(syntax.verb, "--from and --to take milliseconds");
    return cli_done(recognise(words[0], agent, text_eq(text_of(channel), TEXT("right")), from_ms, to_ms, as_json));
}
