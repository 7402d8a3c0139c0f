/* What rules about settings share: sections of one type, the section [general], and the state of Asterisk's HTTP server. */
#pragma once

#include "audit/audit.h"
#include "audit/reach.h"
#include "audit/settings.h"

/* Called with a section as it stands, not merged with others of its name: pjsip.conf names an endpoint, its auth and its aor alike. */
typedef int each_section(struct audit *a, const struct audit_rule *self, const struct conf_section *s);

/* Sections that are no template; of that type= where type is not NULL. Until one gives an error. */
int rule_each_section(struct audit *a, const struct audit_rule *self, enum audit_file f, const char *type, each_section *visit) MUST_USE;
/* The last value of that name in the section; absent when not set. */
struct text section_value(const struct conf_section *s, const char *name);
/* Where it is set, else where the section begins. */
struct conf_place section_place(const struct conf_section *s, const char *name);

/* Is the word in that array of names? The case does not count. */
#define RULE_AMONG(word, list) rule_is_among(word, list, sizeof list / sizeof *list)
bool rule_is_among(struct text word, const char *const *list, size_t n);

/* The finding made last is of this rule and this line: a template's line is told once, not for each section that inherits it. */
bool rule_told(const struct audit *a, const struct audit_rule *self, struct conf_place place);

/* The merged section of that name; *out is NULL where the file or the section is missing. 0 or -ENOMEM. */
int rule_group(struct audit *a, enum audit_file f, const char *name, const struct settings_group **out) MUST_USE;

struct rule_http {
    const struct settings_group *general; /* NULL: there is none */
    bool is_enabled;               /* it needs a bindaddr, too */
    enum reach reach;              /* of the plain port */
};
int rule_http(struct audit *a, struct rule_http *out) MUST_USE;
