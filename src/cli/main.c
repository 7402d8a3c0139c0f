/* The front door: finds the verb and lets it run. */
#include <string.h>

#include "cli/cli.h"
#include "cli/cmd_sim.h"
#include "cli/cmd_tap.h"

static const struct cli_verb verbs[] = {
    { "serve", cmd_serve, "runs the daemon" },
    { "demo", cmd_demo, "plays one whole call through a private Asterisk, and tells it" },
    { "config", cmd_config, "checks, shows and explains the configuration" },
    { "store", cmd_store, "fills the look-up tables that handlers read" },
    { "replay", cmd_replay, "plays recorded sessions to another handler, and tells the differences" },
    { "routes", cmd_routes, "what the daemon's FastAGI routes do: sessions, times, errors, shadows" },
    { "tap", cmd_tap, "what the AMI tap stores, while it stores it; gaps; recordings of events" },
    { "sinks", cmd_sinks, "where the tap's facts go: how far each sink is, and its dead letters" },
    { "calls", cmd_calls, "the calls that the tap saw, now and before" },
    { "call", cmd_call, "the whole story of one call" },
    { "init", cmd_init, "the lines that Asterisk and sidetone need to work together" },
    { "doctor", cmd_doctor, "what is in the way: on each Asterisk, and on this machine" },
    { "rotate", cmd_rotate, "exchanges the secrets that an Asterisk and we share" },
    { "audit", cmd_audit, "what can go wrong with an Asterisk configuration" },
    { "sim", cmd_sim, "a test caller; a private Asterisk" },
    { "bench", cmd_bench, "measures" },
    { "version", cmd_version, "this program and the libraries it was built with" },
};

int main(int argc, char **argv)
{
    if (argc == 2 && (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")))
        argv[1] = "version";
    return cli_dispatch("sidetone", "Gives an existing Asterisk dialplan its AI: FastAGI decides, ARI and AudioSocket converse.", verbs,
                        sizeof verbs / sizeof *verbs, argc, argv);
}
