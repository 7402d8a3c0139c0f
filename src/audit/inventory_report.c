/* Tells the inventory of AGI. */
#include "audit/inventory_report.h"

#include "audit/clean.h"

static const char *plural(size_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- text ---- */

static void names_put(const char *what, const struct inventory_names *names, FILE *to)
{
    if (names->count == 0)
        return;
    fprintf(to, "    %-10s", what);
    for (size_t i = 0; i < names->count; i++) {
        fputs(i ? ", " : "", to);
        clean_put(names->items[i].name, to);
    }
    fputc('\n', to);
}

static void traits_put(const struct inventory_script *s, FILE *to)
{
    const char *comma = "";

    if (!s->traits)
        return;
    fprintf(to, "    %-10s", "does");
    for (size_t i = 0; inventory_trait_name(i); i++) {
        if (!(s->traits & 1u << i))
            continue;
        fprintf(to, "%s%s (line %u)", comma, inventory_trait_name(i), s->trait_lines[i]);
        comma = ", ";
    }
    fputc('\n', to);
}

static void script_put(const struct inventory_script *s, FILE *to)
{
    clean_put(text_of(s->path), to);
    if (s->err)
        fprintf(to, "  (%s)\n", err_text(s->err));
    else
        fprintf(to, "  %s, %zu line%s\n", inventory_language_name(s->language), s->lines, plural(s->lines));
    if (s->source) {
        fprintf(to, "    %-10s", "source");
        clean_put(text_of(s->source), to);
        fputc('\n', to);
    }
    fprintf(to, "    %-10s%s\n", "class", inventory_class_name(s->class));
    names_put("commands", &s->commands, to);
    names_put("reads", &s->reads, to);
    names_put("sets", &s->sets, to);
    traits_put(s, to);
    fprintf(to, "    %-10s%s: %s\n", "risk", inventory_risk_name(s->risk), s->risk_reason);
    fprintf(to, "    %-10s%s: %s\n\n", "advice", inventory_advice_name(s->advice), s->reason);
}

static void use_put(const struct inventory_use *u, FILE *to)
{
    clean_put(text_of(u->place.file), to);
    fprintf(to, ":%u: %s(", u->place.line, inventory_kind_name(u->kind));
    clean_put(u->target, to);
    if (u->args.n > 0) {
        fputc(',', to);
        clean_put(u->args, to);
    }
    fputs(")", to);
    if (u->step) {
        fputs("  in ", to);
        clean_put(u->step->extension->context->name, to);
        fputs(", extension ", to);
        clean_put(u->step->extension->name, to);
    }
    for (size_t i = 0; i < u->reached_count; i++) {
        fputs(i ? ", " : "; callers from outside come by ", to);
        clean_put(u->reached_from[i]->name, to);
    }
    fprintf(to, "\n    %s: %s\n", inventory_advice_name(u->advice), u->reason);
}

void inventory_report_line(const struct inventory *v, FILE *to)
{
    size_t advice[INVENTORY_STASIS + 1] = { 0 }, risky = 0;

    if (v->use_count == 0)
        return;
    for (size_t i = 0; i < v->script_count; i++) {
        advice[v->scripts[i].advice]++;
        risky += v->scripts[i].risk == INVENTORY_RISK_HIGH;
    }
    fprintf(to, "AGI: %zu place%s, %zu script%s", v->use_count, plural(v->use_count), v->script_count, plural(v->script_count));
    for (int i = INVENTORY_KEEP; i <= INVENTORY_STASIS; i++)
        if (advice[i])
            fprintf(to, ", %s %zu", inventory_advice_name((enum inventory_advice)i), advice[i]);
    if (risky)
        fprintf(to, "; %zu of high risk", risky);
    fputs("; sidetone audit --inventory tells each\n", to);
}

void inventory_report_text(const struct inventory *v, FILE *to)
{
    for (size_t i = 0; i < v->use_count; i++)
        use_put(&v->uses[i], to);
    if (v->use_count)
        fputc('\n', to);
    for (size_t i = 0; i < v->script_count; i++)
        script_put(&v->scripts[i], to);
    if (v->use_count == 0)
        fputs("no AGI is used in this dialplan\n", to);
    else
        fprintf(to, "%zu place%s, %zu script%s\n", v->use_count, plural(v->use_count), v->script_count, plural(v->script_count));
}

/* ---- JSON ---- */

static void add_text(struct buf *out, const char *key, struct text t)
{
    buf_addf(out, ",\"%s\":\"", key);
    buf_add_json(out, t);
    buf_add_char(out, '"');
}

static void add_names(struct buf *out, const char *key, const struct inventory_names *names)
{
    buf_addf(out, ",\"%s\":[", key);
    for (size_t i = 0; i < names->count; i++) {
        buf_addf(out, "%s{\"name\":\"", i ? "," : "");
        buf_add_json(out, names->items[i].name);
        buf_addf(out, "\",\"line\":%u,\"count\":%u}", names->items[i].line, names->items[i].count);
    }
    buf_add_char(out, ']');
}

static void add_script(struct buf *out, const struct inventory_script *s)
{
    const char *comma = "";

    buf_addf(out, "{\"lines\":%zu", s->lines);
    add_text(out, "path", text_of(s->path));
    if (s->err)
        add_text(out, "error", text_of(err_text(s->err)));
    if (s->source)
        add_text(out, "source", text_of(s->source));
    add_text(out, "language", text_of(inventory_language_name(s->language)));
    add_names(out, "commands", &s->commands);
    add_names(out, "reads", &s->reads);
    add_names(out, "sets", &s->sets);
    buf_add_text(out, TEXT(",\"does\":["));
    for (size_t i = 0; inventory_trait_name(i); i++) {
        if (!(s->traits & 1u << i))
            continue;
        buf_addf(out, "%s{\"what\":\"%s\",\"line\":%u}", comma, inventory_trait_name(i), s->trait_lines[i]);
        comma = ",";
    }
    buf_add_char(out, ']');
    add_text(out, "class", text_of(inventory_class_name(s->class)));
    add_text(out, "risk", text_of(inventory_risk_name(s->risk)));
    add_text(out, "risk_reason", text_of(s->risk_reason));
    add_text(out, "advice", text_of(inventory_advice_name(s->advice)));
    add_text(out, "reason", text_of(s->reason));
    buf_add_char(out, '}');
}

static void add_use(struct buf *out, const struct inventory_use *u)
{
    buf_addf(out, "{\"line\":%u,\"column\":%u", u->place.line, u->place.column);
    add_text(out, "file", text_of(u->place.file));
    add_text(out, "kind", text_of(inventory_kind_name(u->kind)));
    add_text(out, "target", u->target);
    add_text(out, "arguments", u->args);
    if (u->step) {
        add_text(out, "context", u->step->extension->context->name);
        add_text(out, "extension", u->step->extension->name);
    }
    buf_addf(out, ",\"dynamic\":%s,\"reached_from\":[", u->is_dynamic ? "true" : "false");
    for (size_t i = 0; i < u->reached_count; i++) {
        buf_add_text(out, i ? TEXT(",\"") : TEXT("\""));
        buf_add_json(out, u->reached_from[i]->name);
        buf_add_char(out, '"');
    }
    buf_add_char(out, ']');
    if (u->script)
        add_text(out, "script", text_of(u->script->path));
    add_text(out, "advice", text_of(inventory_advice_name(u->advice)));
    add_text(out, "reason", text_of(u->reason));
    buf_add_char(out, '}');
}

int inventory_report_json(const struct inventory *v, struct buf *out)
{
    buf_add_text(out, TEXT("{\"places\":["));
    for (size_t i = 0; i < v->use_count; i++) {
        if (i)
            buf_add_char(out, ',');
        add_use(out, &v->uses[i]);
    }
    buf_add_text(out, TEXT("],\"scripts\":["));
    for (size_t i = 0; i < v->script_count; i++) {
        if (i)
            buf_add_char(out, ',');
        add_script(out, &v->scripts[i]);
    }
    return buf_add_text(out, TEXT("]}"));
}
