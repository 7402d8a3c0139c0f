/* One job: write one problem of the configuration. */
#include "cli/problems.h"

static const char *severity_name(const struct config_problem *p)
{
    return p->severity == CONF_WARNING ? "warning" : "error";
}

void problem_print(const struct config_problem *p, void *to)
{
    fprintf(to, "%s", p->file);
    if (p->line)
        fprintf(to, ":%u", p->line);
    fprintf(to, ": %s%s%s%s\n", p->severity == CONF_WARNING ? "warning: " : "", p->where, *p->where ? ": " : "", p->message);
}

static void add_text(struct buf *out, const char *key, const char *value)
{
    buf_addf(out, "\"%s\":\"", key);
    buf_add_json(out, text_of(value));
    buf_add_char(out, '"');
}

void problem_json(const struct config_problem *p, struct buf *out)
{
    buf_add_char(out, '{');
    add_text(out, "file", p->file);
    buf_addf(out, ",\"line\":%u,", p->line);
    add_text(out, "severity", severity_name(p));
    buf_add_char(out, ',');
    add_text(out, "where", p->where);
    buf_add_char(out, ',');
    add_text(out, "message", p->message);
    buf_add_char(out, '}');
}
