/* Writes the configuration of a private Asterisk. The texts are here, so that an installed program needs no data folder. */
#include "sim/pbx_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/pbx_modules.h"
#include "sim/pbx_problem.h"

struct conf {
    const char *name, *text;
};

/* A missing file makes its module say so in the log, or decline: the empty ones are here for silence. */
static const struct conf confs[] = {
    { "asterisk.conf", "[directories]\n"
                       "astetcdir = @DIR@/etc\nastmoddir = @MODULES@\nastdatadir = @DATA@\nastagidir = @DIR@/agi\n"
                       "astvarlibdir = @DIR@/lib\nastdbdir = @DIR@/lib\nastcachedir = @DIR@/lib\nastkeydir = @DIR@/keys\n"
                       "astspooldir = @DIR@/spool\nastrundir = @DIR@/run\nastlogdir = @DIR@/log\n\n"
                       "[options]\nverbose = 3\nsystemname = @SYSTEM_NAME@\n"
                       "; else all nodes of one machine have the same ARI asterisk_id (from the MAC)\n"
                       "entityid = @ENTITY_ID@\n"
                       "; else a waiting channel sends no frames and recordings collapse\n"
                       "transmit_silence = yes\n" },
    { "logger.conf",
      "[general]\ndateformat = %F %T.%3q\n\n[logfiles]\nconsole = error\nfull.log = notice,warning,error,verbose,dtmf\n" },
    { "manager.conf", "[general]\nenabled = yes\nwebenabled = no\nbindaddr = 127.0.0.1\nport = @AMI_PORT@\n"
                      "displayconnects = no\ntimestampevents = yes\nauthtimeout = 10\n\n"
                      "[@AMI_USER@]\nsecret = @AMI_SECRET@\nread = all\nwrite = all\nwritetimeout = 1000\n" },
    { "http.conf", "[general]\nenabled = yes\nenablestatic = no\nbindaddr = 127.0.0.1\nbindport = @HTTP_PORT@\n" },
    { "ari.conf", "[general]\nenabled = yes\npretty = no\n\n"
                  "[@ARI_USER@]\ntype = user\nread_only = no\npassword = @ARI_PASSWORD@\npassword_format = plain\n" },
    { "pjsip.conf", "[udp]\ntype = transport\nprotocol = udp\nbind = 127.0.0.1:@SIP_PORT@\n\n"
                    "; any caller on loopback, without an account\n"
                    "[anonymous]\ntype = endpoint\ncontext = sip\ndisallow = all\nallow = ulaw,alaw\ndirect_media = no\n"
                    "rtp_symmetric = yes\nforce_rport = yes\n\n"
                    "; a target for calls that go out: Dial(PJSIP/uas), or Dial(PJSIP/uas/sip:name@host:port)\n"
                    "[uas]\ntype = endpoint\ncontext = sip\ndisallow = all\nallow = ulaw,alaw\ndirect_media = no\n"
                    "rtp_symmetric = yes\naors = uas\n\n"
                    "[uas]\ntype = aor\ncontact = sip:uas@127.0.0.1:@UAS_PORT@\n" },
    { "rtp.conf", "[general]\nrtpstart = @RTP_FIRST@\nrtpend = @RTP_LAST@\n" },
    { "indications.conf",
      "[general]\ncountry = us\n\n[us]\ndescription = United States\nringcadence = 2000,4000\n"
      "dial = 350+440\nbusy = 480+620/500,0/500\nring = 440+480/2000,0/4000\ncongestion = 480+620/250,0/250\n"
      "callwaiting = 440/300,0/10000\n" },
    { "features.conf", "[general]\n\n[featuremap]\nblindxfer = ##\natxfer = *2\n" },
    { "res_parking.conf", "[general]\n\n[default]\nparkext = 700\nparkpos = 701-720\ncontext = parkedcalls\n" },
    { "queues.conf", "[general]\npersistentmembers = no\n" },
    { "confbridge.conf", "[general]\n\n[default_user]\ntype = user\n\n[default_bridge]\ntype = bridge\n" },
    { "agents.conf", "[general]\n" },
    { "cdr.conf", "[general]\nenable = yes\n" },
    { "cdr_manager.conf", "[general]\nenabled = yes\n" },
    { "cel.conf", "[general]\nenable = yes\napps = all\nevents = ALL\n\n[manager]\nenabled = yes\n" },
    { "musiconhold.conf", "[default]\nmode = playlist\nentry = @DATA@/sounds/en/demo-moreinfo\n" },
    { "queuerules.conf", "[general]\n" },
    { "extensions.conf", "" },
    { "acl.conf", "" },
    { "amd.conf", "[general]\n" },
    { "ccss.conf", "[general]\n" },
    { "chan_websocket.conf", "" },
    { "pjproject.conf", "" },
    { "stasis.conf", "" },
    { "udptl.conf", "[general]\n" },
    { "websocket_client.conf", "" },
};

static const char *const folders[] = { "etc", "agi", "keys", "keys/keys", "lib", "log", "run", "spool",
                                       /* ARI answers 500 to a recording when this one is missing. */
                                       "spool/recording", "spool/monitor", "spool/outgoing", "spool/tmp", "spool/voicemail" };

static bool is_mark_char(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (!first && ((c >= '0' && c <= '9') || c == '_'));
}

static struct text mark_value(const char *const *list, struct text name)
{
    for (; list && *list; list++)
        if (strncmp(*list, name.p, name.n) == 0 && (*list)[name.n] == '=')
            return text_of(*list + name.n + 1);
    return TEXT_NONE;
}

/* Length of the name between two @, or 0: a lone @ is the dialplan's own (Local/100@context). */
static size_t mark_length(struct text t)
{
    size_t n = 0;

    while (n < t.n && is_mark_char(t.p[n], n == 0))
        n++;
    return n > 0 && n < t.n && t.p[n] == '@' ? n : 0;
}

int pbx_marks_fill(struct text in, const char *file, const char *const *first, const char *const *second, struct buf *out,
                   char **problem)
{
    unsigned line = 1;

    while (in.n > 0 && !out->err) {
        const size_t n = in.p[0] == '@' ? mark_length(text_skip(in, 1)) : 0;
        struct text name = text_head(text_skip(in, 1), n), value;

        if (n == 0) {
            line += in.p[0] == '\n';
            buf_add_char(out, in.p[0]);
            in = text_skip(in, 1);
            continue;
        }
        value = mark_value(first, name);
        if (!value.p)
            value = mark_value(second, name);
        if (!value.p)
            return pbx_problem(problem, -ENOENT, "%s:%u: the mark @%.*s@ has no value", file, line, TEXT_ARG(name));
        buf_add_text(out, value);
        in = text_skip(in, n + 2);
    }
    return out->err;
}

int pbx_mark_check(const char *mark, char **problem)
{
    const char *eq = strchr(mark, '=');
    size_t n = 0;

    while (is_mark_char(mark[n], n == 0))
        n++;
    if (!eq || n == 0 || mark + n != eq)
        return pbx_problem(problem, -EINVAL, "mark \"%s\" is not NAME=value with a name of capitals, digits and _", mark);
    if (eq[1] && !text_is_one_line(text_of(eq + 1)))
        return pbx_problem(problem, -EINVAL, "the value of mark %.*s is not one line of text", (int)n, mark);
    return 0;
}

bool pbx_conf_name_ok(struct text name)
{
    if (name.n <= 5 || name.n >= sizeof((struct pbx_extra *)0)->name || !text_ends(name, TEXT(".conf")) || name.p[0] == '.')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        const char c = name.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.'))
            return false;
    }
    return true;
}

int pbx_dir_check(const char *dir, char **problem)
{
    const size_t n = strlen(dir);

    if (n > PBX_DIR_MAX)
        return pbx_problem(problem, -ENAMETOOLONG,
                           "the directory's path has %zu bytes; more than %d leave no room for Asterisk's control socket", n,
                           PBX_DIR_MAX);
    if (!text_is_one_line(text_of(dir)) || strpbrk(dir, ";\\@\"'"))
        return pbx_problem(problem, -EINVAL,
                           "the directory's path has a character that Asterisk's configuration gives a meaning");
    return 0;
}

static int conf_write(const char *dir, const char *name, struct text text, char **problem)
{
    char path[PATH_MAX];
    size_t done = 0;
    int fd;

    if (snprintf(path, sizeof path, "%s/etc/%s", dir, name) >= (int)sizeof path)
        return -ENAMETOOLONG;
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return pbx_problem(problem, -errno, "%s: %s", path, strerror(errno));
    while (done < text.n) {
        const ssize_t n = write(fd, text.p + done, text.n - done);

        if (n < 0 && errno != EINTR) {
            const int err = -errno;

            close(fd);
            return pbx_problem(problem, err, "%s: %s", path, err_text(err));
        }
        done += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return 0;
}

static void modules_text(const struct pbx_place *place, struct buf *out)
{
    char path[PATH_MAX + 64];

    buf_addf(out, "[modules]\nautoload = no\n");
    for (const char *const *m = pbx_modules; *m; m++) {
        snprintf(path, sizeof path, "%s/%s.so", place->modules, *m);
        if (access(path, R_OK) == 0)
            buf_addf(out, "load = %s.so\n", *m);
    }
}

static int extras_write(const struct pbx_config *c, const char *name, struct buf *out)
{
    for (size_t i = 0; i < c->extra_count; i++)
        if (strcmp(c->extras[i].name, name) == 0) {
            buf_add_char(out, '\n');
            buf_add_text(out, buf_text(&c->extras[i].text));
        }
    return out->err;
}

static bool is_ours(const char *name)
{
    for (size_t i = 0; i < sizeof confs / sizeof confs[0]; i++)
        if (strcmp(confs[i].name, name) == 0)
            return true;
    return strcmp(name, "modules.conf") == 0;
}

static int confs_write(const struct pbx_config *c, struct buf *out, char **problem)
{
    int err = 0;

    for (size_t i = 0; i < sizeof confs / sizeof confs[0] && !err; i++) {
        buf_clear(out);
        err = pbx_marks_fill(text_of(confs[i].text), confs[i].name, c->marks, NULL, out, problem);
        if (!err)
            err = extras_write(c, confs[i].name, out);
        if (!err)
            err = conf_write(c->dir, confs[i].name, buf_text(out), problem);
    }
    if (err)
        return err;
    buf_clear(out);
    modules_text(c->place, out);
    err = extras_write(c, "modules.conf", out);
    if (!err)
        err = conf_write(c->dir, "modules.conf", buf_text(out), problem);
    for (size_t i = 0; i < c->extra_count && !err; i++)
        if (!is_ours(c->extras[i].name))
            err = conf_write(c->dir, c->extras[i].name, buf_text(&c->extras[i].text), problem);
    return err;
}

int pbx_config_write(const struct pbx_config *c, char **problem)
{
    char path[PATH_MAX];
    struct buf text;
    int err;

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        if (snprintf(path, sizeof path, "%s/%s", c->dir, folders[i]) >= (int)sizeof path)
            return -ENAMETOOLONG;
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
            return pbx_problem(problem, -errno, "%s: %s", path, strerror(errno));
    }
    buf_init(&text, PBX_CONF_MAX);
    err = confs_write(c, &text, problem);
    buf_free(&text);
    return err;
}
