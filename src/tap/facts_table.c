/* The table of the kinds of facts. */
#include "tap/facts_table.h"

#include "tap/facts.h"

#define ROW(symbol_, name_, fields_, sentence_) [symbol_] = { name_, fields_, sentence_ },
static const struct fact_kind kinds[FACT_COUNT] = { FACTS(ROW) };

const struct fact_kind *facts_kinds(size_t *count)
{
    *count = FACT_COUNT;
    return kinds;
}
