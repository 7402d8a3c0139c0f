/* What callers of a load have met, for people and for programs. */
#include "cli/load_result.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "cli/cli.h"

void load_files_raise(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* as many as this user may */
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

static void print_text(const struct media_load_result *r)
{
    printf("%" PRIu64 " frames sent, %" PRIu64 " received; of %" PRIu64 " marks %" PRIu64 " missing, %" PRIu64 " out of order; %" PRIu64
           " legs broken\n", r->sent, r->received, r->counted, r->missing, r->disordered, r->broken_legs);
    printf("late           p50 %7.2f ms   p99 %7.2f ms   max %7.2f ms   against each leg's own 20 ms grid\n",
           (double)hist_quantile(&r->late_us, 0.5) / 1000, (double)hist_quantile(&r->late_us, 0.99) / 1000, (double)r->late_us.max / 1000);
    if (r->cut_us.count + r->uncut > 0)
        printf("cut            p50 %7.2f ms   p99 %7.2f ms   max %7.2f ms   of %" PRIu64 "; %" PRIu64 " not cut\n",
               (double)hist_quantile(&r->cut_us, 0.5) / 1000, (double)hist_quantile(&r->cut_us, 0.99) / 1000, (double)r->cut_us.max / 1000,
               r->cut_us.count, r->uncut);
    else
        printf("mouth to ear   p50 %7.2f ms   p99 %7.2f ms   max %7.2f ms\n", (double)hist_quantile(&r->delay_us, 0.5) / 1000,
               (double)hist_quantile(&r->delay_us, 0.99) / 1000, (double)r->delay_us.max / 1000);
    if (r->own_late)
        printf("%" PRIu64 " frames were sent more than 5 ms behind their time by this program: the machine is too busy for this measurement\n",
               r->own_late);
}

static void print_json(const struct media_load_result *r)
{
    printf("{\"sent\":%" PRIu64 ",\"received\":%" PRIu64 ",\"counted\":%" PRIu64 ",\"missing\":%" PRIu64 ",\"disordered\":%" PRIu64
           ",\"broken_legs\":%" PRIu64 ",\"own_late\":%" PRIu64 ",\"late_p50_us\":%" PRId64 ",\"late_p99_us\":%" PRId64
           ",\"late_max_us\":%" PRIu64 ",\"delay_p50_us\":%" PRId64 ",\"delay_p99_us\":%" PRId64 ",\"delay_max_us\":%" PRIu64 ",\"cuts\":%" PRIu64 ",\"uncut\":%" PRIu64 ",\"cut_p50_us\":%" PRId64 ",\"cut_p99_us\":%" PRId64 ",\"cut_max_us\":%" PRIu64 "}\n",
           r->sent, r->received, r->counted, r->missing, r->disordered, r->broken_legs, r->own_late, hist_quantile(&r->late_us, 0.5),
           hist_quantile(&r->late_us, 0.99), r->late_us.max, hist_quantile(&r->delay_us, 0.5), hist_quantile(&r->delay_us, 0.99),
           r->delay_us.max, r->cut_us.count, r->uncut, hist_quantile(&r->cut_us, 0.5), hist_quantile(&r->cut_us, 0.99), r->cut_us.max);
}

int load_number(const char *verb, const char *text, const char *name, int64_t low, int64_t high, int64_t *out)
{
    if (!text || (text_to_i64(text_of(text), out) == 0 && *out >= low && *out <= high))
        return CLI_GO_ON;
    return cli_wrong_use(verb, "--%s takes a whole number from %" PRId64 " to %" PRId64 ", not \"%s\"", name, low, high, text);
}

int load_run(const char *verb, const struct media_load_options *opt, bool as_json)
{
    struct media_load_result *r = malloc(sizeof *r);
    int err = r ? media_load_run(opt, r) : -ENOMEM;

    if (err) {
        fprintf(stderr, "sidetone %s: %s\n", verb, err_text(err));
        free(r);
        return CLI_FAILED;
    }
    if (as_json)
        print_json(r);
    else
        print_text(r);
    err = r->broken_legs > 0 || (opt->voice ? r->cut_us.count == 0 : r->counted == 0);
    free(r);
    return cli_done(err ? CLI_FAILED : CLI_FINE);
}
