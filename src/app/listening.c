/* Finds what listens on this machine, and the process behind it. */
#include "app/listening.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "base/buf.h"

enum { TABLE_MAX = 16 << 20, TCP_LISTEN = 0x0a, UDP_UNCONNECTED = 0x07, V4_DIGITS = 8, V6_DIGITS = 32 };

/* ---- the tables ---- */

/* "0100007F" is 127.0.0.1: words in the machine's order (net/ipv4/tcp_ipv4.c of Linux, get_openreq4). */
static bool read_address(const char *hex, unsigned port, char *out, size_t size)
{
    const size_t n = strlen(hex);
    uint32_t words[4];
    char host[INET6_ADDRSTRLEN];

    if (n != V4_DIGITS && n != V6_DIGITS)
        return false;
    for (size_t i = 0; i < n / 8; i++)
        if (sscanf(hex + i * 8, "%8" SCNx32, &words[i]) != 1)
            return false;
    if (!inet_ntop(n == V4_DIGITS ? AF_INET : AF_INET6, words, host, sizeof host))
        return false;
    snprintf(out, size, n == V4_DIGITS ? "%s:%u" : "[%s]:%u", host, port);
    return true;
}

static bool read_line(struct text line, bool is_tcp, struct listening *out)
{
    char copy[400], hex[V6_DIGITS + 1];
    unsigned port, state, uid;

    if (line.n >= sizeof copy)
        return false;
    text_copy(copy, sizeof copy, line);
    if (sscanf(copy, " %*d: %32[0-9A-Fa-f]:%x %*s %x %*s %*s %*s %u %*d %" SCNu64, hex, &port, &state, &uid, &out->inode) != 5 || port == 0 || port > 65535 ||
        state != (is_tcp ? TCP_LISTEN : UDP_UNCONNECTED))
        return false;
    out->is_tcp = is_tcp;
    out->port = (uint16_t)port;
    out->uid = uid;
    return read_address(hex, port, out->address, sizeof out->address);
}

size_t listening_read(struct listening *out, size_t used, struct text table, bool is_tcp)
{
    struct text line;

    while (used < LISTENING_MAX && text_cut(&table, '\n', &line))
        used += read_line(line, is_tcp, &out[used]);
    return used;
}

static size_t read_table(struct listening *out, size_t used, const char *path, bool is_tcp)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf b;
    ssize_t n = 0;

    buf_init(&b, TABLE_MAX);
    while (fd >= 0 && buf_room(&b, 65536) && (n = read(fd, b.p + b.n, 65536)) > 0)
        b.n += (size_t)n;
    if (fd >= 0)
        close(fd);
    used = listening_read(out, used, buf_text(&b), is_tcp);
    buf_free(&b);
    return used;
}

int listening_all(struct listening **out, size_t *count)
{
    struct listening *all = calloc(LISTENING_MAX, sizeof *all);
    size_t n;

    if (!all)
        return -ENOMEM;
    n = read_table(all, 0, "/proc/net/tcp", true);
    n = read_table(all, n, "/proc/net/tcp6", true);
    n = read_table(all, n, "/proc/net/udp", false);
    *count = read_table(all, n, "/proc/net/udp6", false);
    *out = all;
    return 0;
}

static const char *behind_scheme(const char *url)
{
    const char *at = strstr(url, "://");

    return at ? at + 3 : url;
}

/* Of "host:port" and "host:port/path"; 0: none. */
static uint16_t port_of(const char *address)
{
    struct text host = text_head(text_of(address), strcspn(address, "/"));
    const ptrdiff_t colon = text_rfind(host, ':');
    int64_t number;

    return colon < 0 || text_to_i64(text_skip(host, (size_t)colon + 1), &number) || number < 1 || number > 65535 ? 0 : (uint16_t)number;
}

bool listening_is_url(const char *url)
{
    return config_url_is_this_machine(url) && port_of(behind_scheme(url));
}

const struct listening *listening_at(const struct listening *all, size_t count, const char *url)
{
    const struct listening *any = NULL, *wide = NULL;
    const char *address = behind_scheme(url);
    const uint16_t port = port_of(address);

    for (size_t i = 0; i < count; i++) {
        const struct listening *s = &all[i];

        if (!s->is_tcp || s->port != port)
            continue;
        if (strcmp(s->address, address) == 0)
            return s;
        if (!wide && (text_starts(text_of(s->address), TEXT("0.0.0.0:")) || text_starts(text_of(s->address), TEXT("[::]:"))))
            wide = s;
        if (!any)
            any = s;
    }
    return wide ? wide : any;
}

/* ---- whose they are ---- */

static bool has_socket(const char *pid, const char *wanted)
{
    char folder[300], link[PATH_MAX], seen[64];
    const struct dirent *e;
    bool is_met = false;
    DIR *d;

    snprintf(folder, sizeof folder, "/proc/%.20s/fd", pid);
    d = opendir(folder);
    while (d && !is_met && (e = readdir(d))) {
        ssize_t n;

        snprintf(link, sizeof link, "%s/%.40s", folder, e->d_name);
        n = readlink(link, seen, sizeof seen - 1);
        seen[n > 0 ? n : 0] = '\0';
        is_met = strcmp(seen, wanted) == 0;
    }
    if (d)
        closedir(d);
    return is_met;
}

bool listening_is_of(pid_t pid, uint64_t inode)
{
    char process[24], wanted[64];

    snprintf(process, sizeof process, "%d", (int)pid);
    snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
    return has_socket(process, wanted);
}

pid_t listening_owner(uint64_t inode)
{
    char wanted[64];
    const struct dirent *e;
    pid_t owner = 0;
    DIR *d = opendir("/proc");

    snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
    while (d && !owner && (e = readdir(d)))
        if (isdigit((unsigned char)e->d_name[0]) && has_socket(e->d_name, wanted))
            owner = (pid_t)atoi(e->d_name);
    if (d)
        closedir(d);
    return owner;
}

/* The program may be started by a loader, so each word counts. */
bool listening_is_asterisk(pid_t pid)
{
    char path[64], words[4096];
    struct text rest, word;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/cmdline", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    n = fd >= 0 ? read(fd, words, sizeof words) : 0;
    if (fd >= 0)
        close(fd);
    rest = text_make(words, n > 0 ? (size_t)n : 0);
    while (text_cut(&rest, '\0', &word))
        if (text_eq(word, TEXT("asterisk")) || text_ends(word, TEXT("/asterisk")))
            return true;
    return false;
}

pid_t listening_asterisk_of(uid_t uid)
{
    DIR *d = opendir("/proc");
    const struct dirent *e;
    pid_t met = 0;

    while (d && !met && (e = readdir(d))) {
        char path[64];
        struct stat st;

        snprintf(path, sizeof path, "/proc/%.20s", e->d_name);
        if (isdigit((unsigned char)e->d_name[0]) && stat(path, &st) == 0 && st.st_uid == uid && listening_is_asterisk((pid_t)atoi(e->d_name)))
            met = (pid_t)atoi(e->d_name);
    }
    if (d)
        closedir(d);
    return met;
}
