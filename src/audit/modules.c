/* Looks into modules.conf. */
#include "audit/modules.h"

const struct conf_item *modules_noload(const struct audit *a, const char *module)
{
    const struct conf *c = a->files[AUDIT_MODULES];

    for (size_t i = 0; c && i < c->section_count; i++)
        for (size_t k = 0; k < c->sections[i].count && text_eq_nocase(c->sections[i].name, TEXT("modules")); k++) {
            const struct conf_item *item = &c->sections[i].items[k];
            struct text name = item->value;

            if (text_ends(name, TEXT(".so")))
                name.n -= 3;
            if (text_eq_nocase(item->name, TEXT("noload")) && text_eq_nocase(name, text_of(module)))
                return item;
        }
    return NULL;
}
