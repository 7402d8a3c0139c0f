/* `sidetone demo` as a command. Exit status: 0 every step happened, 1 one did not, 2 wrong use or it could not start. */
#pragma once

int cmd_demo(int argc, char **argv);
