/* The verb `routes`: what a running daemon's FastAGI routes do. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/admin.h"
#include "app/config.h"
#include "cli/cli.h"
#include "cli/problems.h"

enum { ASK_MS = 5000 };

static double number(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItem(o, name);

    return cJSON_IsNumber(v) ? v->valuedouble : 0;
}

static const char *word(const cJSON *o, const char *name)
{
    const cJSON *v = cJSON_GetObjectItem(o, name);

    return cJSON_IsString(v) ? v->valuestring : "";
}

static void print_route(const cJSON *r)
{
    const cJSON *command = cJSON_GetObjectItem(r, "command"), *session = cJSON_GetObjectItem(r, "session"),
                *shadow = cJSON_GetObjectItem(r, "shadow");

    printf("%-24s %9.0f %7.0f %7.0f %9.2f %9.2f %9.2f %9.2f %6.0f %8.0f %7.0f %9.0f", word(r, "route"), number(r, "sessions"),
           number(r, "active"), number(r, "waiting"),
           number(command, "p50_us") / 1000, number(command, "p99_us") / 1000, number(session, "p50_us") / 1000,
           number(session, "p99_us") / 1000, number(r, "busy"), number(r, "timeouts"), number(r, "errors"), number(r, "recorded"));
    if (number(shadow, "sessions") > 0 || number(shadow, "skipped") > 0)
        printf("  %.0f of %.0f differ%s", number(shadow, "differing"), number(shadow, "sessions"),
               cJSON_IsTrue(cJSON_GetObjectItem(shadow, "off")) ? " (off: it ran over its limits)" : "");
    printf("\n");
    if (number(r, "record_dropped") > 0)
        printf("    recordings lost: %.0f\n", number(r, "record_dropped"));
    if (word(shadow, "last")[0])
        printf("    last difference: %s\n", word(shadow, "last"));
}

static int print_table(const char *answer)
{
    cJSON *all = cJSON_Parse(answer);
    const cJSON *r, *routes = cJSON_GetObjectItem(all, "routes");

    if (!cJSON_IsArray(routes)) {
        fprintf(stderr, "sidetone routes: %s\n", word(all, "error")[0] ? word(all, "error") : "an answer that cannot be read");
        cJSON_Delete(all);
        return CLI_FAILED;
    }
    printf("%-24s %9s %7s %7s %9s %9s %9s %9s %6s %8s %7s %9s  %s\n", "route", "sessions", "active", "waiting", "cmd p50", "cmd p99", "p50 ms",
           "p99 ms", "busy", "timeouts", "errors", "recorded", "shadow");
    cJSON_ArrayForEach(r, routes)
        print_route(r);
    if (number(all, "loops_late") > 0)
        printf("%.0f of %.0f call loops did not answer in time: their figures are missing\n", number(all, "loops_late"), number(all, "loops"));
    cJSON_Delete(all);
    return cli_done(CLI_FINE);
}

static int ask(const char *path, bool json)
{
    char *answer;
    int code, err = admin_ask(path, TEXT("routes"), ASK_MS, &answer);

    if (err) {
        fprintf(stderr, "sidetone routes: %s: %s\n", path, err == -ENOENT || err == -ECONNREFUSED ? "no daemon runs here" : err_text(err));
        return CLI_FAILED;
    }
    if (json) {
        puts(answer);
        code = cli_done(CLI_FINE);
    } else {
        code = print_table(answer);
    }
    free(answer);
    return code;
}

int cmd_routes(int argc, char **argv)
{
    const char *config_path = NULL;
    bool json = false;
    const struct cli_option options[] = {
        { .name = "config", .takes = "FILE", .help = "the daemon's configuration (default " CONFIG_DEFAULT_PATH ")", .value = &config_path },
        { .name = "json", .help = "the answer as JSON; times in microseconds", .is_set = &json },
    };
    const struct cli_syntax syntax = {
        .verb = "routes", .usage = "[--config FILE] [--json]",
        .about = "Asks the running daemon (state_dir/admin.sock; its user and root may) what its FastAGI routes do: sessions since the\n"
                 "start, running and waiting ones, times of commands and sessions in milliseconds, those refused, timeouts, errors,\n"
                 "recordings, and how often a shadow differed.",
        .options = options, .option_count = 2,
    };
    struct config *config;
    size_t count;
    int code = cli_read(&syntax, argc, argv, NULL, &count);

    if (code != CLI_GO_ON)
        return code;
    if (config_load(&config, config_path, CONFIG_SKIP_SECRETS, problem_print, stderr))
        return CLI_FAILED;
    code = ask(config->admin_path, json);
    config_free(config);
    return code;
}
