/* Puts what the call loops counted into the registry. */
#include "app/console_agi.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

struct entry {
    struct metric **to;
    enum metric_kind kind;
    const char *name, *help, *labels;
};

static int add_process(struct console_agi *a, struct metrics *m)
{
    struct metric *late, *memory, *cpu, *descriptors, *build;
    const struct entry entries[] = {
        { &late, METRIC_GAUGE, "sidetone_call_loops_late", "Call loops that did not answer: the routes have their last complete figures.", NULL },
        { &memory, METRIC_GAUGE, "process_resident_memory_bytes", "Memory in use.", NULL },
        { &cpu, METRIC_COUNTER, "process_cpu_seconds_total", "Processor time, user and system.", NULL },
        { &descriptors, METRIC_GAUGE, "process_open_fds", "Open descriptors.", NULL },
        { &build, METRIC_GAUGE, "sidetone_build_info", "The version, as a label; always 1.", "version" },
    };

    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (metrics_add(entries[i].to, m, entries[i].kind, entries[i].name, entries[i].help, entries[i].labels))
            return -ENOMEM;
    a->loops_late = metric_series(late, NULL, NULL, NULL);
    a->memory = metric_series(memory, NULL, NULL, NULL);
    a->cpu = metric_series(cpu, NULL, NULL, NULL);
    a->descriptors = metric_series(descriptors, NULL, NULL, NULL);
    series_set(metric_series(build, SIDETONE_VERSION, NULL, NULL), 1);
    return 0;
}

int console_agi_add(struct console_agi *a, struct metrics *m)
{
    const struct entry entries[] = {
        { &a->command_seconds, METRIC_HISTOGRAM, "sidetone_agi_command_seconds", "From our write of an AGI command to the end of its reply.", "route" },
        { &a->session_seconds, METRIC_HISTOGRAM, "sidetone_agi_session_seconds", "A whole AGI session.", "route" },
        { &a->active, METRIC_GAUGE, "sidetone_agi_sessions", "AGI sessions now.", "route" },
        { &a->waiting, METRIC_GAUGE, "sidetone_agi_waiting", "Sessions that wait for a place.", "route" },
        { &a->sessions, METRIC_COUNTER, "sidetone_agi_sessions_total", "AGI sessions since the start.", "route" },
        { &a->timeouts, METRIC_COUNTER, "sidetone_agi_timeouts_total", "Sessions that met their deadline.", "route" },
        { &a->errors, METRIC_COUNTER, "sidetone_agi_errors_total", "Sessions that ended in an error of their handler or script.", "route" },
        { &a->busy, METRIC_COUNTER, "sidetone_agi_busy_total", "Sessions that found no place.", "route" },
        { &a->differences, METRIC_COUNTER, "sidetone_agi_shadow_differing_total", "Sessions in which the shadow would have done something else.", "route" },
    };

    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        if (metrics_add(entries[i].to, m, entries[i].kind, entries[i].name, entries[i].help, entries[i].labels))
            return -ENOMEM;
    return add_process(a, m);
}

static void load_route(struct console_agi *a, const struct route_figures *f)
{
    const char *const route = f->name;

    series_load(metric_series(a->command_seconds, route, NULL, NULL), &f->command_us);
    series_load(metric_series(a->session_seconds, route, NULL, NULL), &f->session_us);
    series_set(metric_series(a->active, route, NULL, NULL), (int64_t)f->active);
    series_set(metric_series(a->waiting, route, NULL, NULL), (int64_t)f->waiting);
    series_set(metric_series(a->sessions, route, NULL, NULL), (int64_t)f->sessions);
    series_set(metric_series(a->timeouts, route, NULL, NULL), (int64_t)f->timeouts);
    series_set(metric_series(a->errors, route, NULL, NULL), (int64_t)f->errors);
    series_set(metric_series(a->busy, route, NULL, NULL), (int64_t)f->busy);
    series_set(metric_series(a->differences, route, NULL, NULL), (int64_t)f->shadow.differing);
}

static int64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    long all = 0, resident = 0;

    if (!f)
        return 0;
    if (fscanf(f, "%ld %ld", &all, &resident) != 2)
        resident = 0;
    fclose(f);
    return (int64_t)resident * sysconf(_SC_PAGESIZE);
}

static int64_t open_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int64_t count = -1;                 /* its own */

    if (!d)
        return 0;
    for (const struct dirent *e = readdir(d); e; e = readdir(d))
        count += e->d_name[0] != '.';
    closedir(d);
    return count;
}

static void load_process(struct console_agi *a)
{
    struct rusage use;

    getrusage(RUSAGE_SELF, &use);
    series_set(a->memory, resident_bytes());
    series_set(a->descriptors, open_descriptors());
    series_set_real(a->cpu, (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
}

void console_agi_load(struct console_agi *a, const struct route_figures *sums, size_t count, size_t late)
{
    /* Half a sum would look like counters that went back. */
    for (size_t i = 0; sums && late == 0 && i <= count; i++)
        load_route(a, &sums[i]);
    series_set(a->loops_late, (int64_t)late);
    load_process(a);
}
