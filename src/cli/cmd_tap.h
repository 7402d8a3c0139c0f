/* The verbs under `tap`, one file each; argv[0] is the verb's name. */
#pragma once

int cmd_tap(int argc, char **argv);
int cmd_tap_live(int argc, char **argv);
int cmd_tap_gaps(int argc, char **argv);
int cmd_tap_record(int argc, char **argv);
int cmd_tap_replay(int argc, char **argv);
int cmd_tap_advise(int argc, char **argv);
