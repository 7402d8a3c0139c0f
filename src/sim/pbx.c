/* A private Asterisk for tools: configured, started, waited for, asked and stopped. */
#include "sim/pbx.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/pbx_ami.h"
#include "sim/pbx_config.h"
#include "sim/pbx_ports.h"
#include "sim/pbx_problem.h"
#include "sim/pbx_spawn.h"

enum {
    BOOT_MS = 10000,
    LOGIN_MS = 3000,
    RETRY_MS = 10,
    STOP_MS = 3000,
    KILL_MS = 5000,
    SECRET_BYTES = 16,
    MARKS = 16,
    MARK_MAX = PATH_MAX + 32
};

struct pbx {
    struct pbx_place place;
    struct pbx_ports ports;
    char dir[PATH_MAX];
    pid_t pid;
    struct pbx_ami ami;
    unsigned actions;
    char ami_secret[2 * SECRET_BYTES + 1], ari_password[2 * SECRET_BYTES + 1];
};

static const char ami_user[] = "sidetone-private", ari_user[] = "sidetone";

static void secret_make(char out[2 * SECRET_BYTES + 1])
{
    uint8_t bytes[SECRET_BYTES];

    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        abort();
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(out + 2 * i, 3, "%02x", bytes[i]);
}

/* Our own marks; the dialplan and the other files may use them too. */
struct marks {
    char store[MARKS][MARK_MAX];
    const char *list[MARKS + 1];
    size_t count;
};

static void mark_add(struct marks *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void mark_add(struct marks *m, const char *fmt, ...)
{
    va_list ap;

    INVARIANT(m->count < MARKS);
    va_start(ap, fmt);
    vsnprintf(m->store[m->count], MARK_MAX, fmt, ap);
    va_end(ap);
    m->list[m->count] = m->store[m->count];
    m->list[++m->count] = NULL;
}

static void marks_make(struct marks *m, const struct pbx *p, const struct pbx_options *opt)
{
    mark_add(m, "DIR=%s", p->dir);
    mark_add(m, "MODULES=%s", p->place.modules);
    mark_add(m, "DATA=%s", p->place.data);
    mark_add(m, "SYSTEM_NAME=%s", opt->system_name ? opt->system_name : "a");
    mark_add(m, "ENTITY_ID=02:00:00:00:%02x:%02x", p->ports.ami >> 8, p->ports.ami & 0xff);
    mark_add(m, "AMI_PORT=%u", p->ports.ami);
    mark_add(m, "AMI_USER=%s", ami_user);
    mark_add(m, "AMI_SECRET=%s", p->ami_secret);
    mark_add(m, "HTTP_PORT=%u", p->ports.http);
    mark_add(m, "ARI_USER=%s", ari_user);
    mark_add(m, "ARI_PASSWORD=%s", p->ari_password);
    mark_add(m, "SIP_PORT=%u", p->ports.sip);
    mark_add(m, "RTP_FIRST=%u", p->ports.rtp_first);
    mark_add(m, "RTP_LAST=%u", p->ports.rtp_last);
    mark_add(m, "UAS_PORT=9"); /* discard: nobody is there unless the caller's own mark says so */
}

static int file_read(const char *path, struct buf *out, char **problem)
{
    char piece[16384];
    struct stat st;
    ssize_t n;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return pbx_problem(problem, -errno, "%s: %s", path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        close(fd);
        return pbx_problem(problem, -EISDIR, "%s is a directory", path);
    }
    while ((n = read(fd, piece, sizeof piece)) > 0 && buf_add(out, piece, (size_t)n) == 0)
        ;
    close(fd);
    if (n < 0 || out->err)
        return pbx_problem(problem, n < 0 ? -EIO : out->err, "%s cannot be read, or is larger than %d bytes", path,
                           PBX_CONF_MAX);
    return 0;
}

/* theirs come first, so that a caller may say where the uas listens. */
static int extra_add(struct pbx_extra *x, struct text name, const char *path, const char *const *theirs,
                     const char *const *ours, char **problem)
{
    struct buf raw;
    int err;

    if (!pbx_conf_name_ok(name))
        return pbx_problem(problem, -EINVAL, "\"%.*s\" is not the name of a configuration file (name.conf)", TEXT_ARG(name));
    text_copy(x->name, sizeof x->name, name);
    buf_init(&x->text, PBX_CONF_MAX);
    buf_init(&raw, PBX_CONF_MAX);
    err = file_read(path, &raw, problem);
    if (!err)
        err = pbx_marks_fill(buf_text(&raw), path, theirs, ours, &x->text, problem);
    buf_free(&raw);
    return err;
}

static int extras_read(struct pbx_extra *x, size_t *count, const struct pbx_options *opt, const char *const *ours,
                       char **problem)
{
    int err = 0;

    for (const char *const *m = opt->marks; m && *m && !err; m++)
        err = pbx_mark_check(*m, problem);
    if (!err)
        err = extra_add(&x[(*count)++], TEXT("extensions.conf"), opt->dialplan, opt->marks, ours, problem);
    for (const char *const *c = opt->configs; c && *c && !err; c++) {
        const ptrdiff_t eq = text_find(text_of(*c), '=');

        if (eq < 0 || *count == PBX_CONFIGS_MAX)
            return pbx_problem(problem, -EINVAL, "\"%s\" is not name.conf=FILE, or there are more than %d", *c,
                               PBX_CONFIGS_MAX);
        err = extra_add(&x[(*count)++], text_head(text_of(*c), (size_t)eq), *c + eq + 1, opt->marks, ours, problem);
    }
    return err;
}

static int spawn(struct pbx *p, const struct pbx_options *opt, char **problem)
{
    struct marks *marks = calloc(1, sizeof *marks);
    struct pbx_extra *extras = calloc(PBX_CONFIGS_MAX, sizeof *extras);
    struct pbx_config c = { .place = &p->place, .dir = p->dir, .extras = extras };
    int err = -ENOMEM;

    if (marks && extras) {
        marks_make(marks, p, opt);
        c.marks = marks->list;
        err = pbx_mark_check(marks->list[3], problem); /* the system's name is the caller's */
        if (!err)
            err = extras_read(extras, &c.extra_count, opt, marks->list, problem);
        if (!err)
            err = pbx_spawn(&p->pid, &c, problem);
    }
    for (size_t i = 0; extras && i < c.extra_count; i++)
        buf_free(&extras[i].text);
    free(extras);
    free(marks);
    return err;
}

/* The last line that it wrote before it ended. */
static void last_words(const struct pbx *p, char *out, size_t size)
{
    char path[PATH_MAX + 16], line[512];
    FILE *f;

    out[0] = '\0';
    snprintf(path, sizeof path, "%s/log/console", p->dir);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof line, f)) {
        const struct text t = text_trim(text_of(line));

        if (t.n > 0)
            text_copy(out, size, t);
    }
    if (f)
        fclose(f);
}

static int login(struct pbx *p, int64_t deadline_us)
{
    char text[256];

    snprintf(text, sizeof text, "Action: Login\r\nUsername: %s\r\nSecret: %s\r\nEvents: system\r\n\r\n", ami_user,
             p->ami_secret);
    return pbx_ami_send(&p->ami, text_of(text), deadline_us);
}

/* One attempt on one connection. */
static int boot_attempt(struct pbx *p, int64_t deadline_us)
{
    struct text message;
    int err;

    pbx_ami_close(&p->ami);
    err = pbx_ami_open(&p->ami, p->ports.ami, deadline_us);
    if (!err)
        err = login(p, deadline_us);
    while (!err) {
        err = pbx_ami_read(&p->ami, &message, deadline_us);
        if (!err && text_eq(pbx_ami_header(message, TEXT("Event")), TEXT("FullyBooted")))
            return 0;
        if (!err && text_eq(pbx_ami_header(message, TEXT("Response")), TEXT("Error")))
            return -EACCES;
    }
    return err;
}

static int boot_wait(struct pbx *p, char **problem)
{
    const int64_t deadline_us = clock_mono_us() + BOOT_MS * 1000;
    char words[256];
    int err, status;

    for (;;) {
        err = boot_attempt(p, deadline_us);
        if (!err)
            break;
        if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
            p->pid = 0;
            last_words(p, words, sizeof words);
            return pbx_problem(problem, -EIO, "Asterisk ended while it started: %s", words[0] ? words : "it said nothing");
        }
        /* Early connections may be cut, or refused for a user whose file is not read yet. */
        if (clock_mono_us() >= deadline_us)
            return pbx_problem(problem, -ETIMEDOUT, "Asterisk was not ready after %d s (%s); see %s/log", BOOT_MS / 1000,
                               err_text(err), p->dir);
        poll(NULL, 0, RETRY_MS);
    }
    return pbx_action(p, "Action: Events\r\nEventMask: off", words, sizeof words, LOGIN_MS);
}

static int place_find(struct pbx *p, const struct pbx_options *opt, char **problem)
{
    return opt->root ? pbx_place_unpacked(&p->place, opt->root, problem) : pbx_place_installed(&p->place, problem);
}

/* Asterisk's user cannot enter where it was unpacked: it will see it under the private directory. */
static int mount_plan(struct pbx *p)
{
    char at[PATH_MAX + 16];

    snprintf(at, sizeof at, "%s/asterisk", p->dir);
    return pbx_place_mount_at(&p->place, at);
}

static int port_problem(const struct pbx_options *opt, int err, char **problem)
{
    if (opt->ami_port || opt->http_port || opt->sip_port)
        return pbx_problem(problem, err, "a port asked for (AMI %u, HTTP %u, SIP %u) cannot be had: %s", opt->ami_port,
                           opt->http_port, opt->sip_port, err_text(err));
    return pbx_problem(problem, err, "no free port: %s", err_text(err));
}

int pbx_start(struct pbx **out, const struct pbx_options *opt, char **problem)
{
    struct pbx *p = calloc(1, sizeof *p);
    int err;

    *problem = NULL;
    if (!p)
        return -ENOMEM;
    p->ami.fd = -1;
    p->ports = (struct pbx_ports){ .ami = opt->ami_port, .http = opt->http_port, .sip = opt->sip_port, .held = { -1, -1, -1 } };
    secret_make(p->ami_secret);
    secret_make(p->ari_password);
    err = place_find(p, opt, problem);
    if (!err)
        err = pbx_dir_make(opt->dir, p->dir, problem);
    if (!err && p->place.base[0] && !pbx_user_enters(p->place.base))
        err = mount_plan(p);
    if (err)
        goto fail;
    err = pbx_ports_choose(&p->ports);
    if (err) {
        err = port_problem(opt, err, problem);
        goto fail;
    }
    err = spawn(p, opt, problem);
    if (!err)
        err = boot_wait(p, problem);
    if (err)
        goto fail;
    pbx_ports_release(&p->ports);
    *out = p;
    return 0;
fail:
    pbx_stop(p);
    return *problem ? err : pbx_problem(problem, err, "Asterisk was not started: %s", err_text(err));
}

static int action_format(char *out, size_t size, struct text action, char id[32])
{
    const struct text theirs = pbx_ami_header(action, TEXT("ActionID"));
    int n;

    while (action.n > 0 && (action.p[action.n - 1] == '\n' || action.p[action.n - 1] == '\r'))
        action.n--;
    if (action.n == 0 || text_find_text(action, TEXT("\n\r\n")) >= 0 || text_find_text(action, TEXT("\n\n")) >= 0 ||
        theirs.n >= 32)
        return -EINVAL;
    if (theirs.p)
        text_copy(id, 32, theirs);
    n = snprintf(out, size, theirs.p ? "%.*s\r\n\r\n" : "%.*s\r\nActionID: %s\r\n\r\n", TEXT_ARG(action), id);
    return n < 0 || (size_t)n >= size ? -EMSGSIZE : n;
}

int pbx_action(struct pbx *p, const char *action, char *out, size_t size, int64_t timeout_ms)
{
    const int64_t deadline_us = clock_mono_us() + timeout_ms * 1000;
    char text[8192], id[32];
    struct text message;
    int n, err;

    if (p->ami.fd < 0)
        return -EIO;
    snprintf(id, sizeof id, "sidetone-%u", ++p->actions);
    n = action_format(text, sizeof text, text_of(action), id);
    if (n < 0)
        return n;
    err = pbx_ami_send(&p->ami, text_make(text, (size_t)n), deadline_us);
    while (!err) {
        err = pbx_ami_read(&p->ami, &message, deadline_us);
        if (!err && text_eq(pbx_ami_header(message, TEXT("ActionID")), text_of(id)) &&
            pbx_ami_header(message, TEXT("Response")).p) {
            text_copy(out, size, message);
            return 0;
        }
    }
    if (err == -ETIMEDOUT)
        return err; /* a late answer carries its own ActionID, so the connection stays good */
    pbx_ami_close(&p->ami);
    return -EIO;
}

void pbx_stop(struct pbx *p)
{
    int status;

    if (!p)
        return;
    pbx_ami_close(&p->ami);
    pbx_ports_release(&p->ports);
    if (p->pid > 0) {
        kill(p->pid, SIGTERM);
        if (pbx_reap(p->pid, &status, STOP_MS) == -ETIMEDOUT) {
            kill(-p->pid, SIGKILL);
            (void)!pbx_reap(p->pid, &status, KILL_MS);
        }
    }
    explicit_bzero(p->ami_secret, sizeof p->ami_secret);
    explicit_bzero(p->ari_password, sizeof p->ari_password);
    free(p);
}

uint16_t pbx_ami_port(const struct pbx *p)
{
    return p->ports.ami;
}
uint16_t pbx_http_port(const struct pbx *p)
{
    return p->ports.http;
}
uint16_t pbx_sip_port(const struct pbx *p)
{
    return p->ports.sip;
}
pid_t pbx_pid(const struct pbx *p)
{
    return p->pid;
}
const char *pbx_version(const struct pbx *p)
{
    return p->place.version;
}
const char *pbx_ari_user(const struct pbx *p)
{
    (void)p;
    return ari_user;
}
const char *pbx_ari_password(const struct pbx *p)
{
    return p->ari_password;
}
const char *pbx_ami_user(const struct pbx *p)
{
    (void)p;
    return ami_user;
}
const char *pbx_ami_secret(const struct pbx *p)
{
    return p->ami_secret;
}

bool pbx_installed(char *version, size_t size)
{
    struct pbx_place place;
    char *problem = NULL;
    const int err = pbx_place_installed(&place, &problem);

    free(problem);
    if (!err && size > 0)
        text_copy(version, size, text_of(place.version));
    return err == 0;
}
