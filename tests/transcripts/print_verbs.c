/* Prints docs/handlers.md from the table of verbs. */
#include "route/script.h"

int main(void)
{
    script_verbs_print(stdout);
    return 0;
}
