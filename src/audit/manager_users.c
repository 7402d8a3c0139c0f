/* Reads manager.conf and users.conf as __init_manager of main/manager.c (22.10.1) does. */
#include "audit/manager_users.h"

#include <errno.h>

#include "audit/reach.h"

static struct text first_of(struct text a, struct text b)
{
    return a.p ? a : b;
}

const struct conf_item *manager_user_item(const struct manager_user *u, const char *name)
{
    const struct conf_item *item = settings_item(u->own, name);

    return item ? item : settings_item(u->phone, name);
}

struct conf_place manager_user_place(const struct manager_user *u, const char *name)
{
    const struct conf_item *item = manager_user_item(u, name);

    return item ? item->place : u->place;
}

/* As ast_instring of main/manager.c (22.10.1) finds a word: blanks and case count; a word that is not the last may be the beginning of the class only,
 * so that an empty one is every class (seen). */
static bool is_in(struct text list, struct text class)
{
    ptrdiff_t comma;

    while ((comma = text_find(list, ',')) >= 0) {
        const struct text word = text_head(list, (size_t)comma);

        if (text_starts(class, word))
            return true;
        list = text_skip(list, (size_t)comma + 1);
        if (!list.n)
            return false;
    }
    return text_eq(list, class);
}

bool manager_has(struct text rights, const char *class)
{
    return rights.p && (is_in(rights, TEXT("all")) || is_in(rights, text_of(class)));
}

const char *const manager_classes[MANAGER_CLASSES] = { "system", "call", "log", "verbose", "command", "agent", "user", "config", "dtmf", "reporting",
                                                       "cdr", "dialplan", "originate", "agi", "cc", "aoc", "test", "security", "message" };

static void fill(struct manager_user *u, const struct settings_group *phones_general)
{
    static const char *const names[] = { "secret", "read", "write" };
    struct text *values[] = { &u->secret, &u->read, &u->write };

    for (size_t i = 0; i < 3; i++) {
        *values[i] = settings_value(u->own, names[i]);
        if (!u->phone)
            continue;
        *values[i] = first_of(first_of(*values[i], settings_value(u->phone, names[i])), settings_value(phones_general, names[i]));
        if (i > 0)
            *values[i] = first_of(*values[i], TEXT("all"));     /* -1 until somebody says otherwise */
    }
}

static bool is_general(const struct settings_group *g)
{
    return text_eq_nocase(g->name, TEXT("general"));
}

/* users.conf is read only where it has a manager: few of them. */
static size_t merge(struct manager *m, const struct settings_group *general)
{
    size_t n = 0, k = 0;

    for (size_t i = 0; i < m->sections.count; i++)
        if (!is_general(&m->sections.groups[i]))
            m->users[n++] = (struct manager_user){ .own = &m->sections.groups[i] };
    for (size_t i = 0; i < m->phones.count; i++) {
        const struct settings_group *g = &m->phones.groups[i];

        if (is_general(g) || !settings_is(g, "hasmanager", settings_is(general, "hasmanager", false)))
            continue;
        for (k = 0; k < m->sections.count && !text_eq_nocase(m->sections.groups[k].name, g->name);)
            k++;
        if (k == m->sections.count)
            m->users[n++] = (struct manager_user){ .phone = g };
        for (size_t j = 0; k < m->sections.count && j < n; j++)
            if (m->users[j].own == &m->sections.groups[k])
                m->users[j].phone = g;
    }
    return n;
}

int manager_read(struct manager *out, struct audit *a)
{
    struct manager m = { 0 };
    const struct settings_group *phones_general;

    if (settings_read(&m.sections, a->memory, a->files[AUDIT_MANAGER]) || settings_read(&m.phones, a->memory, a->files[AUDIT_USERS]))
        return -ENOMEM;
    m.general = settings_find(&m.sections, "general");
    m.is_enabled = settings_is(m.general, "enabled", false);
    m.bind = settings_value(m.general, "bindaddr");
    m.users = arena_take(a->memory, (m.sections.count + m.phones.count + 1) * sizeof *m.users);
    if (!m.users)
        return -ENOMEM;
    phones_general = settings_find(&m.phones, "general");
    m.user_count = merge(&m, phones_general);
    for (size_t i = 0; i < m.user_count; i++) {
        struct manager_user *u = &m.users[i];
        const struct settings_group *g = u->own ? u->own : u->phone;

        u->name = g->name;
        u->place = g->sections[0]->place;
        fill(u, phones_general);
    }
    *out = m;
    return 0;
}

bool manager_is_local(const struct manager *m)
{
    for (size_t i = 0; i < m->user_count; i++) {
        struct reach_lists lists;

        reach_lists_read(&lists, m->users[i].own);
        if (lists.lets_others || lists.lets_all4 || (lists.lets_all6 && reach_has_ipv6(m->bind)))
            return false;
    }
    return m->user_count > 0;
}
