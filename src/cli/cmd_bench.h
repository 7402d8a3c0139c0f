/* The parts of the verb `bench` that have a file of their own. */
#pragma once

int cmd_bench_ami(int argc, char **argv);
int cmd_bench_call(int argc, char **argv);
int cmd_bench_media(int argc, char **argv);
