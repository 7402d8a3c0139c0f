/* What may be wrong with this machine: ports, open files, the state folder, disk room, permissions. */
#include "app/doctor/check_host.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MIB (INT64_C(1) << 20)

enum { DISK_FAIL_MIB = 100, DISK_WARN_MIB = 1024 };

static void check_ports(struct doctor_report *r, const struct doctor_host *h, const struct config *c)
{
    size_t fine = 0;

    for (size_t i = 0; i < h->port_count; i++) {
        const struct doctor_port *p = &h->ports[i];
        const char *slash = strchr(p->key, '/');

        if (p->state == DOCTOR_PORT_FREE || p->state == DOCTOR_PORT_OURS) {
            fine++;
            continue;
        }
        if (p->state == DOCTOR_PORT_TAKEN)
            doctor_say(r, DOCTOR_FAIL, "ports", "%s = %s is taken by %s", p->key, p->where, *p->owner ? p->owner : "another program");
        else
            doctor_say(r, DOCTOR_FAIL, "ports", "%s = %s cannot be bound: %s", p->key, p->where, err_text(p->err));
        doctor_fix(r, c->path, "[%.*s%s]\n%s = 127.0.0.1:ANOTHER    ; who has it: ss -ltnp | grep %s", (int)(slash - p->key), p->key,
                   strncmp(p->key, "node", 4) ? "" : " NAME", slash + 1, strrchr(p->where, ':'));
    }
    if (h->port_count && fine == h->port_count)
        doctor_say(r, DOCTOR_OK, "ports", "TCP ports of ours: %zu, each %s", fine, h->daemon ? "bound by the daemon, or free" : "free");
    if (h->has_rtp && h->rtp_taken)
        doctor_say(r, h->rtp_taken < (size_t)c->rtp.ports / 2 ? DOCTOR_WARN : DOCTOR_FAIL, "ports", "%zu of the %" PRId64 " UDP ports of [rtp] are taken", h->rtp_taken,
                   c->rtp.ports);
    if (h->has_rtp && h->rtp_taken)
        doctor_fix(r, c->path, "[rtp]\nlisten = %s:ANOTHER    ; away from rtpstart to rtpend of Asterisk's rtp.conf", c->rtp.listen.host);
}

static void check_open_files(struct doctor_report *r, const struct doctor_host *h, const struct config *c)
{
    (void)c;
    if (h->open_files < 0) {
        doctor_say(r, DOCTOR_SKIP, "open files", "the limit cannot be read");
    } else if (h->open_files >= h->open_files_needed) {
        doctor_say(r, DOCTOR_OK, "open files", "%s may have more than the %" PRId64 " that full load needs", h->daemon ? "the daemon" : "a program started here",
                   h->open_files_needed);
    } else {
        doctor_say(r, DOCTOR_WARN, "open files", "%s may have %" PRId64 " files open, full load (sessions_max, calls_max) needs %" PRId64,
                   h->daemon ? "the daemon" : "a program started from this shell", h->open_files, h->open_files_needed);
        doctor_fix(r, "/etc/systemd/system/sidetone.service.d/files.conf", "[Service]\nLimitNOFILE=%" PRId64 "\n; without systemd: ulimit -n %" PRId64,
                   h->open_files_needed < 65536 ? INT64_C(65536) : h->open_files_needed * 2, h->open_files_needed);
    }
}

static void check_state(struct doctor_report *r, const struct doctor_host *h, const struct config *c)
{
    const char *path = c->sidetone.state_dir;
    char command[64];

    if (!h->state_err) {
        doctor_say(r, DOCTOR_OK, "state folder", "%s %s", path, h->state_is_there ? "can be written" : "is not there yet; the daemon can make it");
        return;
    }
    doctor_say(r, DOCTOR_FAIL, "state folder", "%s %s by the daemon's user (%s): %s", path, h->state_is_there ? "cannot be written" : "cannot be made",
               h->who.name, err_text(h->state_err));
    snprintf(command, sizeof command, "install -d -m 0750 -o %u", (unsigned)h->who.uid);
    doctor_fix_command(r, command, path);
}

static void check_disk(struct doctor_report *r, const struct doctor_host *h, const struct config *c)
{
    const int64_t mib = h->disk_free / MIB;

    if (h->disk_free < 0) {
        doctor_say(r, DOCTOR_SKIP, "disk", "the file system of %s cannot be asked", c->sidetone.state_dir);
    } else if (mib >= DISK_WARN_MIB) {
        doctor_say(r, DOCTOR_OK, "disk", "%" PRId64 " MiB are free where the journal and recordings go", mib);
    } else {
        doctor_say(r, mib < DISK_FAIL_MIB ? DOCTOR_FAIL : DOCTOR_WARN, "disk", "only %" PRId64 " MiB are free in %s: the journal stops at a full disk", mib,
                   c->sidetone.state_dir);
        doctor_fix(r, c->path, "[tap]\nkeep_size = 1024M\n[sidetone]\nkeep_recordings = 168h");
    }
}

static const struct {
    enum doctor_verdict verdict;
    const char *said, *command;         /* said: behind the path, before who */
    bool names_who;
} faults[] = {
    [DOCTOR_FILE_GOOD] = { DOCTOR_OK, "", "", false },
    [DOCTOR_FILE_GONE] = { DOCTOR_FAIL, "is not there, or is no file", "ls -l", false },
    [DOCTOR_FILE_UNSEEN] = { DOCTOR_SKIP, "cannot be looked at by whoever runs the doctor: ask as root", "sudo ls -l", false },
    [DOCTOR_FILE_FOLDER_CLOSED] = { DOCTOR_FAIL, "lies behind a folder that is closed for", "chmod a+x", true },
    [DOCTOR_FILE_UNREADABLE] = { DOCTOR_FAIL, "may not be read by", "chmod a+r", true },
    [DOCTOR_FILE_NOT_RUNNABLE] = { DOCTOR_FAIL, "may not be executed by", "chmod a+rx", true },
    [DOCTOR_FILE_NOEXEC] = { DOCTOR_FAIL, "lies on a file system that is mounted with noexec: nothing is run from there", "findmnt -T", false },
    [DOCTOR_FILE_NO_INTERPRETER] = { DOCTOR_FAIL, "has no #! in its first line: the kernel does not know what runs it", "sed -i '1i #!%s'", false },
    [DOCTOR_FILE_CARRIAGE_RETURN] = { DOCTOR_FAIL, "has lines that end as on Windows: the kernel looks for an interpreter whose name ends with a carriage return",
                                      "sed -i 's/\\r$//'", false },
    [DOCTOR_FILE_INTERPRETER_GONE] = { DOCTOR_FAIL, "names an interpreter in its first line that is not there", "sed -i '1s|.*|#!%s|'", false },
    [DOCTOR_FILE_INTERPRETER_REFUSED] = { DOCTOR_FAIL, "names an interpreter in its first line that may not be run by", "chmod a+rx", true },
    [DOCTOR_FILE_WRITABLE] = { DOCTOR_WARN, "can be changed by everyone: whoever does decides what is run", "chmod o-w", false },
    [DOCTOR_FOLDER_WRITABLE] = { DOCTOR_WARN, "lies in a folder where everyone may exchange it", "chmod o-w", false },
};

/* By the ending of its name, as people write it. */
static const char *interpreter_of(const char *path)
{
    static const struct {
        const char *ending, *interpreter;
    } known[] = {
        { ".py", "/usr/bin/env python3" }, { ".pl", "/usr/bin/env perl" }, { ".agi", "/usr/bin/env perl" }, { ".php", "/usr/bin/env php" },
        { ".lua", "/usr/bin/env lua" },    { ".rb", "/usr/bin/env ruby" }, { ".js", "/usr/bin/env node" },
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (text_ends(text_of(path), text_of(known[i].ending)))
            return known[i].interpreter;
    return "/bin/sh";
}

/* The command for the fault, before the path. */
static void write_command(const struct doctor_file *f, char *out, size_t size)
{
    const char *command = faults[f->fault].command;
    const char *mark = strstr(command, "%s");

    if (f->fault == DOCTOR_FILE_GONE && f->is_run)
        command = "install -m 0755 YOUR-SCRIPT";
    else if (f->fault == DOCTOR_FILE_UNREADABLE && f->is_run)
        command = "chmod a+rx";
    if (mark)
        snprintf(out, size, "%.*s%s%s", (int)(mark - command), command, interpreter_of(f->path), mark + 2);
    else
        text_copy(out, size, text_of(command));
}

void doctor_file_say(struct doctor_report *r, const char *check, const struct doctor_file *f)
{
    char command[128];

    doctor_say(r, faults[f->fault].verdict, check, "%s %s: %s %s%s%s", f->what, f->name, f->path, faults[f->fault].said, faults[f->fault].names_who ? " " : "",
               faults[f->fault].names_who ? f->who : "");
    write_command(f, command, sizeof command);
    doctor_fix_command(r, command, f->at && f->fault != DOCTOR_FILE_GONE ? f->at : f->path);
}

static void check_files(struct doctor_report *r, const struct doctor_host *h, const struct config *c)
{
    size_t fine = 0;

    (void)c;
    for (size_t i = 0; i < h->file_count; i++) {
        fine += h->files[i].fault == DOCTOR_FILE_GOOD;
        if (h->files[i].fault != DOCTOR_FILE_GOOD)
            doctor_file_say(r, "files", &h->files[i]);
    }
    if (fine == h->file_count)
        doctor_say(r, DOCTOR_OK, "files", "handlers, scripts, tools and agent files: %zu, each can be read by %s, and not be changed by everyone", fine,
                   h->who.name);
}

void doctor_host_check(struct doctor_report *r, const struct doctor_host *h, const struct config *c)
{
    static void (*const checks[])(struct doctor_report *, const struct doctor_host *, const struct config *) = {
        check_ports, check_open_files, check_state, check_disk, check_files,
    };

    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        checks[i](r, h, c);
}
