/* Real servers from Debian's packages for the tests of sinks: private folder, free port, an ordinary user; they die with the test.
 * Include after cmocka.h. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct real_server {
    char dir[64];
    uint16_t port;
    pid_t pid;          /* 0: not running */
};

/* Makes a private folder that belongs to the user the server runs as. */
void real_server_make(struct real_server *s, const char *prefix);
/* Starts argv (a path and its words) as that user, output to DIR/log. It is killed when the test dies. */
void real_server_spawn(struct real_server *s, const char *const *argv);
/* Runs argv to its end as that user; its exit status. */
int real_server_run(const struct real_server *s, const char *const *argv);
void real_server_kill(struct real_server *s, int sig);     /* and waits for its end */
/* Waits until the port answers; a test that would hang fails with the log's end. */
void real_server_wait(const struct real_server *s);
/* No file of the server, nor of the processes it started, grows beyond this; 0: no limit. The kernel refuses the write, as on a full disk. */
void real_server_file_limit(const struct real_server *s, uint64_t bytes);
/* Kills it, removes the folder. */
void real_server_free(struct real_server *s);
/* The first path that matches, or NULL. CI must have it: then the test fails instead of being left out. */
const char *real_server_program(const char *pattern);
