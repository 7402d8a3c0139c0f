/* Rule ST001: a configuration file, or a part of it, that Asterisk cannot read. */
#include "audit/rules.h"

#include <errno.h>
#include <stdio.h>

static int check_missing(struct audit *a, const struct audit_rule *self, enum audit_file f)
{
    const char *why = a->file_errors[f] == -ENOLINK ? "it is a link to a file that is not there" : err_text(a->file_errors[f]);
    struct conf_place place = { .line = 1, .column = 1 };
    char path[512];

    if (a->files[f] || a->file_errors[f] == -ENOENT)
        return 0;
    snprintf(path, sizeof path, "%s/%s", a->opt.folder, audit_file_name(f));
    place.file = arena_text(a->memory, text_of(path));
    return place.file ? audit_find(a, self, place, "%s cannot be read: %s", audit_file_name(f), why) : -ENOMEM;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    for (size_t f = 0; f < AUDIT_FILE_COUNT; f++) {
        const struct conf *c = a->files[f];
        int err = check_missing(a, self, (enum audit_file)f);

        for (size_t i = 0; !err && c && i < c->problem_count; i++) {
            err = audit_find(a, self, c->problems[i].place, "%s", c->problems[i].message);
            if (!err && c->problems[i].severity == CONF_WARNING)
                audit_weigh(a, AUDIT_WARNING);
        }
        if (err)
            return err;
    }
    return 0;
}

static const struct audit_rule_example examples[] = {
    { .file = "manager.conf", .text = "[general]\n#include \"users/*.conf\n#include missing.conf\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n;-- never closed\nexten => 2,1,Hangup()\n", .is_bad = true },
    { .file = "extensions.conf", .text = "[a]\nexten => 1,1,Hangup()\n#tryinclude missing.conf\n", .is_bad = false },
};

const struct audit_rule audit_rule_unreadable_file = {
    .code = "ST001",
    .name = "unreadable-file",
    .severity = AUDIT_ERROR,
    .summary = "A configuration file, or a part of it, cannot be read as it was meant.",
    .why = "Asterisk refuses a whole file when an #include in it is missing and keeps what it had loaded before; a block comment that is never "
           "closed silently swallows the rest of the file (main/config.c of 22.10.1).",
    .fix = "Correct the line, or write #tryinclude where the file may be missing.",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
