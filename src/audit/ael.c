/* Reads extensions.ael into the dialplan. */
#include "audit/ael.h"

#include <errno.h>

#include "audit/ael_tree.h"

/* Of the nodes and unnumbered steps; they are gone when the dialplan stands. */
enum { AEL_MEMORY_MAX = 1 << 30 };

static bool is_switched_off(const struct audit *a)
{
    const struct conf *c = a->files[AUDIT_MODULES];

    for (size_t i = 0; c && i < c->section_count; i++) {
        const struct conf_section *s = c->sections + i;

        for (size_t k = 0; k < s->count && text_eq_nocase(s->name, TEXT("modules")); k++)
            if (text_eq_nocase(s->items[k].name, TEXT("noload")) &&
                (text_eq_nocase(s->items[k].value, TEXT("pbx_ael.so")) || text_eq_nocase(s->items[k].value, TEXT("pbx_ael"))))
                return true;
    }
    return false;
}

static void read_all(struct ael_tree *t, const struct audit *a)
{
    struct ael_labels labels = { .labels = { .count = 0 } };

    ael_parse(t);
    if (!t->b->err && ael_check(t, &labels))
        ael_compile(t, &labels, a);
}

int ael_read(struct dialplan_build *b, struct audit *a)
{
    struct ael_tree t = { .b = b };
    int err;

    if (is_switched_off(a))
        return 0;
    b->origin = DIALPLAN_AEL;
    err = ael_lexer_open(&t.lexer, b, a);
    if (err)
        return err == -ENOMEM ? err : 0; /* not there, or not readable */
    err = arena_new(&t.memory, AEL_MEMORY_MAX);
    if (!err) {
        read_all(&t, a);
        err = b->err;
    }
    ael_lexer_close(&t.lexer);
    arena_free(t.memory);
    return err;
}
