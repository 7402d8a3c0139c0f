/* Exchanges a secret that was refused for the one that stands in its place now. */
#include "pbx/secret_again.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { SECRET_BYTES = 4097 };

bool secret_again_take(const struct secret_again *a, char **secret)
{
    char now[SECRET_BYTES];
    char *copy;

    if (!a->ask || a->ask(a->of, now, sizeof now) || strcmp(now, *secret) == 0)
        return false;
    copy = text_dup(text_of(now));
    explicit_bzero(now, sizeof now);
    if (!copy)
        return false;
    explicit_bzero(*secret, strlen(*secret));
    free(*secret);
    *secret = copy;
    return true;
}
