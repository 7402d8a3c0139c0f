/* `sidetone bench` as a command. Exit status: 0 measured, 1 nothing could be measured or sessions failed, 2 wrong use. */
#pragma once

int cmd_bench(int argc, char **argv);
