/* `sidetone sim`: the test caller and the private Asterisk as commands. */
#pragma once

/* argv[0] is "sim". Exit status: 0 fine, 1 failure, 2 wrong use. */
int cmd_sim(int argc, char **argv);

/* Its sub-verbs; argv[0] is their name. */
int cmd_sim_caller(int argc, char **argv);
int cmd_sim_deepgram(int argc, char **argv);
int cmd_sim_openai(int argc, char **argv);
int cmd_sim_pbx(int argc, char **argv);
int cmd_sim_say(int argc, char **argv);
int cmd_sim_recognise(int argc, char **argv);
