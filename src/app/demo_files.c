/* Writes what the demo's PBX, daemon and caller read. */
#include "app/demo_files.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef SIDETONE_SHARE
#define SIDETONE_SHARE "/usr/share/sidetone"
#endif

const char demo_caller_script[] =
    "wait-speech 20s\n"                 /* the greeting ... */
    "wait-silence 900ms 20s\n"          /* ... to its end */
    "say " DEMO_QUESTION "\n"
    "wait-speech 10s\n"                 /* the answer begins, */
    "wait 2500ms\n"
    "say " DEMO_REQUEST "\n"            /* and is cut off */
    "wait-speech 10s\n"
    "wait-hangup 40s\n";

static const char dialplan[] =
    "[general]\n"
    "autofallthrough = yes\n"
    "\n"
    "[demo]\n"
    "exten => 100,1,Answer()\n"
    " same => n,Set(TIMEOUT(absolute)=120)            ; the guard: whatever happens, the call ends\n"
    " same => n,AGI(agi://127.0.0.1:@AGI_PORT@/caller-name,reception)\n"
    " same => n,UserEvent(SidetoneDemo,Step: asked,Status: ${SIDETONE_STATUS},CallerName: ${CALLERID(name)})\n"
    " same => n,GotoIf($[\"${SIDETONE_STATUS}\" = \"HANDOFF\"]?talk:after)\n"
    " same => n(talk),Stasis(sidetone,${SIDETONE_REASON})\n"
    " same => n(after),UserEvent(SidetoneDemo,Step: resumed,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},At: "
    "${PRIORITY})\n"
    " same => n,Playback(vm-goodbye)\n"
    " same => n,Hangup()\n"
    "\n"
    "exten => measure,1,Answer()\n"
    " same => n,Set(n=0)\n"
    " same => n(again),AGI(agi://127.0.0.1:@AGI_PORT@/caller-name)\n"
    " same => n,Set(n=$[${n} + 1])\n"
    " same => n,GotoIf($[${n} < @LOOKUPS@]?again)\n"
    " same => n,UserEvent(SidetoneDemo,Step: measured,Count: ${n},Status: ${SIDETONE_STATUS})\n"
    " same => n,Hangup()\n"
    "\n"
    "exten => wait,1,Answer()\n"
    " same => n,Wait(30)\n";

static int problem_set(char **problem, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
static int problem_set(char **problem, int err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(problem, fmt, ap) < 0)
        *problem = NULL;
    va_end(ap);
    return err;
}

/* The folder above the program's when it holds our handlers (a source tree), else what was installed. */
static int find_share(char *out, size_t size, const char *asked, char **problem)
{
    char exe[PATH_MAX], probe[PATH_MAX + 32];
    const ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    const char *candidate[3] = { asked, NULL, SIDETONE_SHARE };

    if (n > 0 && !asked) {
        exe[n] = '\0';
        for (int up = 0; up < 2; up++) {
            char *slash = strrchr(exe, '/');

            if (slash)
                *slash = '\0';
        }
        candidate[1] = exe;
    }
    for (size_t i = 0; i < 3; i++) {
        if (!candidate[i] || (asked && i > 0))
            continue;
        snprintf(probe, sizeof probe, "%s/handlers/caller_name.lua", candidate[i]);
        if (access(probe, R_OK) == 0) {
            snprintf(out, size, "%s", candidate[i]);
            return 0;
        }
    }
    return problem_set(problem, -ENOENT, "no handlers/caller_name.lua under %s; give the folder with --share DIR",
                       asked ? asked : SIDETONE_SHARE);
}

/* A free port at this moment; the window until it is taken again is the demo's own. */
static int free_port(uint16_t *out)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t size = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int err = 0;

    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&at, sizeof at) < 0 || getsockname(fd, (struct sockaddr *)&at, &size) < 0)
        err = -errno;
    close(fd);
    if (!err)
        *out = ntohs(at.sin_port);
    return err;
}

int demo_files_prepare(struct demo_files *f, const char *share, char **problem)
{
    int err = find_share(f->share, sizeof f->share, share, problem);

    if (err)
        return err;
    snprintf(f->dir, sizeof f->dir, "/tmp/sidetone-demo-XXXXXX");
    if (!mkdtemp(f->dir))
        return problem_set(problem, -errno, "cannot make a folder under /tmp: %s", err_text(-errno));
    chmod(f->dir, 0755); /* Asterisk runs as another user when we are root */
    snprintf(f->config, sizeof f->config, "%s/sidetone.conf", f->dir);
    snprintf(f->dialplan, sizeof f->dialplan, "%s/extensions.conf", f->dir);
    snprintf(f->csv, sizeof f->csv, "%s/caller_name.csv", f->dir);
    snprintf(f->store, sizeof f->store, "%s/state/sidetone.db", f->dir);
    snprintf(f->log, sizeof f->log, "%s/sidetone.log", f->dir);
    snprintf(f->pbx, sizeof f->pbx, "%s/pbx", f->dir);
    err = free_port(&f->fastagi_port);
    if (!err)
        err = free_port(&f->media_port);
    return err ? problem_set(problem, err, "no free port on 127.0.0.1: %s", err_text(err)) : 0;
}

static int write_file(const char *path, const char *content, char **problem)
{
    FILE *to = fopen(path, "we");
    int bad;

    if (!to)
        return problem_set(problem, -errno, "cannot write %s: %s", path, err_text(-errno));
    bad = fputs(content, to) < 0;
    if (fclose(to) != 0 || bad)
        return problem_set(problem, -EIO, "cannot write %s", path);
    return 0;
}

int demo_files_write(const struct demo_files *f, char **problem)
{
    char state[PATH_MAX];
    int err = write_file(f->dialplan, dialplan, problem);

    if (err)
        return err;
    snprintf(state, sizeof state, "%s/state", f->dir);
    if (mkdir(state, 0700) < 0)
        return problem_set(problem, -errno, "cannot make %s: %s", state, err_text(-errno));
    return write_file(f->csv, "key,value\n" DEMO_CALLER_NUMBER "," DEMO_CALLER_NAME "\n1002,Charles Babbage\n", problem);
}

int demo_files_write_config(const struct demo_files *f, uint16_t http_port, const char *ari_user, char **problem)
{
    char *text;
    int err;

    if (asprintf(&text,
                 "[sidetone]\nstate_dir = %s/state\nworkers = 1\n\n"
                 "[fastagi]\nlisten = 127.0.0.1:%u\n\n"
                 "[audiosocket]\nlisten = 127.0.0.1:%u\n\n"
                 "[node demo]\nari = http://127.0.0.1:%u\nari_user = %s\nari_secret = @env:SIDETONE_DEMO_ARI\n\n"
                 "[route caller-name]\nhandler = %s/handlers/caller_name.lua\ndeadline = 800ms\n\n"
                 "[agent reception]\nprovider = local\nfile = %s/agents/reception.agent\n"
                 "tool_dir = %s/handlers/tools\ntools = opening_hours\n",
                 f->dir, f->fastagi_port, f->media_port, http_port, ari_user, f->share, f->share, f->share) < 0)
        return -ENOMEM;
    err = write_file(f->config, text, problem);
    free(text);
    return err;
}
