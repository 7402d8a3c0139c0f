/* One job: write the configuration's table in the forms that people read: a sample file, the manual page's list, effective values. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "app/config_parts.h"

static const void *at(const void *base, size_t offset)
{
    return (const char *)base + offset;
}

const void *config_section(const struct config *c, const struct config_kind *kind, size_t i)
{
    if (!kind->is_named)
        return i == 0 ? at(c, kind->offset) : NULL;
    return i < *(const size_t *)at(c, kind->count_offset) ? at(*(void *const *)at(c, kind->offset), i * kind->size) : NULL;
}

static bool text_value(const void *field, char *out, size_t size)
{
    const char *s = *(const char *const *)field;

    snprintf(out, size, "%s", s ? s : "");
    return s != NULL;
}

static bool list_value(const struct config_list *list, char *out, size_t size)
{
    size_t n = 0;

    for (size_t i = 0; i < list->count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", list->items[i]);
    return list->count > 0;
}

bool config_value_text(const struct config_key *key, const void *section, char *out, size_t size)
{
    const void *field = at(section, key->offset);
    const int64_t number = key->type == CONFIG_DURATION || key->type == CONFIG_COUNT || key->type == CONFIG_BYTES
                               ? *(const int64_t *)field : 0;

    *out = '\0';
    switch (key->type) {
    case CONFIG_TEXT:
    case CONFIG_NAME:
    case CONFIG_PATH:
    case CONFIG_PEER:
    case CONFIG_URL:
    case CONFIG_AMI_URL:
        return text_value(field, out, size);
    case CONFIG_DURATION:
        config_duration_text(number, out, size);
        return true;
    case CONFIG_COUNT:
    case CONFIG_BYTES:
        if (key->may_be_auto && number == 0)
            snprintf(out, size, "auto");
        else
            snprintf(out, size, "%" PRId64, number);
        return true;
    case CONFIG_BOOL:
        snprintf(out, size, "%s", *(const bool *)field ? "yes" : "no");
        return true;
    case CONFIG_ADDRESS:
        if (!((const struct address *)field)->host[0])
            return false;
        address_format(field, out, size);
        return true;
    case CONFIG_SECRET:
        snprintf(out, size, "***");
        return true;
    case CONFIG_ENUM:
        snprintf(out, size, "%s", key->choices[*(const int *)field]);
        return true;
    case CONFIG_LIST:
    case CONFIG_LINES:
        return list_value(field, out, size);
    }
    return false;
}

/* False: there are none. */
static bool show_lines(const struct config_key *key, const void *section, FILE *out)
{
    const struct config_list *list = at(section, key->offset);

    for (size_t i = 0; i < list->count; i++)
        fprintf(out, "%s = %s\n", key->name, list->items[i]);
    return list->count > 0;
}

void config_show(const struct config *c, FILE *out)
{
    char value[8192];
    const void *section;

    fprintf(out, "; %s: effective values\n", c->path);
    for (size_t k = 0; k < CONFIG_KIND_COUNT; k++) {
        const struct config_kind *kind = &config_kinds[k];

        for (size_t i = 0; (section = config_section(c, kind, i)); i++) {
            const struct config_head *head = section;

            fprintf(out, "\n[%s%s%s]\n", kind->name, *head->name ? " " : "", head->name);
            for (size_t n = 0; n < kind->key_count; n++)
                if (kind->keys[n].type == CONFIG_LINES && show_lines(&kind->keys[n], section, out))
                    continue;
                else if (config_value_text(&kind->keys[n], section, value, sizeof value))
                    fprintf(out, "%s = %s\n", kind->keys[n].name, value);
                else
                    fprintf(out, "; %s is not set: %s\n", kind->keys[n].name, kind->keys[n].standard_help);
        }
    }
}

/* "10ms to 1h", "1 to 64", "debug, info, ..."; empty when there is no range. */
static void range_text(const struct config_key *key, char *out, size_t size)
{
    char min[32], max[32];
    size_t n = 0;

    *out = '\0';
    if (key->type == CONFIG_DURATION) {
        config_duration_text(key->min, min, sizeof min);
        config_duration_text(key->max, max, sizeof max);
        snprintf(out, size, "%s to %s", min, max);
    } else if (key->type == CONFIG_COUNT || key->type == CONFIG_BYTES) {
        snprintf(out, size, "%s%" PRId64 " to %" PRId64, key->may_be_auto ? "auto, " : "", key->min, key->max);
    }
    for (size_t i = 0; key->type == CONFIG_ENUM && key->choices[i] && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? ", " : "", key->choices[i]);
}

static const char *written(const struct config_key *key)
{
    return key->standard ? key->standard : key->example;
}

static void sample_key(const struct config_key *key, FILE *out)
{
    char range[160];

    range_text(key, range, sizeof range);
    fprintf(out, "; %s", key->help);
    if (*range)
        fprintf(out, " %s: %s.", key->type == CONFIG_ENUM ? "One of" : "Range", range);
    if (key->is_required)
        fprintf(out, " Required.");
    else if (!key->standard)
        fprintf(out, " Without it: %s.", key->standard_help);
    fprintf(out, "\n;%s = %s\n", key->name, written(key));
}

void config_sample(FILE *out)
{
    fputs("; Configuration of sidetone. See sidetone.conf(5).\n"
          "; A line that begins with `; ` is a remark; remove the first `;` of the others to set what they say.\n"
          "; What stands here are the defaults, and examples where there is none.\n"
          "; Files sidetone.d/*.conf beside this one are read after it. `sidetone config check` finds mistakes.\n",
          out);
    for (size_t k = 0; k < CONFIG_KIND_COUNT; k++) {
        const struct config_kind *kind = &config_kinds[k];

        fprintf(out, "\n; %s\n", kind->help);
        if (kind->is_named)
            fprintf(out, ";[%s %s]\n", kind->name, kind->example_name);
        else
            fprintf(out, "[%s]\n", kind->name);
        for (size_t i = 0; i < kind->key_count; i++)
            sample_key(&kind->keys[i], out);
    }
}

/* scdoc gives meaning to _ * \ and, at a line's start, to more: a backslash takes it away. */
static void print_escaped(const char *s, FILE *out)
{
    for (; *s; s++) {
        if (strchr("_*\\#<`[~|-.", *s))
            fputc('\\', out);
        fputc(*s, out);
    }
}

static void manual_key(const struct config_key *key, FILE *out)
{
    char range[160];

    range_text(key, range, sizeof range);
    fputc('*', out);
    print_escaped(key->name, out);
    fprintf(out, "* = _%s_\n\t", config_type_name(key->type));
    print_escaped(key->help, out);
    if (*range) {
        fprintf(out, key->type == CONFIG_ENUM ? " One of: " : " Range: ");
        print_escaped(range, out);
        fputc('.', out);
    }
    fprintf(out, key->is_required ? " Required" : key->standard ? " Default: " : " Without it: ");
    if (!key->is_required)
        print_escaped(key->standard ? key->standard : key->standard_help, out);
    fprintf(out, ".%s\n\n", key->reloads ? "" : " A change needs a restart.");
}

void config_keys_print(FILE *out)
{
    for (size_t k = 0; k < CONFIG_KIND_COUNT; k++) {
        const struct config_kind *kind = &config_kinds[k];

        fprintf(out, "## [%s%s]\n\n", kind->name, kind->is_named ? " NAME" : "");
        print_escaped(kind->help, out);
        fputs("\n\n", out);
        for (size_t i = 0; i < kind->key_count; i++)
            manual_key(&kind->keys[i], out);
    }
}
