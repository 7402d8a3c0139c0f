/* Finds the process behind a manager port, and everything on which it listens. */
#include "app/live_sockets.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/config.h"
#include "app/doctor/ports.h"

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

static bool read_line(struct text line, bool is_tcp, struct live_socket *out)
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

size_t live_sockets_read(struct live_socket *out, size_t used, struct text table, bool is_tcp)
{
    struct text line;

    while (used < LIVE_SOCKETS_MAX && text_cut(&table, '\n', &line))
        used += read_line(line, is_tcp, &out[used]);
    return used;
}

static size_t read_table(struct live_socket *out, size_t used, const char *path, bool is_tcp)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf b;
    ssize_t n = 0;

    buf_init(&b, TABLE_MAX);
    while (fd >= 0 && buf_room(&b, 65536) && (n = read(fd, b.p + b.n, 65536)) > 0)
        b.n += (size_t)n;
    if (fd >= 0)
        close(fd);
    used = live_sockets_read(out, used, buf_text(&b), is_tcp);
    buf_free(&b);
    return used;
}

/* ---- whose they are ---- */

/* Not a tunnel or a proxy in front of one elsewhere. The program may be started by a loader, so each word counts. */
static bool is_asterisk(const char *pid)
{
    char path[64], words[4096];
    struct text rest, word;
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "/proc/%.20s/cmdline", pid);
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

/* Where descriptors may not be seen: some process of that user is one. */
static bool user_runs_asterisk(uid_t uid)
{
    DIR *d = opendir("/proc");
    const struct dirent *e;
    bool is_met = false;

    while (d && !is_met && (e = readdir(d))) {
        char path[64];
        struct stat st;

        snprintf(path, sizeof path, "/proc/%.20s", e->d_name);
        is_met = isdigit((unsigned char)e->d_name[0]) && stat(path, &st) == 0 && st.st_uid == uid && is_asterisk(e->d_name);
    }
    if (d)
        closedir(d);
    return is_met;
}

static bool read_url(const char *url, uint16_t *port)
{
    const struct text all = text_of(url);
    const ptrdiff_t colon = text_rfind(all, ':');
    int64_t number;

    if (!config_url_is_this_machine(url) || text_to_i64(text_skip(all, (size_t)colon + 1), &number) || number < 1 || number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}

static const struct live_socket *door_of(const struct live_socket *all, size_t count, uint16_t port)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].is_tcp && all[i].port == port)
            return &all[i];
    return NULL;
}

static bool add_sockets(struct buf *out, const struct live_socket *all, size_t count, const struct live_socket *door)
{
    const pid_t owner = doctor_socket_owner(door->inode);
    char pid[24];

    snprintf(pid, sizeof pid, "%d", (int)owner);
    if (owner ? !is_asterisk(pid) : !user_runs_asterisk(door->uid))
        return false;
    buf_add_text(out, TEXT("\n[sockets]\n"));
    for (size_t i = 0; i < count; i++)
        if (owner ? doctor_socket_is_of(owner, all[i].inode) : all[i].uid == door->uid)
            buf_addf(out, "%s = %s\n", all[i].is_tcp ? "tcp" : "udp", all[i].address);
    return true;
}

int live_sockets_add(struct buf *out, const char *url)
{
    struct live_socket *all;
    const struct live_socket *door;
    uint16_t port;
    size_t count = 0;
    bool is_told = false;

    if (!read_url(url, &port))
        return -ENOENT;
    all = calloc(LIVE_SOCKETS_MAX, sizeof *all);
    if (!all)
        return -ENOMEM;
    count = read_table(all, count, "/proc/net/tcp", true);
    count = read_table(all, count, "/proc/net/tcp6", true);
    count = read_table(all, count, "/proc/net/udp", false);
    count = read_table(all, count, "/proc/net/udp6", false);
    door = count < LIVE_SOCKETS_MAX ? door_of(all, count, port) : NULL;
    if (door)
        is_told = add_sockets(out, all, count, door);
    free(all);
    return is_told ? 0 : -EACCES;
}
