/* Tries every port that the daemon will bind, and finds out who has those that are taken. */
#include "app/doctor/ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "app/listening.h"

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

static void look_who(struct doctor_host *h, struct doctor_port *p)
{
    const struct listening *who;
    struct listening *all;
    size_t count;
    pid_t owner;

    if (listening_all(&all, &count))
        return;
    who = listening_at(all, count, p->where);
    owner = who ? listening_owner(who->inode) : 0;
    free(all);
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
        look_who(h, p);
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
