/* The part of the page about AGI: where it is used, what each script does, what to do with it. */
#include "audit/html.h"

/* What follows "?" in an address may be a secret, and so may what stands before "@". */
static void add_target(struct buf *out, struct text target)
{
    const ptrdiff_t query = text_find(target, '?');
    const struct text shown = query < 0 ? target : text_head(target, (size_t)query);

    if (text_find(shown, '@') >= 0) {
        buf_add_text(out, TEXT("***"));
        return;
    }
    html_add(out, shown);
    if (query >= 0)
        buf_add_text(out, TEXT("?***"));
}

static void add_script(struct buf *out, const struct inventory_script *s)
{
    if (!s)
        return;
    if (s->err) {
        buf_add_text(out, TEXT("<p>The script cannot be read.</p>"));
        return;
    }
    buf_addf(out, "<p>%s, %zu lines, class %s, risk %s", inventory_language_name(s->language), s->lines, inventory_class_name(s->class),
             inventory_risk_name(s->risk));
    if (s->risk_reason) {
        buf_add_text(out, TEXT(": "));
        html_adds(out, s->risk_reason);
    }
    buf_add_text(out, TEXT("</p>"));
}

static void add_use(struct buf *out, const struct audit_report *r, const struct inventory_use *u)
{
    buf_addf(out, "<tr><td class=\"inline\">%s</td><td class=\"place\">", inventory_kind_name(u->kind));
    html_add_place(out, r, &u->place);
    buf_add_text(out, TEXT("</td><td><p><strong>"));
    add_target(out, u->target);
    buf_add_text(out, TEXT("</strong></p>"));
    add_script(out, u->script);
    if (u->reached_count) {
        buf_add_text(out, TEXT("<p class=\"dim\">Reached from "));
        for (size_t i = 0; i < u->reached_count; i++) {
            if (i)
                buf_add_text(out, TEXT(", "));
            html_add_name(out, u->reached_from[i]->name);
        }
        buf_add_text(out, TEXT("</p>"));
    }
    buf_addf(out, "</td><td><strong>%s</strong> ", inventory_advice_name(u->advice));
    html_adds(out, u->reason);
    buf_add_text(out, TEXT("</td></tr>\n"));
}

void html_inventory(struct buf *out, const void *arg)
{
    const struct html_inventory_part *const part = arg;
    const struct inventory *const v = part->inventory;

    if (!v->use_count)
        return;
    buf_addf(out, "<section id=\"agi\"><h2>AGI: %zu place%s, %zu script%s</h2>\n", v->use_count, v->use_count == 1 ? "" : "s", v->script_count,
             v->script_count == 1 ? "" : "s");
    if (v->use_count > HTML_FINDINGS_MAX)
        buf_addf(out, "<p>The first %d places are in this page.</p>\n", HTML_FINDINGS_MAX);
    buf_add_text(out, TEXT("<table><thead><tr><th>Kind</th><th>Place</th><th>What</th><th>Advice</th></tr></thead><tbody>\n"));
    for (size_t i = 0; i < v->use_count && i < HTML_FINDINGS_MAX; i++)
        add_use(out, part->report, &v->uses[i]);
    buf_add_text(out, TEXT("</tbody></table></section>\n"));
}
