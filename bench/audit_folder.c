/* Reads a configuration folder and runs every rule: how long, how many steps, how much memory. One line of JSON. usage: audit_folder FOLDER */
#include <stdio.h>
#include <sys/resource.h>

#include "audit/audit.h"
#include "audit/dialplan.h"
#include "base/clock.h"

int main(int argc, char **argv)
{
    const struct audit_options opt = { .folder = argc > 1 ? argv[1] : "." };
    const int64_t start = clock_mono_us() / 1000;
    struct rusage used;
    struct audit *a;
    int64_t read;
    int err = audit_open(&a, &opt);

    if (err) {
        fprintf(stderr, "%s: %s\n", opt.folder, err_text(err));
        return 1;
    }
    read = clock_mono_us() / 1000;
    err = audit_run(a, NULL, 0);
    getrusage(RUSAGE_SELF, &used);
    printf("{\"bench\":\"audit\",\"steps\":%zu,\"findings\":%zu,\"read_ms\":%lld,\"rules_ms\":%lld,\"rss_mb\":%ld,\"error\":%d}\n",
           a->dialplan ? a->dialplan->step_count : 0, a->finding_count, (long long)(read - start), (long long)(clock_mono_us() / 1000 - read),
           used.ru_maxrss / 1024, err);
    audit_free(a);
    return err ? 1 : 0;
}
