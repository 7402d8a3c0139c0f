/* Reads [users] of the live view. */
#include "audit/live_users.h"

#include <errno.h>

static void take(struct live_user *u, const struct conf_item *item)
{
    if (text_eq(item->name, TEXT("secret")))
        u->has_secret = text_eq(item->value, TEXT("yes"));
    else if (text_eq(item->name, TEXT("acl")))
        u->has_acl = text_eq(item->value, TEXT("yes"));
    else if (text_eq(item->name, TEXT("read")))
        u->read = item->value;
    else if (text_eq(item->name, TEXT("write")))
        u->write = item->value;
    u->is_told = u->read.p && u->write.p;
}

int live_users_read(struct live_user **out, size_t *count, struct audit *a)
{
    const struct conf_section *s = live_section(a, "users");
    struct live_user *users;
    size_t n = 0;

    *out = NULL;
    *count = 0;
    if (!s)
        return 0;
    users = arena_take(a->memory, (s->count + 1) * sizeof *users);
    if (!users)
        return -ENOMEM;
    for (size_t i = 0; i < s->count; i++)
        if (text_eq(s->items[i].name, TEXT("user")))
            users[n++] = (struct live_user){ .name = s->items[i].value, .place = s->items[i].place };
        else if (n)
            take(&users[n - 1], &s->items[i]);
    *out = users;
    *count = n;
    return 0;
}

const struct live_user *live_user_of(const struct live_user *users, size_t count, struct text name)
{
    for (size_t i = 0; i < count; i++)
        if (text_eq_nocase(users[i].name, name))
            return &users[i];
    return NULL;
}
