/* Tells everything on which the Asterisk behind a manager port listens. */
#include "app/live_sockets.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "app/config.h"
#include "app/listening.h"

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
        is_met = isdigit((unsigned char)e->d_name[0]) && stat(path, &st) == 0 && st.st_uid == uid && listening_is_asterisk((pid_t)atoi(e->d_name));
    }
    if (d)
        closedir(d);
    return is_met;
}

static bool read_url(const char *url, const char **address, uint16_t *port)
{
    const struct text all = text_of(url);
    const ptrdiff_t colon = text_rfind(all, ':'), scheme = text_find_text(all, TEXT("://"));
    int64_t number;

    if (!config_url_is_this_machine(url) || text_to_i64(text_skip(all, (size_t)colon + 1), &number) || number < 1 || number > 65535)
        return false;
    *address = scheme < 0 ? url : url + scheme + 3;
    *port = (uint16_t)number;
    return true;
}

static bool add_sockets(struct buf *out, const struct listening *all, size_t count, const struct listening *door)
{
    const pid_t owner = listening_owner(door->inode);

    if (owner ? !listening_is_asterisk(owner) : !user_runs_asterisk(door->uid))
        return false;
    buf_add_text(out, TEXT("\n[sockets]\n"));
    for (size_t i = 0; i < count; i++)
        if (owner ? listening_is_of(owner, all[i].inode) : all[i].uid == door->uid)
            buf_addf(out, "%s = %s\n", all[i].is_tcp ? "tcp" : "udp", all[i].address);
    return true;
}

int live_sockets_add(struct buf *out, const char *url)
{
    const struct listening *door;
    struct listening *all;
    const char *address;
    uint16_t port;
    size_t count;
    bool is_told = false;

    if (!read_url(url, &address, &port))
        return -ENOENT;
    if (listening_all(&all, &count))
        return -ENOMEM;
    door = count < LISTENING_MAX ? listening_at(all, count, address, port) : NULL;
    if (door)
        is_told = add_sockets(out, all, count, door);
    free(all);
    return is_told ? 0 : -EACCES;
}
