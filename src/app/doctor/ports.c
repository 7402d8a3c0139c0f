/* Tries every port that the daemon will bind, and finds out who has those that are taken. */
#include "app/doctor/ports.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

bool doctor_has_medium(const struct config *c, const char *medium)
{
    for (size_t i = 0; i < c->agent_count; i++) {
        const struct config_list *m = &c->agents[i].media;

        if (m->count == 0 && !strcmp(medium, "audiosocket"))
            return true;
        for (size_t k = 0; k < m->count; k++)
            if (!strcmp(m->items[k], medium))
                return true;
    }
    return false;
}

static socklen_t make_address(const struct address *a, uint16_t port, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, a->host, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        return sizeof *v4;
    }
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    return inet_pton(AF_INET6, a->host, &v6->sin6_addr) == 1 ? sizeof *v6 : 0;
}

/* SO_REUSEADDR as the daemon's own listener: a port whose connections only linger is free. */
static int try_bind(const struct address *a, uint16_t port, int type)
{
    struct sockaddr_storage at;
    const socklen_t size = make_address(a, port, &at);
    const int yes = 1;
    int fd, err = 0;

    if (!size)
        return -EINVAL;
    fd = socket(at.ss_family, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (type == SOCK_STREAM)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, (const struct sockaddr *)&at, size) || (type == SOCK_STREAM && listen(fd, 1)))
        err = -errno;
    close(fd);
    return err;
}

/* ---- who has it ---- */

/* "  0: 0100007F:11DD 00000000:0000 0A ... uid timeout inode": state 0A listens. */
static uint64_t find_inode(const char *table, uint16_t port)
{
    FILE *f = fopen(table, "re");
    char line[512], local[80];
    uint64_t inode = 0, met;
    unsigned state, their;

    while (f && !inode && fgets(line, sizeof line, f)) {
        const char *colon;

        if (sscanf(line, " %*d: %79s %*s %x %*s %*s %*s %*u %*d %" SCNu64, local, &state, &met) != 3 || state != 0x0a)
            continue;
        colon = strrchr(local, ':');
        if (colon && sscanf(colon + 1, "%x", &their) == 1 && their == port)
            inode = met;
    }
    if (f)
        fclose(f);
    return inode;
}

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

bool doctor_socket_is_of(pid_t pid, uint64_t inode)
{
    char process[24], wanted[64];

    snprintf(process, sizeof process, "%d", (int)pid);
    snprintf(wanted, sizeof wanted, "socket:[%" PRIu64 "]", inode);
    return has_socket(process, wanted);
}

pid_t doctor_socket_owner(uint64_t inode)
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

static void name_owner(struct doctor_port *p, pid_t pid)
{
    char path[64], name[32] = "";
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    f = fopen(path, "re");
    if (f && fgets(name, sizeof name, f))
        name[strcspn(name, "\n")] = '\0';
    if (f)
        fclose(f);
    snprintf(p->owner, sizeof p->owner, "%s (process %d)", *name ? name : "a program", (int)pid);
}

static void look_who(struct doctor_host *h, struct doctor_port *p, uint16_t port)
{
    uint64_t inode = find_inode("/proc/net/tcp", port);
    pid_t owner;

    if (!inode)
        inode = find_inode("/proc/net/tcp6", port);
    owner = inode ? doctor_socket_owner(inode) : 0;
    /* Whose descriptors may not be seen: while the daemon runs, it is the likely one. */
    if (h->daemon && (owner == h->daemon || !owner))
        p->state = DOCTOR_PORT_OURS;
    else if (owner)
        name_owner(p, owner);
}

static void add_port(struct doctor_host *h, const char *key, const struct address *at)
{
    struct doctor_port *p = &h->ports[h->port_count];

    if (h->port_count == DOCTOR_PORTS_MAX || !at->host[0] || !at->port)
        return;
    h->port_count++;
    *p = (struct doctor_port){ .key = key };
    address_format(at, p->where, sizeof p->where);
    p->err = try_bind(at, at->port, SOCK_STREAM);
    p->state = p->err == 0 ? DOCTOR_PORT_FREE : p->err == -EADDRINUSE ? DOCTOR_PORT_TAKEN : DOCTOR_PORT_REFUSED;
    if (p->state == DOCTOR_PORT_TAKEN)
        look_who(h, p, at->port);
}

void doctor_ports_look(struct doctor_host *h, const struct config *c)
{
    bool has_ari = false;

    for (size_t i = 0; i < c->node_count; i++)
        has_ari = has_ari || config_node_has_ari(&c->nodes[i]);
    if (c->route_count)
        add_port(h, "fastagi/listen", &c->fastagi.listen);
    if (has_ari || c->audiosocket.accept == CONFIG_ACCEPT_ANY)
        add_port(h, "audiosocket/listen", &c->audiosocket.listen);
    if (has_ari && doctor_has_medium(c, "websocket") && c->websocket.opened_by == CONFIG_BY_ASTERISK)
        add_port(h, "websocket/listen", &c->websocket.listen);
    add_port(h, "console/listen", &c->console.listen);
    for (size_t i = 0; i < c->node_count; i++)
        add_port(h, "node/ari_listen", &c->nodes[i].ari_listen);
    h->has_rtp = has_ari && doctor_has_medium(c, "rtp");
    for (int64_t i = 0; h->has_rtp && !h->daemon && i < c->rtp.ports; i++)
        h->rtp_taken += try_bind(&c->rtp.listen, (uint16_t)(c->rtp.listen.port + i), SOCK_DGRAM) != 0;
}
