/* Rule ST404: an ARI user that may act can come from anywhere. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int check_user(struct audit *a, const struct audit_rule *self, const struct settings_group *g)
{
    struct reach_lists lists;

    reach_lists_read(&lists, g);
    if (!text_eq_nocase(settings_value(g, "type"), TEXT("user")) || settings_is(g, "read_only", false) || !lists.lets_all4)
        return 0;
    return audit_find(a, self, g->sections[0]->place, "ARI user %.*s may act, and from any address", TEXT_ARG(g->name));
}

/* [/ari] with type = restriction in http.conf lets some addresses in only. */
static bool is_restricted(const struct settings *http)
{
    for (size_t i = 0; i < http->count; i++) {
        const struct settings_group *g = &http->groups[i];
        struct reach_lists lists;

        if (!text_eq_nocase(settings_value(g, "type"), TEXT("restriction")) || (!text_eq(g->name, TEXT("/ari")) && !text_eq(g->name, TEXT("/"))))
            continue;
        reach_lists_read(&lists, g);
        if (!lists.lets_all4)
            return true;
    }
    return false;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    struct rule_http http;
    struct settings all;
    int err = rule_http(a, &http);

    if (err || !http.is_enabled || http.reach == REACH_LOOPBACK)
        return err;
    err = settings_read(&all, a->memory, a->files[AUDIT_HTTP]);
    if (err || is_restricted(&all))
        return err;
    err = settings_read(&all, a->memory, a->files[AUDIT_ARI]);
    for (size_t i = 0; !err && i < all.count; i++)
        err = check_user(a, self, &all.groups[i]);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "ari.conf",
      .text = "[a]\ntype = user\npassword = x\n;; file http.conf\n[general]\n"
              "enabled = yes\nbindaddr = 0.0.0.0\n",
      .is_bad = true },
    { .file = "ari.conf",
      .text = "[a]\ntype = user\npassword = x\nread_only = yes\n;; file http.conf\n"
              "[general]\nenabled = yes\nbindaddr = 0.0.0.0\n",
      .is_bad = false },
    { .file = "ari.conf",
      .text = "[a]\ntype = user\npassword = x\ndeny = 0.0.0.0/0\npermit = 10.0.0.5\n"
              ";; file http.conf\n[general]\nenabled = yes\nbindaddr = 0.0.0.0\n",
      .is_bad = false },
    { .file = "ari.conf",
      .text = "[a]\ntype = user\npassword = x\n;; file http.conf\n[general]\n"
              "enabled = yes\nbindaddr = 127.0.0.1\n",
      .is_bad = false },
    { .file = "ari.conf",
      .text = "[a]\ntype = user\npassword = x\n;; file http.conf\n[general]\nenabled = yes\nbindaddr = 0.0.0.0\n[/ari]\ntype = restriction\n"
              "deny = 0.0.0.0/0\npermit = 10.0.0.5\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_ari_writable = {
    .code = "ST404",
    .name = "ari-user-may-write",
    .severity = AUDIT_WARNING,
    .summary = "An ARI user that may act can log in from any address.",
    .why = "Such a user can originate calls, load and unload modules, write the log's settings and make SIP endpoints "
           "(/asterisk/config/dynamic): a guessed password is the whole machine.",
    .fix = "Give it its address: deny = 0.0.0.0/0.0.0.0, then permit = 10.0.0.5/32; or read_only = yes where it only "
           "listens.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
