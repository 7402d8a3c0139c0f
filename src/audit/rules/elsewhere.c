/* Looks for what may stand in for a file. */
#include "audit/rules/elsewhere.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

bool rule_is_realtime(const struct audit *a, const char *family)
{
    const struct conf *c = a->files[AUDIT_EXTCONFIG];

    for (size_t i = 0; c && i < c->section_count; i++)
        for (size_t k = 0; k < c->sections[i].count; k++)
            if (text_starts_nocase(c->sections[i].items[k].name, text_of(family)))
                return true;
    return false;
}

bool rule_has_hole(const struct audit *a, enum audit_file f)
{
    const struct conf *c = a->files[f];

    for (size_t i = 0; c && i < c->directive_count; i++)
        if (c->directives[i].kind == CONF_EXEC)
            return true;
    return c && c->error_count > 0;
}

/* Has that file anything in it that counts? */
static int is_filled(struct audit *a, const char *name, const char *prefix, bool *out)
{
    struct conf *c = NULL;
    char *path = NULL;
    int err;

    if (asprintf(&path, "%s/%s", a->opt.folder, name) < 0)
        return -ENOMEM;
    err = conf_load(&c, path, a->opt.source);
    for (size_t i = 0; !err && i < c->section_count; i++)
        *out |= c->sections[i].count && text_starts_nocase(c->sections[i].name, text_of(prefix));
    conf_free(c);
    free(path);
    return err == -ENOMEM ? err : 0;
}

int rule_sip_elsewhere(struct audit *a, bool *out)
{
    int err;

    *out = rule_is_realtime(a, "ps_") || rule_has_hole(a, AUDIT_PJSIP);
    err = is_filled(a, "sorcery.conf", "res_pjsip", out);
    return err ? err : is_filled(a, "pjsip_wizard.conf", "", out);
}
