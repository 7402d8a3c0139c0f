/* Tells everything on which the Asterisk behind a manager port listens. */
#include "app/live_sockets.h"

#include <errno.h>
#include <stdlib.h>

#include "app/listening.h"

static bool add_sockets(struct buf *out, const struct listening *all, size_t count, const struct listening *door)
{
    const pid_t owner = listening_owner(door->inode);

    if (owner ? !listening_is_asterisk(owner) : !listening_asterisk_of(door->uid))
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
    size_t count;
    bool is_told = false;

    if (!listening_is_url(url))
        return -ENOENT;
    if (listening_all(&all, &count))
        return -ENOMEM;
    door = count < LISTENING_MAX ? listening_at(all, count, url) : NULL;
    if (door)
        is_told = add_sockets(out, all, count, door);
    free(all);
    return is_told ? 0 : -EACCES;
}
