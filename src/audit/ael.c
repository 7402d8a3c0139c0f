/* Reads extensions.ael into the dialplan. */
#include "audit/ael.h"

#include <errno.h>

#include "audit/ael_tree.h"
#include "audit/modules.h"

/* Of the nodes and unnumbered steps; they are gone when the dialplan stands. */
enum { AEL_MEMORY_MAX = 1 << 30 };

static void read_all(struct ael_tree *t, const struct audit *a)
{
    struct ael_labels labels = { .labels = { .count = 0 } };

    ael_parse(t);
    if (!t->b->err && ael_check(t, &labels))
        ael_compile(t, &labels, a);
}

/* Not being there is no problem. */
static int unread(struct dialplan_build *b, const struct audit *a, int err)
{
    struct conf_place place = { .line = 1, .column = 1 };

    if (err == -ENOMEM || err == -ENOENT)
        return err == -ENOMEM ? err : 0;
    place.file = ael_text(b, "%s/extensions.ael", a->opt.folder).p;
    if (place.file)
        dialplan_problem_put(b, DIALPLAN_SKIPPED, place, ael_text(b, "extensions.ael cannot be read: %s", err_text(err)).p);
    return b->err;
}

int ael_read(struct dialplan_build *b, struct audit *a)
{
    struct ael_tree t = { .b = b };
    int err;

    if (modules_noload(a, "pbx_ael"))
        return 0;
    b->origin = DIALPLAN_AEL;
    err = ael_lexer_open(&t.lexer, b, a);
    if (err)
        return unread(b, a, err);
    err = arena_new(&t.memory, AEL_MEMORY_MAX);
    if (!err) {
        read_all(&t, a);
        err = b->err;
    }
    ael_lexer_close(&t.lexer);
    arena_free(t.memory);
    return err;
}
