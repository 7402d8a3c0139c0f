/* Logs in to Asterisk to see whether a secret is in force, and has it read its files again. */
#include "app/rotate/asterisk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "app/doctor/asked.h"
#include "base/clock.h"

enum { LOGIN_MS = 8000, TELL_US = 15000000, STEP_NS = 20000000 };

static int verdict(const struct doctor_asked *a, bool is_ari)
{
    if (!is_ari)
        return a->ami[DOCTOR_TAP].is_in ? 0 : a->ami[DOCTOR_TAP].err ? a->ami[DOCTOR_TAP].err : -EACCES;
    if (a->ari.err)
        return a->ari.err;
    return a->ari.status == 200 ? 0 : a->ari.status == 401 || a->ari.status == 403 ? -EACCES : -EPROTO;
}

int asterisk_login(const struct config_node *node, enum rotate_door door, const char *user, const char *value)
{
    static const char *const none[] = { NULL };
    const bool is_ari = door == ROTATE_ARI;
    struct config_node n = *node;
    struct doctor_asked asked;
    struct secret secret = { NULL };
    int err = secret_from(&secret, text_of(value));

    if (err)
        return err;
    n.ami_user = is_ari ? NULL : user;
    n.ami_secret = secret;
    n.control_user = NULL;
    n.ari = is_ari ? n.ari : NULL;
    n.ari_secret = secret;
    err = doctor_ask(&asked, &n, none, LOGIN_MS);
    if (!err)
        err = verdict(&asked, is_ari);
    doctor_asked_free(&asked);
    secret_free(&secret);
    return err;
}

static int wait_for(pid_t pid)
{
    const int64_t began = clock_mono_us();
    int status;

    for (;;) {
        const pid_t done = waitpid(pid, &status, WNOHANG);

        if (done == pid)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
        if (done < 0 && errno != EINTR)
            return -errno;
        if (clock_mono_us() - began > TELL_US) {
            kill(pid, SIGKILL);
            (void)waitpid(pid, &status, 0);
            return -ETIMEDOUT;
        }
        nanosleep(&(struct timespec){ .tv_nsec = STEP_NS }, NULL);
    }
}

int asterisk_tell(const char *program, const char *etc, const char *command)
{
    char conf[PATH_MAX];
    char *const argv[] = { (char *)program, "-C", conf, "-rx", (char *)command, NULL };
    posix_spawn_file_actions_t quiet;
    pid_t pid;
    int err;

    snprintf(conf, sizeof conf, "%s/asterisk.conf", etc);
    if (posix_spawn_file_actions_init(&quiet))
        return -ENOMEM;
    err = -posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDWR, 0);
    if (!err)
        err = -posix_spawn_file_actions_adddup2(&quiet, 0, 1);
    if (!err)
        err = -posix_spawn_file_actions_adddup2(&quiet, 0, 2);
    if (!err)
        err = -posix_spawnp(&pid, argv[0], &quiet, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&quiet);
    return err ? err : wait_for(pid);
}
