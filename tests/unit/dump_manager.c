/* Prints whom the auditor takes for a manager user of a folder, one a line: name, whether there is a secret, whether there are lists of addresses,
 * read and write classes, between tabs. usage: dump_manager FOLDER */
#include <stdio.h>

#include "audit/audit.h"
#include "audit/manager_users.h"
#include "audit/reach.h"

static void print_classes(struct text rights)
{
    putchar('\t');
    for (size_t i = 0; i < MANAGER_CLASSES; i++)
        if (manager_has(rights, manager_classes[i]))
            printf("%s,", manager_classes[i]);
}

int main(int argc, char **argv)
{
    const struct audit_options opt = { .folder = argc > 1 ? argv[1] : "." };
    struct manager m;
    struct audit *a;
    int err = audit_open(&a, &opt);

    if (!err)
        err = manager_read(&m, a);
    if (err) {
        fprintf(stderr, "%s: %s\n", opt.folder, err_text(err));
        return 1;
    }
    for (size_t i = 0; i < m.user_count; i++) {
        const struct manager_user *u = &m.users[i];
        struct reach_lists lists;

        reach_lists_read(&lists, u->own);
        printf("%.*s\t%s\t%s", TEXT_ARG(u->name), u->secret.p ? "yes" : "no", lists.count ? "yes" : "no");
        print_classes(u->read);
        print_classes(u->write);
        putchar('\n');
    }
    audit_free(a);
    return 0;
}
