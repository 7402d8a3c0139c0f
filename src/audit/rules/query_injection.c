/* Rule ST206: text of the caller in a query. */
#include "audit/rules.h"

#include <string.h>

#include "audit/rules/injection.h"

static struct text sink(const struct flow_call *c)
{
    return flow_is(c->app, "MYSQL") ? c->args : TEXT_NONE;
}

/* Is each ${ARGn} and ${VALn} of the query the whole of a SQL_ESC() between quotes? */
static bool is_escaped(struct text query)
{
    static const char *const escapes[] = { "${SQL_ESC(", "${SQL_ESC_BACKSLASHES(" };

    for (size_t i = 0; i < query.n; i++) {
        const struct text rest = text_skip(query, i);
        struct text before = text_head(query, i);
        bool is_inside = false;

        if (!text_starts(rest, TEXT("${ARG")) && !text_starts(rest, TEXT("${VAL")))
            continue;
        for (size_t k = 0; !is_inside && k < sizeof escapes / sizeof *escapes; k++)
            if (text_ends(before, text_of(escapes[k]))) {
                before.n -= strlen(escapes[k]);
                is_inside = true;
            }
        if (!is_inside || !before.n || !strchr("'\"%", before.p[before.n - 1]))
            return false;
    }
    return true;
}

/* func_odbc.conf, [CUSTOMER] makes ODBC_CUSTOMER(). A function that stands in no file is not known to be safe. */
static bool is_safe(const struct audit *a, struct text name)
{
    const struct conf *const c = a->files[AUDIT_FUNC_ODBC];
    bool has_query = false;

    name = text_skip(name, sizeof "ODBC_" - 1);
    for (size_t i = 0; c && i < c->section_count; i++)
        for (size_t k = 0; text_eq(c->sections[i].name, name) && k < c->sections[i].count; k++) {
            const struct conf_item *const item = c->sections[i].items + k;

            if (!text_eq_nocase(item->name, TEXT("readsql")) && !text_eq_nocase(item->name, TEXT("writesql")) &&
                !text_eq_nocase(item->name, TEXT("insertsql")) && !text_eq_nocase(item->name, TEXT("read")) && !text_eq_nocase(item->name, TEXT("write")))
                continue;
            if (!is_escaped(item->value))
                return false;
            has_query = true;
        }
    return has_query;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct injection j = { .sink = sink, .function = "ODBC_", .is_prefix = true, .is_safe = is_safe, .does = "becomes part of a query in" };

    return injection_find(a, self, &j);
}

static const struct audit_rule_example examples[] = {
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Set(X=${ODBC_CUSTOMER(${CALLERID(name)})})\n"
              " same => n,Hangup()\n",
      .is_bad = true },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Set(X=${ODBC_CUSTOMER(${SQL_ESC(${CALLERID(name)})})})\n"
              " same => n,Set(Y=${ODBC_CUSTOMER(${FILTER(0-9,${CALLERID(num)})})})\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Set(X=${ODBC_CUSTOMER(${CALLERID(name)})})\n;; file func_odbc.conf\n[CUSTOMER]\n"
              "readsql=SELECT id FROM c WHERE name='${SQL_ESC(${ARG1})}' OR alias LIKE '%${SQL_ESC(${ARG1})}%'\n",
      .is_bad = false },
    { .file = "extensions.conf",
      .text = "[a]\nexten => 1,1,Set(X=${ODBC_CUSTOMER(${CALLERID(name)})})\n;; file func_odbc.conf\n[CUSTOMER]\n"
              "readsql=SELECT id FROM c WHERE name='${SQL_ESC(${ARG1})}' AND tenant=${SQL_ESC(${ARG1})}\n",
      .is_bad = true },
};

const struct audit_rule audit_rule_query_injection = {
    .code = "ST206",
    .name = "query-injection",
    .severity = AUDIT_ERROR,
    .summary = "Text that the caller chooses becomes part of a database query.",
    .why = "func_odbc puts its arguments into the text of the query; unless func_odbc.conf wraps them in SQL_ESC, a "
           "caller's name of ' OR 1=1 -- changes what is asked. A function whose queries all do, between quotes, is not told.",
    .fix = "Escape it here or there: ${ODBC_CUSTOMER(${SQL_ESC(${CALLERID(num)})})}",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
