/* Rule ST309: several sections make one manager user. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    (void)m;
    if (!u->own || u->own->count < 2)
        return 0;
    return audit_find(a, self, u->own->sections[u->own->count - 1]->place, "manager user %.*s is made of %zu sections; the first is %s:%u",
                      TEXT_ARG(u->name), u->own->count, u->place.file, u->place.line);
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct manager m;
    int err = manager_read(&m, a);

    for (size_t i = 0; !err && m.is_enabled && i < m.user_count; i++)
        err = check_user(a, self, &m, &m.users[i]);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nread = call\n[A]\nwrite = call\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\n[b]\nsecret = y\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_merged = {
    .code = "ST309",
    .name = "manager-user-merged",
    .severity = AUDIT_WARNING,
    .summary = "Several sections make one manager user.",
    .why = "A later section of the same name changes the same user, also from another file: rights that were taken away in one place come back in the other.",
    .fix = "Write each user once.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
