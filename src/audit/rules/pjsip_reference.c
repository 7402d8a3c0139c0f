/* Rule ST531: an object of pjsip.conf names another one that is not there. */
#include "audit/rules.h"

#include <errno.h>
#include <stdlib.h>

#include "audit/rules/elsewhere.h"
#include "audit/rules/sections.h"

struct object {
    struct text type, name;
};

struct objects {
    struct object *all;            /* in order */
    size_t count;
};

static int compare(const void *x, const void *y)
{
    const struct object *a = x, *b = y;
    const int order = text_order(a->type, b->type);

    return order ? order : text_order(a->name, b->name);
}

static int objects_read(struct objects *o, struct audit *a)
{
    const struct conf *c = a->files[AUDIT_PJSIP];

    o->all = arena_take(a->memory, (c->section_count + 1) * sizeof *o->all);
    if (!o->all)
        return -ENOMEM;
    for (size_t i = 0; i < c->section_count; i++)
        if (!c->sections[i].is_template)
            o->all[o->count++] = (struct object){ .type = section_value(&c->sections[i], "type"), .name = c->sections[i].name };
    qsort(o->all, o->count, sizeof *o->all, compare);
    return 0;
}

static bool is_there(const struct objects *o, const char *type, struct text name)
{
    const struct object wanted = { .type = text_of(type), .name = name };

    return o->count && bsearch(&wanted, o->all, o->count, sizeof *o->all, compare);
}

static const struct reference {
    const char *of, *setting, *to, *outcome;
} references[] = {
    { "endpoint", "aors", "aor", "nobody can register or be called there" },
    { "endpoint", "auth", "auth", "every call of it is refused" },
    { "endpoint", "outbound_auth", "auth", "it cannot answer a challenge" },
    { "endpoint", "transport", "transport", "calls to it fail" },
    { "identify", "endpoint", "endpoint", "calls from there are not recognised" },
    { "registration", "outbound_auth", "auth", "it cannot answer a challenge" },
    { "registration", "transport", "transport", "it is not sent" },
};

static int look(struct audit *a, const struct audit_rule *self, const struct objects *o, const struct conf_section *s, const struct reference *r)
{
    struct text rest = section_value(s, r->setting), one;
    int err = 0;

    while (!err && rest.n && text_cut(&rest, ',', &one)) {
        const struct conf_place place = section_place(s, r->setting);

        one = text_trim(one);
        if (one.n && !is_there(o, r->to, one) && !rule_told(a, self, place))
            err = audit_find(a, self, place, "%s %.*s names %s \"%.*s\", which is not there: %s", r->of, TEXT_ARG(s->name), r->to, TEXT_ARG(one), r->outcome);
    }
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct conf *c = a->files[AUDIT_PJSIP];
    struct objects o = { .count = 0 };
    bool is_elsewhere = false;
    int err = c ? rule_sip_elsewhere(a, &is_elsewhere) : 0;

    if (err || !c || is_elsewhere)
        return err;
    err = objects_read(&o, a);
    for (size_t i = 0; !err && i < c->section_count; i++)
        for (size_t k = 0; !err && !c->sections[i].is_template && k < sizeof references / sizeof *references; k++)
            if (text_eq_nocase(section_value(&c->sections[i], "type"), text_of(references[k].of)))
                err = look(a, self, &o, &c->sections[i], &references[k]);
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\naors = 101\n[100]\ntype = aor\n", .is_bad = true },
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\nauth = 100\n[100]\ntype = aor\n", .is_bad = true },
    { .file = "pjsip.conf", .text = "[trunk]\ntype = identify\nendpoint = trunc\nmatch = 192.0.2.1\n", .is_bad = true },
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\naors = 100, 101\nauth = 100\n[100]\ntype = aor\n[101]\ntype = aor\n[100]\ntype = auth\n", .is_bad = false },
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\naors = 101\n;; file extconfig.conf\n[settings]\nps_aors => odbc,asterisk\n", .is_bad = false },
    { .file = "pjsip.conf", .text = "[100]\ntype = endpoint\naors = 101\n;; file pjsip_wizard.conf\n[101]\ntype = wizard\n", .is_bad = false },
};

const struct audit_rule audit_rule_pjsip_reference = {
    .code = "ST531",
    .name = "sip-reference-missing",
    .severity = AUDIT_ERROR,
    .summary = "A section of pjsip.conf names an aor, auth, transport or endpoint that is not there.",
    .why = "Asterisk takes the name as it stands and finds out at the first call: registrations are answered 404, calls 401 or 403 for ever, outgoing calls fail "
           "(res/res_pjsip of 22.10.1).",
    .fix = "Correct the name, or write the section: [100] with type = aor.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
