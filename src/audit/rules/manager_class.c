/* Rule ST314: a word of read or write is not the class that it looks like. */
#include "audit/rules.h"

#include "audit/manager_users.h"

static bool is_class(struct text word)
{
    for (size_t i = 0; i < MANAGER_CLASSES; i++)
        if (text_eq(word, text_of(manager_classes[i])))
            return true;
    return text_eq(word, TEXT("all")) || text_eq(word, TEXT("none"));
}

/* Of a word with a comma behind it the beginning is enough. */
static const char *begins(struct text word)
{
    for (size_t i = 0; i < MANAGER_CLASSES; i++)
        if (text_starts(text_of(manager_classes[i]), word))
            return manager_classes[i];
    return NULL;
}

static int check_word(struct audit *a, const struct audit_rule *self, const struct manager_user *u, const char *key, struct text word, bool is_last)
{
    const struct conf_place place = manager_user_place(u, key);
    const char *class = begins(word);
    int err;

    if (is_class(word) || (is_last && !word.n))
        return 0;
    if (is_last || !class)
        return audit_find(a, self, place, "\"%.*s\" in %s of manager user %.*s is no class: blanks and case count, and it grants nothing", TEXT_ARG(word), key,
                          TEXT_ARG(u->name));
    err = word.n ? audit_find(a, self, place, "\"%.*s\" in %s of manager user %.*s is taken for every class that begins so: %s", TEXT_ARG(word), key,
                              TEXT_ARG(u->name), class)
                 : audit_find(a, self, place, "the empty word in %s of manager user %.*s is taken for every class: all rights", key, TEXT_ARG(u->name));
    if (!err)
        audit_weigh(a, AUDIT_ERROR);
    return err;
}

static int check_user(struct audit *a, const struct audit_rule *self, const struct manager_user *u)
{
    static const char *const keys[] = { "read", "write" };
    int err = 0;

    for (size_t i = 0; i < 2; i++) {
        struct text rest = i == 0 ? u->read : u->write, word;

        while (!err && text_cut(&rest, ',', &word))
            err = check_word(a, self, u, keys[i], word, !rest.p || !rest.n);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct manager m;
    int err = manager_read(&m, a);

    for (size_t i = 0; !err && m.is_enabled && i < m.user_count; i++)
        err = check_user(a, self, &m.users[i]);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\nread = call, agent\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\nwrite = call,,agent\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\nwrite = sys,call\n", .is_bad = true },
    { .file = "manager.conf", .text = "[general]\nenabled = yes\n[a]\nsecret = x\nread = Call\n", .is_bad = true },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\n[a]\nsecret = x\nread = call,agent,\n"
              "write =\n[b]\nsecret = y\nread = all\nwrite = none\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_manager_class = {
    .code = "ST314",
    .name = "manager-class-misread",
    .severity = AUDIT_WARNING,
    .summary = "A word in read or write of a manager user is not the class that it looks like.",
    .why = "Asterisk compares each word with its blanks and its case; of a word with a comma behind it the beginning is "
           "enough, so that \"sys,\" is system, and an empty word is every class there is (ast_instring of main/manager.c; "
           "seen on 22.10.1).",
    .fix = "Write the classes without blanks and without an empty place: read = call,agent",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
