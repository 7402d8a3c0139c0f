/* Rule ST911: extensions or steps of extensions.conf are not loaded, or with other arguments. */
#include "audit/rules.h"

#include "audit/live_steps.h"

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct live_differences *all;
    int err = live_steps_compare(&all, a);

    for (size_t i = 0; !err && i < all->file_only_count; i++) {
        char words[400];

        live_difference_write(&all->file_only[i], words, sizeof words);
        err = audit_find(a, self, all->file_only[i].place, "%s of context \"%.*s\" %s not loaded as the file has %s", words, TEXT_ARG(all->file_only[i].context),
                         all->file_only[i].extensions + all->file_only[i].steps == 1 ? "is" : "are",
                         all->file_only[i].extensions + all->file_only[i].steps == 1 ? "it" : "them");
    }
    return err;
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Hangup()\nexten => 2,1,Hangup()\n"
              ";; file sidetone-live.conf\n[contexts]\ncontext = a\n[steps]\ncontext = a\n"
              "extension = 1\nstep = 1 556f4485e52f5632 Hangup\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Hangup()\n"
              ";; file sidetone-live.conf\n[contexts]\ncontext = a\n[steps]\ncontext = a\n"
              "extension = 1\nstep = 1 663ef82105f4410d Answer\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Hangup()\n"
              ";; file sidetone-live.conf\n[contexts]\ncontext = a\n[steps]\ncontext = a\n"
              "extension = 1\nstep = 1 556f4485e52f5632 Hangup\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Hangup()\n[b]\nexten => 1,1,Hangup()\n"
              ";; file sidetone-live.conf\n[contexts]\ncontext = a\n[steps]\ncontext = a\n"
              "extension = 1\nstep = 1 556f4485e52f5632 Hangup\nextension = 2\nstep = 1 556f4485e52f5632 Hangup\n",
      .is_bad = false },
};

const struct audit_rule audit_rule_live_step_missing = {
    .code = "ST911",
    .name = "live-step-not-loaded",
    .severity = AUDIT_WARNING,
    .summary = "Extensions or steps of extensions.conf are not loaded, or with other arguments.",
    .why = "The file was changed and not read again: calls do what the file said before.",
    .fix = "asterisk -rx \"dialplan reload\", and look into Asterisk's log",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
