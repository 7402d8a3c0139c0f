/* A private Asterisk: its own directories and free ports, never the machine's running one. For the demo, the tests and
 * rehearsals. Blocking calls, for tools only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct pbx;

struct pbx_options {
    const char *root;           /* unpacked Asterisk (share/…/asterisk-root), or NULL: the installed one */
    const char *dir;            /* private directory; short: the control socket's path must stay under 107 bytes */
    const char *dialplan;       /* file that becomes extensions.conf; @NAME@ marks are replaced by `marks`, or by ours:
                                 * DIR AMI_PORT HTTP_PORT SIP_PORT AMI_USER ARI_USER RTP_FIRST RTP_LAST SYSTEM_NAME UAS_PORT */
    const char *const *marks;   /* "NAME=value", NULL-terminated; may be NULL */
    const char *const *configs; /* more "name.conf=FILE", NULL-terminated; may be NULL; marks as above. One that we
                                 * write too is added at its end, so it can hold more sections */
    const char *system_name;    /* NULL: "a" */
    uint16_t ami_port, http_port, sip_port; /* 0: a free one */
};

/* Writes the configuration, starts it, waits for FullyBooted (10 s). *problem: one line, malloc'ed.
 * The process dies with the thread that called this: call from one that lives as long as it is needed. */
int pbx_start(struct pbx **out, const struct pbx_options *opt, char **problem) MUST_USE;
uint16_t pbx_ami_port(const struct pbx *p);
uint16_t pbx_http_port(const struct pbx *p);
uint16_t pbx_sip_port(const struct pbx *p);
pid_t pbx_pid(const struct pbx *p);
const char *pbx_version(const struct pbx *p);
const char *pbx_ari_user(const struct pbx *p); /* made for this instance, random password */
const char *pbx_ari_password(const struct pbx *p);
const char *pbx_ami_user(const struct pbx *p);
const char *pbx_ami_secret(const struct pbx *p);
/* One AMI action ("Action: Originate\r\n..." without the last blank line), answer's first message into out. 0, -ETIMEDOUT,
 * -EIO. */
int pbx_action(struct pbx *p, const char *action, char *out, size_t size, int64_t timeout_ms) MUST_USE;
/* SIGTERM, then SIGKILL after 3 s; removes nothing. NULL passes. */
void pbx_stop(struct pbx *p);
/* Finds something to run: installed asterisk 20 or newer, else root. */
bool pbx_installed(char *version, size_t size);
