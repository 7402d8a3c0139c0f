/* The table of drivers that this program was built with. */
#include <string.h>

#include "sink/sink_parts.h"

const struct sink_driver *sink_driver_named(const char *name)
{
    static const struct sink_driver *const drivers[] = {
        &sink_jsonl, &sink_nats, &sink_postgres, &sink_webhook,
#ifdef SIDETONE_KAFKA
        &sink_kafka,
#endif
    };

    for (size_t i = 0; i < sizeof drivers / sizeof *drivers; i++)
        if (strcmp(name, drivers[i]->name) == 0)
            return drivers[i];
    return NULL;
}
