/* Rule ST590: a setting that a published hole needs. */
#include "audit/rules.h"

#include "audit/manager_users.h"
#include "audit/rules/sections.h"
#include "audit/version.h"

/* The releases that closed it: one of each line; every later line has it. Found as "Resolves: #GHSA-..." in the commits of the tags. */
struct advisory {
    const char *id, *what;
    const char *fixed[5];
};

static const struct advisory read_only = { "GHSA-wcvv-g26m-wx5c", "read_only users could act over REST in the WebSocket", { "20.20.1", "21.12.3", "22.10.1", "23.4.1" } };
static const struct advisory ari_functions = { "GHSA-vrfp-mg3q-3959", "ARI reached SHELL() and FILE() whatever live_dangerously said", { "20.20.1", "21.12.3", "22.10.1", "23.4.1" } };
static const struct advisory error_page = { "GHSA-4pgv-j3mr-3rcp", "the error page gave back script of the request", { "20.20.1", "21.12.3", "22.10.1", "23.4.1" } };
static const struct advisory status_page = { "GHSA-v6hp-wh3r-cwxh", "the status page gave back script of the request", { "20.18.2", "21.12.1", "22.8.2", "23.2.2" } };
static const struct advisory list_files = { "GHSA-33x6-fj46-6rfh (CVE-2024-53566)", "ListCategories read files outside of the folder", { "18.26.1", "20.11.1", "21.6.1", "22.1.1", "23.0.0" } };
static const struct advisory originate = { "GHSA-c4cg-9275-6w44 (CVE-2024-42365)", "Originate wrote files and ran commands with class originate alone", { "18.24.2", "20.9.2", "21.4.2", "22.0.0" } };
static const struct advisory dtls = { "GHSA-hxj9-xwr8-w8pq (CVE-2023-49786)", "a stranger's DTLS packet ended the call's encryption", { "18.20.1", "20.5.1", "21.0.1", "22.0.0" } };
static const struct advisory message_name = { "GHSA-2grh-7mhv-fcfw", "control characters in the name of a message's sender reached the log and the dialplan", { "18.26.2", "20.14.1", "21.9.1", "22.4.1", "23.0.0" } };
static const struct advisory identity = { "GHSA-mrq5-74j5-f5cr", "a damaged Identity header crashed Asterisk", { "18.26.3", "20.15.1", "21.10.1", "22.5.1", "23.0.0" } };

static int64_t version_of(const char *text)
{
    struct audit_version v;

    return audit_version_read(&v, text_of(text)) ? audit_version_number(&v) : 0;
}

/* Known to be closed: more than the line is told, and it is not older than the release of its line. */
static bool is_closed(const char *version, const struct advisory *v)
{
    struct audit_version told = { 0 };
    int64_t newest = 0, have;

    if (!audit_version_read(&told, text_of(version)) || told.count == 1)
        return false;
    have = audit_version_number(&told);
    for (size_t i = 0; i < 5 && v->fixed[i]; i++) {
        const int64_t fixed = version_of(v->fixed[i]);

        newest = fixed > newest ? fixed : newest;
        if (fixed / 1000000 == told.parts[0])
            return have >= fixed;
    }
    return have > newest;
}

static int tell(struct audit *a, const struct audit_rule *self, const struct advisory *v, struct conf_place place)
{
    struct audit_version told = { 0 };
    const int64_t line = audit_version_read(&told, text_of(a->opt.version)) ? told.parts[0] : 0;
    const char *fixed = v->fixed[0];

    if (is_closed(a->opt.version, v))
        return 0;
    for (size_t i = 0; i < 5 && v->fixed[i]; i++)
        if (version_of(v->fixed[i]) / 1000000 == line)
            fixed = v->fixed[i];
    if (version_of(fixed) == line * 1000000)
        return 0; /* no release of this line has it */
    return audit_find(a, self, place, "before Asterisk %s %s: %s", fixed, v->what, v->id);
}

static int look_at_manager(struct audit *a, const struct audit_rule *self)
{
    struct manager m;
    int err = manager_read(&m, a);

    for (size_t i = 0; !err && m.is_enabled && i < m.user_count; i++) {
        const struct manager_user *u = &m.users[i];

        if (u->secret.p && manager_has(u->write, "config"))
            err = tell(a, self, &list_files, manager_user_place(u, "write"));
        if (!err && u->secret.p && manager_has(u->write, "originate"))
            err = tell(a, self, &originate, manager_user_place(u, "write"));
    }
    return err;
}

static int look_at_web(struct audit *a, const struct audit_rule *self)
{
    struct rule_http http;
    struct settings all;
    int err = rule_http(a, &http);

    if (err || !http.is_enabled)
        return err;
    err = tell(a, self, &error_page, settings_place(http.general, "enabled"));
    if (!err && settings_is(http.general, "enable_status", false))
        err = tell(a, self, &status_page, settings_place(http.general, "enable_status"));
    if (!err)
        err = settings_read(&all, a->memory, a->files[AUDIT_ARI]);
    for (size_t i = 0; !err && i < all.count; i++)
        if (text_eq_nocase(settings_value(&all.groups[i], "type"), TEXT("user")))
            err = tell(a, self, settings_is(&all.groups[i], "read_only", false) ? &read_only : &ari_functions,
                       settings_place(&all.groups[i], "read_only"));
    return err;
}

static int look_at_endpoint(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    int err = 0;

    if (text_eq_nocase(section_value(s, "media_encryption"), TEXT("dtls")) || settings_is_true(section_value(s, "webrtc")))
        err = tell(a, self, &dtls, s->place);
    if (!err && section_value(s, "message_context").n)
        err = tell(a, self, &message_name, section_place(s, "message_context"));
    if (!err && section_value(s, "stir_shaken").n && !text_eq_nocase(section_value(s, "stir_shaken"), TEXT("no")))
        err = tell(a, self, &identity, section_place(s, "stir_shaken"));
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    int err = look_at_manager(a, self);

    if (!err)
        err = look_at_web(a, self);
    return err ? err : rule_each_section(a, self, AUDIT_PJSIP, "endpoint", look_at_endpoint);
}

static const struct audit_rule_example examples[] = {
    { .file = "ari.conf",
      .text = "[a]\ntype = user\npassword = x\nread_only = yes\n;; file http.conf\n"
              "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n",
      .is_bad = true },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\n"
              "write = config\n",
      .is_bad = true },
    { .file = "pjsip.conf", .text = "[a]\ntype = endpoint\ncontext = x\nmessage_context = y\n", .is_bad = true },
    { .file = "manager.conf",
      .text = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = x\n"
              "write = call\n;; file http.conf\n[general]\nenabled = no\n"
              "bindaddr = 127.0.0.1\n",
      .is_bad = false },
    { .file = "pjsip.conf", .text = "[a]\ntype = endpoint\ncontext = x\nwebrtc = yes\n", .is_bad = false },
};

const struct audit_rule audit_rule_known_advisory = {
    .code = "ST590",
    .name = "known-advisory",
    .severity = AUDIT_NOTE,
    .summary = "A setting is what a published security hole needs; the release that closed it is named.",
    .why = "The hole is there only with such a setting. Advisories and releases are those of the project's repository: the "
           "commit that resolves the advisory, and the first tag that holds it.",
    .fix = "Run that release or a later one (asterisk -V), or do without the setting.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
