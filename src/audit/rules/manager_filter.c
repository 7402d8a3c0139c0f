/* Rule ST307: A manager user reads the chatty classes without a filter. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager *m, const struct manager_user *u)
{
    (void)m;
    if (!u->secret.p || !manager_has(u->read, "dialplan"))
        return 0;
    for (size_t i = 0; u->own && i < u->own->count; i++)
        for (size_t k = 0; k < u->own->sections[i]->count; k++)
            if (text_starts_nocase(u->own->sections[i]->items[k].name, TEXT("eventfilter")))
                return 0;
    return audit_find(a, self, manager_user_place(u, "read"), "manager user %.*s reads class dialplan and has no eventfilter", TEXT_ARG(u->name));
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
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nread = all\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nread = call,agent\n", .is_bad = false },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\nread = call,dialplan\neventfilter = Event: Hangup\n", .is_bad = false },
};

const struct audit_rule audit_rule_manager_filter = {
    .code = "ST307",
    .name = "manager-no-eventfilter",
    .severity = AUDIT_NOTE,
    .summary = "A manager user reads the chatty classes without a filter.",
    .why = "Newexten and VarSet are sent for every step of every call; a client that cannot follow is disconnected and loses what came meanwhile.",
    .fix = "sidetone tap advise prints the filters that the tap needs.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
