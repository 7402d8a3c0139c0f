/* The private Asterisk without an Asterisk: marks, names, ports, files, manager messages, refusals. */
#include "sim/pbx.h"

#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "sim/pbx_ami.h"
#include "sim/pbx_config.h"
#include "sim/pbx_ports.h"
#include "sim/pbx_spawn.h"

static char folder[64];

static int folder_make(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/t_pbx.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int folder_remove(void **state)
{
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

static char *path_in(const char *name)
{
    static char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void file_put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static char *file_get(const char *path)
{
    static char text[65536];
    FILE *f = fopen(path, "r");
    size_t n;

    if (!f)
        return NULL;
    n = fread(text, 1, sizeof text - 1, f);
    text[n] = '\0';
    fclose(f);
    return text;
}

static void marks_are_filled(void **state)
{
    static const char *const theirs[] = { "PORT=5", "EMPTY=", "A_1=x=y", NULL }, *const ours[] = { "PORT=6", "DIR=/d", NULL };
    static const struct {
        const char *in, *out;
    } cases[] = {
        { "p=@PORT@ d=@DIR@", "p=5 d=/d" },
        { "@PORT@@PORT@", "55" },
        { "[@EMPTY@]", "[]" },
        { "@A_1@", "x=y" },
        { "Dial(Local/100@phone/n,20)", "Dial(Local/100@phone/n,20)" }, /* the dialplan's own @ */
        { "VoiceMail(1@default,u) ; a@b@c", "VoiceMail(1@default,u) ; a@b@c" },
        { "@@PORT@@", "@5@" },
        { "@PORT", "@PORT" },
        { "@1PORT@", "@1PORT@" },
        { "", "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *problem = NULL;
        struct buf out;

        buf_init(&out, 4096);
        assert_int_equal(pbx_marks_fill(text_of(cases[i].in), "f", theirs, ours, &out, &problem), 0);
        assert_string_equal(buf_cstr(&out), cases[i].out);
        assert_null(problem);
        buf_free(&out);
    }
}

static void unknown_mark_is_named(void **state)
{
    char *problem = NULL;
    struct buf out;

    (void)state;
    buf_init(&out, 4096);
    assert_int_equal(pbx_marks_fill(TEXT("a\nb\nc @NOBODY@ d"), "my.conf", NULL, NULL, &out, &problem), -ENOENT);
    assert_string_equal(problem, "my.conf:3: the mark @NOBODY@ has no value");
    free(problem);
    buf_free(&out);
    buf_init(&out, 8);
    problem = NULL;
    assert_int_equal(pbx_marks_fill(TEXT("longer than eight"), "my.conf", NULL, NULL, &out, &problem), -ENOBUFS);
    assert_null(problem);
    buf_free(&out);
}

static void marks_and_names_are_checked(void **state)
{
    static const char *const good[] = { "A=1", "PORT_2=x y", "EMPTY=" }, *const bad[] = { "a=1", "=1", "A", "A B=1", "A=x\ny" };
    static const char *const names_good[] = { "pjsip.conf", "cel_manager.conf", "a-b.conf" };
    static const char *const names_bad[] = { ".conf", "x.txt", "../x.conf", "a/b.conf", ".x.conf", "", "a b.conf" };
    char *problem = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_int_equal(pbx_mark_check(good[i], &problem), 0);
    assert_null(problem);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(pbx_mark_check(bad[i], &problem), -EINVAL);
        assert_non_null(problem);
    }
    free(problem);
    for (size_t i = 0; i < sizeof names_good / sizeof names_good[0]; i++)
        assert_true(pbx_conf_name_ok(text_of(names_good[i])));
    for (size_t i = 0; i < sizeof names_bad / sizeof names_bad[0]; i++)
        assert_false(pbx_conf_name_ok(text_of(names_bad[i])));
}

static void long_directory_is_refused(void **state)
{
    char dir[128], *problem = NULL;

    (void)state;
    memset(dir, 'x', sizeof dir);
    dir[0] = '/';
    dir[PBX_DIR_MAX] = '\0';
    assert_int_equal(pbx_dir_check(dir, &problem), 0);
    assert_int_equal(strlen(dir) + strlen("/run/asterisk.ctl"), 107);
    dir[PBX_DIR_MAX] = 'x';
    dir[PBX_DIR_MAX + 1] = '\0';
    assert_int_equal(pbx_dir_check(dir, &problem), -ENAMETOOLONG);
    assert_string_equal(problem, "the directory's path has 91 bytes; more than 90 leave no room for Asterisk's control socket");
    assert_int_equal(pbx_dir_check("/a;b", &problem), -EINVAL);
    assert_int_equal(pbx_dir_check("/a\nb", &problem), -EINVAL);
    free(problem);
}

static void foreign_directory_is_refused(void **state)
{
    char real[PATH_MAX], *problem = NULL, *dir = strdup(path_in("d"));
    struct stat st;

    (void)state;
    assert_int_equal(pbx_dir_make(dir, real, &problem), 0);
    assert_int_equal(stat(real, &st), 0);
    assert_int_equal(pbx_dir_make(dir, real, &problem), 0); /* ours from before */
    file_put(path_in("keep"), "x");
    assert_int_equal(pbx_dir_make(folder, real, &problem), -ENOTEMPTY);
    assert_non_null(strstr(problem, "is not empty and not from an earlier start"));
    assert_int_equal(stat(path_in("keep"), &st), 0);
    assert_int_equal(st.st_uid, geteuid()); /* nothing was given away */
    assert_int_equal(pbx_dir_make("/tmp/no/such/parent", real, &problem), -ENOENT);
    free(problem);
    free(dir);
}

static void closed_parent_is_told(void **state)
{
    char real[PATH_MAX], *problem = NULL;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(chmod(folder, 0700), 0); /* nobody cannot pass */
    assert_int_equal(pbx_dir_make(path_in("d"), real, &problem), -EACCES);
    assert_non_null(strstr(problem, "cannot enter"));
    free(problem);
}

static int open_folder(void **state)
{
    return folder_make(state) || chmod(folder, 0755);
}

static int bind_tcp(uint16_t port)
{
    const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (bind(fd, (const struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    close(fd);
    return -1;
}

static int bind_as_asterisk(uint16_t port)
{
    const struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, (const struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 5) == 0)
        return fd;
    close(fd);
    return -1;
}

static void ports_are_held_until_taken(void **state)
{
    struct pbx_ports p = { .ami = 0 }, q = { .ami = 0 };
    int fd;

    (void)state;
    assert_int_equal(pbx_ports_choose(&p), 0);
    assert_true(p.ami != p.http && p.http != p.sip && p.ami != p.sip);
    assert_true(p.ami >= PBX_PORT_FIRST && p.ami <= PBX_PORT_LAST);
    assert_true(p.rtp_first >= PBX_RTP_FIRST && p.rtp_last <= PBX_RTP_LAST && p.rtp_last - p.rtp_first == PBX_RTP_WIDTH - 1);
    assert_int_equal(bind_tcp(p.ami), -1); /* another chooser cannot have it */
    fd = bind_as_asterisk(p.ami);          /* Asterisk can, before we let go */
    assert_true(fd >= 0);
    q.http = p.ami;
    assert_int_equal(pbx_ports_choose(&q), -EADDRINUSE);
    assert_int_equal(q.held[0], -1); /* what it held is free again */
    close(fd);
    pbx_ports_release(&p);
    fd = bind_tcp(p.http);
    assert_true(fd >= 0);
    close(fd);
}

static void version_is_read(void **state)
{
    char version[PBX_VERSION_MAX];
    int major = 0;

    (void)state;
    assert_int_equal(pbx_version_parse("Asterisk 22.10.1+dfsg+~cs6.17\n", version, sizeof version, &major), 0);
    assert_string_equal(version, "22.10.1");
    assert_int_equal(major, 22);
    assert_int_equal(pbx_version_parse("Asterisk certified/20.7-cert1", version, sizeof version, &major), 0);
    assert_string_equal(version, "20.7");
    assert_int_equal(pbx_version_parse("Asterisk GIT-master", version, sizeof version, &major), -EINVAL);
    assert_int_equal(pbx_version_parse("bash: asterisk: not found", version, sizeof version, &major), -EINVAL);
    assert_int_equal(pbx_version_parse("", version, sizeof version, &major), -EINVAL);
}

static void fake_modules(struct pbx_place *place)
{
    assert_int_equal(mkdir(path_in("modules"), 0755), 0);
    file_put(path_in("modules/pbx_config.so"), "");
    file_put(path_in("modules/res_agi.so"), "");
    snprintf(place->modules, sizeof place->modules, "%s/modules", folder);
}

static const char *const config_marks[] = { "DIR=/d",
                                            "MODULES=/m",
                                            "DATA=/s",
                                            "SYSTEM_NAME=n1",
                                            "ENTITY_ID=02:00:00:00:00:01",
                                            "AMI_PORT=5038",
                                            "AMI_USER=u",
                                            "AMI_SECRET=hush",
                                            "HTTP_PORT=8088",
                                            "ARI_USER=a",
                                            "ARI_PASSWORD=hush2",
                                            "SIP_PORT=5060",
                                            "RTP_FIRST=10000",
                                            "RTP_LAST=10399",
                                            "UAS_PORT=9",
                                            NULL };

static void config_is_written(void **state)
{
    static struct pbx_place place;
    struct pbx_extra extras[3] = { { .name = "extensions.conf" }, { .name = "pjsip.conf" }, { .name = "voicemail.conf" } };
    struct pbx_config c = { .place = &place, .dir = path_in("n"), .marks = config_marks, .extras = extras, .extra_count = 3 };
    char *problem = NULL, dir[128], file[256];
    struct stat st;

    (void)state;
    snprintf(dir, sizeof dir, "%s/n", folder);
    c.dir = dir;
    fake_modules(&place);
    for (size_t i = 0; i < 3; i++) {
        buf_init(&extras[i].text, 4096);
        assert_int_equal(buf_addf(&extras[i].text, "[theirs%zu]\n", i), 0);
    }
    assert_int_equal(mkdir(dir, 0700), 0);
    assert_int_equal(pbx_config_write(&c, &problem), 0);
    assert_int_equal(pbx_config_write(&c, &problem), 0); /* a second start writes the same again */
    assert_null(problem);

    snprintf(file, sizeof file, "%s/etc/asterisk.conf", dir);
    assert_non_null(strstr(file_get(file), "astrundir = /d/run\n"));
    assert_non_null(strstr(file_get(file), "transmit_silence = yes\n"));
    assert_non_null(strstr(file_get(file), "systemname = n1\n"));
    snprintf(file, sizeof file, "%s/etc/manager.conf", dir);
    assert_non_null(strstr(file_get(file), "bindaddr = 127.0.0.1\nport = 5038\n"));
    assert_non_null(strstr(file_get(file), "[u]\nsecret = hush\n"));
    assert_int_equal(stat(file, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(file, sizeof file, "%s/etc/modules.conf", dir);
    assert_non_null(strstr(file_get(file), "autoload = no\n"));
    assert_non_null(strstr(file_get(file), "load = res_agi.so\n"));
    assert_null(strstr(file_get(file), "chan_pjsip")); /* not in this Asterisk, so not asked for */
    snprintf(file, sizeof file, "%s/etc/extensions.conf", dir);
    assert_string_equal(file_get(file), "\n[theirs0]\n");
    snprintf(file, sizeof file, "%s/etc/pjsip.conf", dir);
    assert_non_null(strstr(file_get(file), "bind = 127.0.0.1:5060\n"));
    assert_non_null(strstr(file_get(file), "\n[theirs1]\n")); /* ours, then theirs */
    snprintf(file, sizeof file, "%s/etc/voicemail.conf", dir);
    assert_string_equal(file_get(file), "[theirs2]\n");
    snprintf(file, sizeof file, "%s/etc/udptl.conf", dir);
    assert_non_null(file_get(file));
    snprintf(file, sizeof file, "%s/spool/recording", dir);
    assert_int_equal(stat(file, &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    for (size_t i = 0; i < 3; i++)
        buf_free(&extras[i].text);
}

static void nothing_to_run_is_told(void **state)
{
    struct pbx_options opt = { .root = folder, .dir = "/tmp/x", .dialplan = "/dev/null" };
    char *problem = NULL;
    struct pbx *p = NULL;
    struct stat st;

    (void)state;
    opt.dir = strdup(path_in("d"));
    assert_int_equal(pbx_start(&p, &opt, &problem), -ENOENT);
    assert_non_null(strstr(problem, "holds no usr/sbin/asterisk"));
    assert_int_equal(stat(opt.dir, &st), -1); /* nothing was made */
    free(problem);
    opt.root = "/no/such/folder";
    assert_int_equal(pbx_start(&p, &opt, &problem), -ENOENT);
    assert_string_equal(problem, "/no/such/folder: No such file or directory");
    free(problem);
    free((char *)opt.dir);
    assert_null(p);
}

/* An unpacked root whose "Asterisk" is a shell script: its loader tells the version, then does as `body` says. */
static void fake_root(const char *body)
{
    char text[1024];

    assert_int_equal(mkdir(path_in("usr"), 0755), 0);
    assert_int_equal(mkdir(path_in("usr/sbin"), 0755), 0);
    assert_int_equal(mkdir(path_in("usr/lib"), 0755), 0);
    assert_int_equal(mkdir(path_in("usr/lib/any-linux-gnu"), 0755), 0);
    file_put(path_in("usr/sbin/asterisk"), "");
    snprintf(text, sizeof text, "#!/bin/sh\ncase \"$*\" in *-V) echo 'Asterisk 20.1.0'; exit 0;; esac\n%s\n", body);
    file_put(path_in("usr/lib/any-linux-gnu/ld-linux-any.so.2"), text);
    assert_int_equal(chmod(path_in("usr/lib/any-linux-gnu/ld-linux-any.so.2"), 0755), 0);
    file_put(path_in("dialplan"), "[x]\nexten => 1,1,NoOp(@WHO@ @AMI_PORT@)\n");
    assert_int_equal(chmod(folder, 0755), 0);
}

static void early_death_is_told(void **state)
{
    static const char *const marks[] = { "WHO=me", NULL };
    char *problem = NULL, *dir = strdup(path_in("d")), *plan = strdup(path_in("dialplan"));
    struct pbx_options opt = { .root = folder, .dir = dir, .dialplan = plan, .marks = marks };
    struct pbx *p = NULL;
    unsigned port = 0;

    (void)state;
    fake_root("echo 'no room for a PBX'; exit 3");
    assert_int_equal(pbx_start(&p, &opt, &problem), -EIO);
    assert_string_equal(problem, "Asterisk ended while it started: no room for a PBX");
    assert_int_equal(sscanf(file_get(path_in("d/etc/extensions.conf")), "\n[x]\nexten => 1,1,NoOp(me %u)", &port), 1);
    assert_in_range(port, PBX_PORT_FIRST, PBX_PORT_LAST);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    free(problem);
    opt.marks = NULL;
    assert_int_equal(pbx_start(&p, &opt, &problem), -ENOENT);
    assert_non_null(strstr(problem, "dialplan:2: the mark @WHO@ has no value"));
    free(problem);
    free(dir);
    free(plan);
}

/* One manager connection served by a child: what it says comes in two halves, cut at `cut`. */
static uint16_t manager_start(const char *says, size_t cut, pid_t *pid)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof at;

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *pid = fork();
    if (*pid == 0) {
        const int one = accept(fd, NULL, NULL);
        const bool ok = write(one, says, cut) == (ssize_t)cut && usleep(1000) == 0 &&
                        write(one, says + cut, strlen(says) - cut) == (ssize_t)(strlen(says) - cut);

        _exit(ok ? 0 : 1);
    }
    close(fd);
    return ntohs(at.sin_port);
}

static void manager_messages_at_every_split(void **state)
{
    static const char says[] =
        "Asterisk Call Manager/11.0.0\r\nResponse: Success\r\nActionID: 7\r\nMessage: hello: you \r\n\r\n"
        "Event: FullyBooted\r\nStatus: Fully Booted\r\n\r\n";

    (void)state;
    for (size_t cut = 0; cut < sizeof says; cut++) {
        const int64_t deadline = clock_mono_us() + 5000000;
        struct pbx_ami a;
        struct text m;
        pid_t pid;
        const uint16_t port = manager_start(says, cut, &pid);

        assert_int_equal(pbx_ami_open(&a, port, deadline), 0);
        assert_int_equal(pbx_ami_read(&a, &m, deadline), 0);
        assert_true(text_eq(pbx_ami_header(m, TEXT("response")), TEXT("Success")));
        assert_true(text_eq(pbx_ami_header(m, TEXT("Message")), TEXT("hello: you")));
        assert_null(pbx_ami_header(m, TEXT("Action")).p); /* a prefix of a name is another name */
        assert_int_equal(pbx_ami_read(&a, &m, deadline), 0);
        assert_true(text_eq(pbx_ami_header(m, TEXT("Event")), TEXT("FullyBooted")));
        assert_int_equal(pbx_ami_read(&a, &m, deadline), -ECONNRESET);
        pbx_ami_close(&a);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
    }
}

/* Connections are accepted by the kernel, and nobody says anything. */
static int listen_mute(uint16_t *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof at;

    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    *port = ntohs(at.sin_port);
    return fd;
}

static void manager_failures(void **state)
{
    struct pbx_ami a = { .fd = -1 };
    struct text m;
    pid_t pid;
    int fd;
    uint16_t port = manager_start("SSH-2.0-x\r\n", 3, &pid);

    (void)state;
    assert_int_equal(pbx_ami_open(&a, port, clock_mono_us() + 5000000), -EPROTO);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_int_equal(pbx_ami_open(&a, port, clock_mono_us() + 5000000), -ECONNREFUSED);
    assert_int_equal(a.fd, -1);

    fd = listen_mute(&port);
    assert_int_equal(pbx_ami_open(&a, port, clock_mono_us() + 50000), -ETIMEDOUT);
    close(fd);

    port = manager_start("Asterisk Call Manager/9\r\nResponse: half", 20, &pid);
    assert_int_equal(pbx_ami_open(&a, port, clock_mono_us() + 5000000), 0);
    assert_int_equal(pbx_ami_read(&a, &m, clock_mono_us() + 5000000), -ECONNRESET);
    pbx_ami_close(&a);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_filled),
        cmocka_unit_test(unknown_mark_is_named),
        cmocka_unit_test(marks_and_names_are_checked),
        cmocka_unit_test(long_directory_is_refused),
        cmocka_unit_test_setup_teardown(foreign_directory_is_refused, open_folder, folder_remove),
        cmocka_unit_test_setup_teardown(closed_parent_is_told, folder_make, folder_remove),
        cmocka_unit_test(ports_are_held_until_taken),
        cmocka_unit_test(version_is_read),
        cmocka_unit_test_setup_teardown(config_is_written, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(nothing_to_run_is_told, open_folder, folder_remove),
        cmocka_unit_test_setup_teardown(early_death_is_told, folder_make, folder_remove),
        cmocka_unit_test(manager_messages_at_every_split),
        cmocka_unit_test(manager_failures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
