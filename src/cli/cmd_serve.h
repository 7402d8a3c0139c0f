/* `sidetone serve` as a command. Exit status: 0 ended in order, 1 could not start, 2 wrong use. */
#pragma once

int cmd_serve(int argc, char **argv);
