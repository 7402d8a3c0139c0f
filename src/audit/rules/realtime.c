/* Rule ST529: a file is not what Asterisk reads. */
#include "audit/rules.h"

#include "audit/rules/sections.h"

static int visit(struct audit *a, const struct audit_rule *self, const struct conf_section *s)
{
    int err = 0;

    if (!text_eq_nocase(s->name, TEXT("settings")))
        return 0;
    for (size_t i = 0; !err && i < s->count; i++)
        for (int f = 0; !err && f < AUDIT_FILE_COUNT; f++)
            if (a->files[f] && text_eq_nocase(s->items[i].name, text_of(audit_file_name((enum audit_file)f))))
                err = audit_find(a, self, s->items[i].place, "a database stands in for %s: the file beside it, which is judged here, is not read",
                                 audit_file_name((enum audit_file)f));
    return err;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    return rule_each_section(a, self, AUDIT_EXTCONFIG, NULL, visit);
}

static const struct audit_rule_example examples[] = {
    { .file = "extconfig.conf",
      .text = "[settings]\nqueues.conf => odbc,asterisk,ast_config\n;; file queues.conf\n"
              "[q]\nstrategy = ringall\n",
      .is_bad = true },
    { .file = "extconfig.conf",
      .text = "[settings]\nqueues => odbc,asterisk\n;; file queues.conf\n[q]\n"
              "strategy = ringall\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_realtime = {
    .code = "ST529",
    .name = "realtime-instead",
    .severity = AUDIT_NOTE,
    .summary = "A database stands in for a file that is there as well.",
    .why = "With a line NAME.conf => driver,... Asterisk reads that file's content from the database and never opens the "
           "file: what it says, and what is said about it here, does not count.",
    .fix = "Remove the file, or the line; asterisk -rx 'core show config mappings' tells what is in force.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
