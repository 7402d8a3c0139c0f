/* The verb `sim`: picks the sub-verb. */
#include "cli/cmd_sim.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *help;
    int (*run)(int argc, char **argv);
} verbs[] = {
    { "caller", "a test caller behind AudioSocket: speaks a script, listens, stamps, records", cmd_sim_caller },
    { "deepgram", "a stand-in for Deepgram: voice agent, transcription, speech; fails as told", cmd_sim_deepgram },
    { "openai", "a stand-in for the Realtime service: speaks a script, hears, fails as told", cmd_sim_openai },
    { "pbx", "a private Asterisk, until it is told to stop", cmd_sim_pbx },
    { "say", "speaks a text into a WAV file", cmd_sim_say },
    { "recognise", "recognises a piece of a recording with an agent's grammar", cmd_sim_recognise },
};

static void usage(FILE *to)
{
    fprintf(to, "usage: sidetone sim VERB [options]\n\n");
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        fprintf(to, "  %-10s %s\n", verbs[i].name, verbs[i].help);
    fprintf(to, "\n`sidetone sim VERB --help` tells more.\n");
}

int cmd_sim(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return 0;
    }
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].run(argc - 1, argv + 1);
    fprintf(stderr, "sidetone sim: unknown verb \"%s\"; see sidetone sim --help\n", argv[1]);
    return 2;
}
