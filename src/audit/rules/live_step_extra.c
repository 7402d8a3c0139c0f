/* Rule ST910: a context has extensions or steps loaded that the files do not have. */
#include "audit/rules.h"

#include "audit/live_steps.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct live_differences *all;
    int err = live_steps_compare(&all, a);

    for (size_t i = 0; !err && !live_is_unsure(a, AUDIT_EXTENSIONS) && i < all->loaded_only_count; i++) {
        char words[400];

        live_difference_write(&all->loaded_only[i], words, sizeof words);
        err = audit_find(a, self, all->loaded_only[i].place, "context \"%.*s\" has %s loaded that extensions.conf does not have",
                         TEXT_ARG(all->loaded_only[i].context), words);
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Hangup()\n"
              ";; file sidetone-live.conf\n[contexts]\ncontext = a\n[steps]\ncontext = a\n"
              "extension = 1\nstep = 1 556f4485e52f5632 Hangup\nextension = 2\nstep = 1 556f4485e52f5632 Hangup\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Hangup()\n"
              ";; file sidetone-live.conf\n[contexts]\ncontext = a\n[steps]\ncontext = a\n"
              "extension = 1\nstep = 1 556f4485e52f5632 Hangup\nstep = 2 556f4485e52f5632 Hangup\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Hangup()\n"
              ";; file sidetone-live.conf\n[contexts]\ncontext = a\n[steps]\ncontext = a\n"
              "extension = 1\nstep = 1 556f4485e52f5632 Hangup\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Hangup()\n"
              ";; file sidetone-live.conf\n[contexts]\ncontext = a\n[steps]\ncontext = a\n"
              "extension = 1\nstep = 1 663ef82105f4410d Answer\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_live_step_extra = {
    .code = "ST910",
    .name = "live-step-in-no-file",
    .severity = AUDIT_WARNING,
    .summary = "A context has extensions or steps loaded that the files do not have.",
    .why = "They were removed from the file and not read again, or added by hand (dialplan add extension). Calls still reach them, and the next reload takes them away.",
    .fix = "asterisk -rx \"dialplan reload\", or write them into extensions.conf",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
