/* Rule ST206: text of the caller in a query. */
#include "audit/rules.h"

#include "audit/rules/injection.h"

static struct text sink(const struct flow_call *c)
{
    return flow_is(c->app, "MYSQL") ? c->args : TEXT_NONE;
}

static int check(struct audit *a, const struct audit_rule *self)
{
    const struct injection j = { .sink = sink, .function = "ODBC_", .is_prefix = true, .does = "becomes part of a query in" };

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
};

const struct audit_rule audit_rule_query_injection = {
    .code = "ST206",
    .name = "query-injection",
    .severity = AUDIT_ERROR,
    .summary = "Text that the caller chooses becomes part of a database query.",
    .why = "func_odbc puts its arguments into the text of the query; unless func_odbc.conf wraps them in SQL_ESC, a "
           "caller's name of ' OR 1=1 -- changes what is asked.",
    .fix = "Escape it here or there: ${ODBC_CUSTOMER(${SQL_ESC(${CALLERID(num)})})}",
    AUDIT_EXAMPLES(examples),
    .check = check,
};
