/* What the console of Asterisk and /proc tell, read into lines of the live view: as they are, damaged, and hostile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/listening.h"
#include "app/live_ami.h"
#include "app/live_cli.h"
#include "app/live_sockets.h"
#include "fail_alloc.h"

typedef bool reader(struct buf *out, struct text output);

struct row {
    reader *read;
    const char *in, *out;          /* out NULL: not what was expected */
};

static void check(const struct row *r)
{
    struct buf b;
    bool is_read;

    buf_init(&b, 100000);
    is_read = r->read(&b, text_of(r->in));
    if (is_read != (r->out != NULL) || strcmp(buf_cstr(&b), r->out ? r->out : "") != 0)
        fail_msg("%s\nis %s and gives:\n%s", r->in, is_read ? "read" : "not read", buf_cstr(&b));
    buf_free(&b);
}

#define SETTINGS(enabled, at, has_tls, tls) \
    "\nGlobal Settings:\n----------------\n  Manager (AMI):             " enabled "            \n  Web Manager (AMI/HTTP):    No             \n" \
    "  TCP Bindaddress:           " at "\n  HTTP Timeout (seconds):    60             \n  TLS Enable:                " has_tls "             \n" \
    "  TLS Bindaddress:           " tls "       \n  Debug:                     No             \n"
#define USER(name, secret, acl, read, write) \
    "\n          username: " name "\n            secret: " secret "\n               ACL: " acl "\n         read perm: " read "\n        write perm: " write \
    "\n   displayconnects: no\nallowmultiplelogin: yes\n         Variables: \n"
#define USERS(names, count) "\nusername\n--------\n" names "-------------------\n" count " manager users configured.\n"
#define TRANSPORTS(rows) \
    "\nTransport:  <TransportId........>  <Type>  <cos>  <tos>  <BindAddress....................>\n" \
    "==========================================================================================\n\n" rows "\nObjects found: 1\n\n"

static void test_console(void **state)
{
    static const struct row rows[] = {
        { live_cli_users, USERS("a\nb c\n", "2"), "a\nb c\n" },
        { live_cli_users, USERS("", "0"), "" },
        { live_cli_users, USERS("a\n", "2"), NULL },
        { live_cli_users, USERS("a\n--------------------\n7 manager users configured.\n", "3"), NULL },  /* one who is named like the frame */
        { live_cli_users, USERS("a\n1 manager users configured.\n", "2"), "a\n1 manager users configured.\n" },
        { live_cli_users, "\nusername\n--------\na\n", NULL },
        { live_cli_users, "No such command 'manager show users'\n", NULL },
        { live_cli_users, "", NULL },
        { live_cli_user, USER("a", "<Set>", "yes", "call,agent", "<none>"), "secret = yes\nacl = yes\nread = call,agent\nwrite = <none>\n" },
        { live_cli_user, USER("a", "<None>", "no", "<none>", "all"), "secret = no\nacl = no\nread = <none>\nwrite = all\n" },
        { live_cli_user, USER("a", "<Set>", "no", "call\x1b[2J", "all"), NULL },
        { live_cli_user, USER("a", "<Set>", "no", "call;", "all"), NULL },
        { live_cli_user, USER("a", "<Set>", "no", "", ""), NULL },
        { live_cli_user, "There is no manager called a\n", NULL },
        { live_cli_settings, SETTINGS("Yes", "127.0.0.1:5038", "No", "Disabled"), "manager = 127.0.0.1:5038\nmanager-tls = no\n" },
        { live_cli_settings, SETTINGS("Yes", "[::]:5038", "Yes", "0.0.0.0:5039"), "manager = [::]:5038\nmanager-tls = 0.0.0.0:5039\n" },
        { live_cli_settings, SETTINGS("No", "Disabled", "No", "Disabled"), "manager = no\nmanager-tls = no\n" },
        { live_cli_settings, SETTINGS("Yes", "x;y:1", "No", "Disabled"), "manager-tls = no\n" },
        { live_cli_settings, "\nGlobal Settings:\n", NULL },
        { live_cli_http, "HTTP Server Status:\nPrefix: \nServer Enabled and Bound to 127.0.0.1:8088\n\nEnabled URI's:\n", "http = 127.0.0.1:8088\nhttps = no\n" },
        { live_cli_http, "Server Enabled and Bound to [::]:8088\n\nHTTPS Server Enabled and Bound to 0.0.0.0:8089\n", "http = [::]:8088\nhttps = 0.0.0.0:8089\n" },
        { live_cli_http, "HTTP Server Status:\nServer Disabled\n\n", "http = no\nhttps = no\n" },
        { live_cli_http, "HTTP Server Status:\n", NULL },
        { live_cli_transports, TRANSPORTS("Transport:  udp                       udp      0      0  127.0.0.1:5060\n"), "udp = 127.0.0.1:5060\n" },
        { live_cli_transports, TRANSPORTS("Transport:  a b c  tls  3 24  [::]:5061\nTransport:  w  wss  0 0  0.0.0.0:5060\n"), "tls = [::]:5061\n" },
        { live_cli_transports, TRANSPORTS("Transport:  short\nTransport:  udp  udp  0 0  nowhere\n"), "" },
        { live_cli_transports, "\nNo objects found.\n", "" },
        { live_cli_transports, "No such command 'pjsip show transports'\n", NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check(&rows[i]);
}

/* Each output, cut at every byte, and with each byte in the place of every one: no line is added that could be another's. */
static void test_damaged(void **state)
{
    static const struct row rows[] = {
        { live_cli_users, USERS("a\nb\n", "2"), "" },
        { live_cli_user, USER("a", "<Set>", "yes", "call,agent", "all"), "" },
        { live_cli_settings, SETTINGS("Yes", "127.0.0.1:5038", "Yes", "[::]:5039"), "" },
        { live_cli_http, "Server Enabled and Bound to [::]:8088\nHTTPS Server Enabled and Bound to 0.0.0.0:8089\n", "" },
        { live_cli_transports, TRANSPORTS("Transport:  udp  udp  0  0  127.0.0.1:5060\n"), "" },
    };
    static const char odd[] = { '\0', '\n', ';', ' ', ':', '-', '[', '\x1b', '\xff' };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const size_t n = strlen(rows[i].in);

        for (size_t at = 0; at <= n; at++)
            for (size_t k = 0; k <= sizeof odd; k++) {
                char *copy = malloc(n + 1);
                struct text rest, line;
                struct buf b;

                assert_non_null(copy);
                memcpy(copy, rows[i].in, n);
                if (k < sizeof odd && at < n)
                    copy[at] = odd[k];
                buf_init(&b, 10000);
                rest = text_make(copy, k == sizeof odd ? at : n);
                if (!rows[i].read(&b, rest))
                    assert_int_equal(b.n, 0);
                rest = buf_text(&b);
                while (rows[i].read != live_cli_users && text_cut(&rest, '\n', &line))
                    if (line.n && (!text_is_one_line(line) || text_find(line, ';') >= 0 || text_find_text(line, TEXT(" = ")) < 2))
                        fail_msg("a line that was made up: %.*s", TEXT_ARG(line));
                buf_free(&b);
                free(copy);
            }
    }
}

static void test_full(void **state)
{
    struct buf b;

    (void)state;
    buf_init(&b, 8);
    live_cli_user(&b, text_of(USER("a", "<Set>", "yes", "call,agent", "all")));
    assert_true(b.err != 0);
    buf_free(&b);
}

static void test_plain_names(void **state)
{
    (void)state;
    assert_true(live_cli_is_plain(TEXT("sidetone-pbx1.tap_2@x+")));
    assert_false(live_cli_is_plain(TEXT("a b")));
    assert_false(live_cli_is_plain(TEXT("a\"")));
    assert_false(live_cli_is_plain(TEXT("")));
    assert_false(live_cli_is_plain(TEXT("a\nb")));
    assert_false(live_cli_is_plain(TEXT("12345678901234567890123456789012345678901234567890123456789012345678901234567890")));
}

/* ---- /proc ---- */

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"

static void test_sockets(void **state)
{
    static const char v4[] = HEAD "   0: 0100007F:13AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4711 1 0000 100 0 0 10 0\n"
                                  "   1: 0100007F:13AE 0100007F:C000 01 00000000:00000000 00:00000000 00000000   106        0 4712 1 0000 20 4 30 10 -1\n"
                                  "   2: 00000000:1F98 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1\n"
                                  "  33: 0G00007F:13AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4714 1\n"
                                  "  34: 7F:13AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4715 1\n"
                                  "  35: 0100007F:10000 00000000:0000 0A 00000000:00000000 00:00000000 00000000   106        0 4715 1\n";
    static const char v6[] = HEAD "   0: 00000000000000000000000001000000:13C4 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   106        0 99 2\n"
                                  "   1: 00000000000000000000000000000000:13C5 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000   106        0 98 2\n";
    struct listening *all = calloc(LISTENING_MAX, sizeof *all);
    size_t n;

    (void)state;
    assert_non_null(all);
    n = listening_read(all, 0, text_of(v4), true);
    assert_int_equal(n, 2);
    n = listening_read(all, n, text_of(v6), false);
    assert_int_equal(n, 4);
    assert_string_equal(all[0].address, "127.0.0.1:5038");
    assert_true(all[0].is_tcp && all[0].port == 5038 && all[0].inode == 4711 && all[0].uid == 106);
    assert_string_equal(all[1].address, "0.0.0.0:8088");
    assert_string_equal(all[2].address, "[::1]:5060");
    assert_string_equal(all[3].address, "[::]:5061");
    assert_true(!all[3].is_tcp && all[3].inode == 98);
    for (size_t cut = 0; cut < sizeof v4; cut++)
        assert_true(listening_read(all, 0, text_make(v4, cut), true) <= 2);
    free(all);
}

/* Who has the address itself comes before who has every address, and both before somebody on another address. */
static void test_who_gets_it(void **state)
{
    const struct listening all[] = {
        { .is_tcp = true, .address = "192.0.2.1:5038", .port = 5038, .inode = 1 },  { .is_tcp = true, .address = "0.0.0.0:5038", .port = 5038, .inode = 2 },
        { .is_tcp = true, .address = "127.0.0.1:5038", .port = 5038, .inode = 3 },  { .is_tcp = false, .address = "127.0.0.1:8088", .port = 8088, .inode = 4 },
        { .is_tcp = true, .address = "192.0.2.1:8088", .port = 8088, .inode = 5 },  { .is_tcp = true, .address = "[::]:8089", .port = 8089, .inode = 6 },
    };
    const size_t n = sizeof all / sizeof *all;

    (void)state;
    assert_int_equal(listening_at(all, n, "tcp://127.0.0.1:5038")->inode, 3);
    assert_int_equal(listening_at(all, n, "127.0.0.1:5038")->inode, 3);
    assert_int_equal(listening_at(all, n, "tcp://localhost:5038")->inode, 2);
    assert_int_equal(listening_at(all, n, "http://127.0.0.1:8088/pbx")->inode, 5);
    assert_int_equal(listening_at(all, n, "https://[::1]:8089")->inode, 6);
    assert_null(listening_at(all, n, "tcp://127.0.0.1:5039"));
    assert_null(listening_at(all, n, "tcp://127.0.0.1"));
    assert_null(listening_at(all, 0, "tcp://127.0.0.1:5038"));
    assert_true(listening_is_url("tcp://127.0.0.1:5038") && listening_is_url("http://localhost:8088/pbx"));
    assert_false(listening_is_url("tcp://192.0.2.1:5038") || listening_is_url("tcp://127.0.0.1") || listening_is_url("tcp://127.0.0.1:0") || listening_is_url(NULL));
}

static void test_too_many_sockets(void **state)
{
    struct listening *all = calloc(LISTENING_MAX, sizeof *all);
    struct buf b;

    (void)state;
    assert_non_null(all);
    buf_init(&b, 1 << 20);
    for (int i = 0; i < LISTENING_MAX + 10; i++)
        buf_add_text(&b, TEXT("0: 0100007F:13AE 00000000:0000 0A 00000000:00000000 00:00000000 00000000 106 0 4711 1\n"));
    assert_int_equal(b.err, 0);
    assert_int_equal(listening_read(all, 0, buf_text(&b), true), LISTENING_MAX);
    buf_free(&b);
    free(all);
}

static int listen_on(char *url, size_t size)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof at;
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 4) == 0 && getsockname(fd, (struct sockaddr *)&at, &n) == 0);
    snprintf(url, size, "tcp://127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

/* Another machine's, a port that nobody has, this test's own: nothing is taken for Asterisk's. */
static void test_whose(void **state)
{
    static const char *const urls[] = { "tcp://192.0.2.1:5038", "127.0.0.1:5038", "tcp://127.0.0.1", "tcp://[::1]:99999", "tcp://127.0.0.1.evil.example:5038", "tcp://localhost:x", "" };
    char ours[64];
    const int fd = listen_on(ours, sizeof ours);
    struct buf b;

    (void)state;
    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof urls / sizeof *urls; i++)
        assert_int_equal(live_sockets_add(&b, urls[i]), -ENOENT);
    assert_int_equal(live_sockets_add(&b, ours), -EACCES);
    close(fd);
    assert_int_equal(b.n, 0);
    buf_free(&b);
}

/* ---- a node that is slow ---- */

/* Says its banner, lets anybody in, and answers nothing more. */
static void *let_in(void *arg)
{
    char text[1000], answer[300];
    size_t n = 0;
    ssize_t got;
    const char *id;
    const int fd = accept(*(int *)arg, NULL, NULL);

    if (fd < 0 || write(fd, "Asterisk Call Manager/11.0.0\r\n", 30) != 30)
        return NULL;
    while (n < sizeof text - 1 && (got = read(fd, text + n, sizeof text - 1 - n)) > 0) {
        n += (size_t)got;
        text[n] = '\0';
        id = strstr(text, "ActionID: ");
        if (id && strstr(text, "\r\n\r\n")) {
            got = snprintf(answer, sizeof answer, "Response: Success\r\nActionID: %.*s\r\nMessage: Authentication accepted\r\n\r\n", (int)strcspn(id + 10, "\r"), id + 10);
            if (write(fd, answer, (size_t)got) != got)
                break;
            n = sizeof text;
        }
    }
    while (read(fd, text, sizeof text) > 0)
        continue;
    close(fd);
    return NULL;
}

static void ask(struct live_ami *told, const char *url)
{
    struct config_node node = { .ami = url, .ami_plain = true, .control_user = "control" };

    node.head.name = "pbx1";
    assert_int_equal(secret_from(&node.control_secret, TEXT("s3")), 0);
    assert_int_equal(live_ami_ask(told, &node, 400), 0);
    secret_free(&node.control_secret);
}

static void test_silent_port(void **state)
{
    struct live_ami told;
    char url[64];
    const int fd = listen_on(url, sizeof url);

    (void)state;
    ask(&told, url);
    assert_false(told.is_in || told.has_dialplan || told.has_users);
    assert_string_equal(told.why, "it did not answer in time");
    live_ami_free(&told);
    close(fd);
}

/* Each allocation fails once: an error or a shorter answer, nothing worse. */
static void test_no_memory(void **state)
{
    struct config_node node = { .ami_plain = true, .control_user = "control" };
    char url[64];
    const int fd = listen_on(url, sizeof url);
    bool was_hit = true;

    (void)state;
    node.ami = url;
    node.head.name = "pbx1";
    assert_int_equal(secret_from(&node.control_secret, TEXT("s3")), 0);
    for (long n = 1; was_hit; n++) {
        struct live_ami told;
        int err;

        fail_alloc_at(n);
        err = live_ami_ask(&told, &node, 5);
        was_hit = fail_alloc_hit();
        fail_alloc_off();
        assert_true(err == 0 || (was_hit && err == -ENOMEM));
        assert_false(told.is_in);
        live_ami_free(&told);
        assert_true(n < 500);
    }
    secret_free(&node.control_secret);
    close(fd);
}

static void test_silent_after_login(void **state)
{
    struct live_ami told;
    char url[64];
    pthread_t thread;
    int fd = listen_on(url, sizeof url);

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, let_in, &fd), 0);
    ask(&told, url);
    assert_true(told.is_late);
    assert_false(told.has_rights || told.has_dialplan || told.has_users);
    live_ami_free(&told);
    shutdown(fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_console),     cmocka_unit_test(test_damaged), cmocka_unit_test(test_full),  cmocka_unit_test(test_plain_names),
        cmocka_unit_test(test_sockets),     cmocka_unit_test(test_who_gets_it), cmocka_unit_test(test_too_many_sockets), cmocka_unit_test(test_whose),
        cmocka_unit_test(test_silent_port), cmocka_unit_test(test_silent_after_login),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
