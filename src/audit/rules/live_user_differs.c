/* Rule ST907: a user of the running manager may do something else than the file says. */
#include "audit/rules.h"

#include <stdio.h>

#include "audit/live_users.h"
#include "audit/manager_users.h"

enum { WORDS = 240 };

/* The classes that the one has and the other has not, as "call, log". */
static bool list_beyond(char out[WORDS], struct text have, struct text other)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < MANAGER_CLASSES; i++)
        if (manager_has(have, manager_classes[i]) && !manager_has(other, manager_classes[i]) && n < WORDS)
            n += (size_t)snprintf(out + n, WORDS - n, "%s%s", n ? ", " : "", manager_classes[i]);
    return n > 0;
}

static int compare_rights(struct audit *a, const struct audit_rule *self, const struct manager_user *u, const char *key, struct text file, struct text running)
{
    char words[WORDS];
    int err = 0;

    if (list_beyond(words, running, file))
        err = audit_find(a, self, manager_user_place(u, key), "the running manager gives %.*s more than the file: %s = %s", TEXT_ARG(u->name), key, words);
    if (!err && list_beyond(words, file, running)) {
        err = audit_find(a, self, manager_user_place(u, key), "the running manager gives %.*s less than the file: not %s = %s", TEXT_ARG(u->name), key, words);
        if (!err)
            audit_weigh(a, AUDIT_WARNING);
    }
    return err;
}

static bool has_lists(const struct manager_user *u)
{
    return manager_user_item(u, "deny") || manager_user_item(u, "permit") || manager_user_item(u, "acl");
}

static int compare(struct audit *a, const struct audit_rule *self, const struct manager_user *u, const struct live_user *l)
{
    int err = compare_rights(a, self, u, "read", u->read, l->read);

    if (!err)
        err = compare_rights(a, self, u, "write", u->write, l->write);
    if (!err && has_lists(u) != l->has_acl) {
        err = audit_find(a, self, manager_user_place(u, manager_user_item(u, "deny") ? "deny" : manager_user_item(u, "permit") ? "permit" : "acl"),
                         l->has_acl ? "the running manager has a list of addresses for %.*s, the file none" :
                                      "the running manager lets %.*s in from any address: the file's list of addresses is not in force",
                         TEXT_ARG(u->name));
        if (!err && l->has_acl)
            audit_weigh(a, AUDIT_WARNING);
    }
    if (!err && (u->secret.p != NULL) != l->has_secret) {
        err = audit_find(a, self, manager_user_place(u, "secret"),
                         l->has_secret ? "the running manager has a secret for %.*s, the file none" : "the running manager has no secret for %.*s, the file has one",
                         TEXT_ARG(u->name));
        if (!err && !l->has_secret)
            audit_weigh(a, AUDIT_WARNING);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct live_user *users;
    struct manager m;
    size_t count;
    int err = live_users_read(&users, &count, a);

    if (err || !users)
        return err;
    err = manager_read(&m, a);
    for (size_t i = 0; !err && i < m.user_count; i++) {
        const struct live_user *l = live_user_of(users, count, m.users[i].name);

        if (l && l->is_told)
            err = compare(a, self, &m.users[i], l);
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\n[a]\nsecret = x\nread = call\nwrite = call\n;; file sidetone-live.conf\n"
              "[users]\nuser = a\nsecret = yes\nacl = no\nread = call\nwrite = call,command\n",
      .is_bad = true },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\n[a]\nsecret = x\npermit = 127.0.0.1/32\n;; file sidetone-live.conf\n"
              "[users]\nuser = a\nsecret = yes\nacl = no\nread = <none>\nwrite = <none>\n",
      .is_bad = true },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\n[a]\nsecret = x\nread = call\nwrite = call\n;; file sidetone-live.conf\n"
              "[users]\nuser = a\nsecret = yes\nacl = no\nread = call\nwrite = call\n",
      .is_bad = false },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\n[a]\nsecret = x\nread = call\nwrite = call\n;; file sidetone-live.conf\n[users]\nuser = a\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_live_user_differs = {
    .code = "ST907",
    .name = "live-user-differs",
    .severity = AUDIT_ERROR,
    .summary = "The running manager gives a user other rights than the file.",
    .why = "The file is not in force. A line that is only deleted (read, write, secret) keeps its value over a reload, until a restart or a new value (seen on 22.10.1).",
    .fix = "Write the rights out (write = with nothing behind it takes all away), then asterisk -rx \"manager reload\"",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
