/* Finds the scripts that the dialplan names, and judges each by the rights of Asterisk's user. */
#include "app/doctor/scripts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/doctor/check_host.h"
#include "app/listening.h"
#include "audit/audit.h"
#include "audit/inventory.h"

enum { HEAD_MAX = 256, NAME_MAX_HERE = 300 };

static const char check[] = "scripts";

/* ---- who runs them ---- */

static pid_t process_at(const struct listening *all, size_t count, const char *url)
{
    const struct listening *door = listening_is_url(url) ? listening_at(all, count, url) : NULL;
    const pid_t owner = door ? listening_owner(door->inode) : 0;

    if (!door)
        return 0;
    if (owner)
        return listening_is_asterisk(owner) ? owner : 0;
    return listening_asterisk_of(door->uid);
}

pid_t doctor_asterisk_process(const struct config_node *n)
{
    struct listening *all;
    size_t count;
    pid_t pid;

    if (listening_all(&all, &count))
        return 0;
    pid = process_at(all, count, n->ami);
    if (!pid)
        pid = process_at(all, count, n->ari);
    free(all);
    return pid;
}

static int user_of_file(struct doctor_person *p, const struct conf *c)
{
    char user[64], group[64];
    int err;

    if (!c || !conf_get(c, TEXT("options"), TEXT("runuser")).n)
        return -ENOENT;
    text_copy(user, sizeof user, text_trim(conf_get(c, TEXT("options"), TEXT("runuser"))));
    text_copy(group, sizeof group, text_trim(conf_get(c, TEXT("options"), TEXT("rungroup"))));
    err = doctor_person_of_user(p, user, *group ? group : NULL);
    if (!err)
        snprintf(p->name, sizeof p->name, "%s (runuser of asterisk.conf)", user);
    return err;
}

int doctor_asterisk_user(struct doctor_person *p, const struct config_node *n, const struct conf *asterisk_conf)
{
    const pid_t pid = doctor_asterisk_process(n);

    if (pid && doctor_person_of_process(p, pid) == 0)
        return 0;
    return user_of_file(p, asterisk_conf) == 0 ? 0 : doctor_person_of_user(p, "asterisk", NULL);
}

/* ---- what runs a script ---- */

enum doctor_shebang doctor_shebang_read(struct text head, struct text *name)
{
    struct text line;

    *name = TEXT_NONE;
    if (text_starts(head, TEXT("\177ELF")))
        return DOCTOR_SHEBANG_BINARY;
    if (!text_starts(head, TEXT("#!")) || !text_cut(&head, '\n', &line))
        return DOCTOR_SHEBANG_NONE;
    if (text_ends(line, TEXT("\r")))
        return DOCTOR_SHEBANG_WINDOWS;
    line = text_trim(text_skip(line, 2));
    name->p = line.p;
    while (name->n < line.n && line.p[name->n] != ' ' && line.p[name->n] != '\t')
        name->n++;
    return name->n ? DOCTOR_SHEBANG_NAMED : DOCTOR_SHEBANG_NONE;
}

static void judge_interpreter(struct doctor_file *f, const struct doctor_person *p, struct text name)
{
    char path[HEAD_MAX];
    enum doctor_way way;
    char *at;

    text_copy(path, sizeof path, name);
    way = *path == '/' ? doctor_way_of(p, path, DOCTOR_RUN, &at) : DOCTOR_WAY_GOOD;
    if (*path != '/' || way == DOCTOR_WAY_GOOD || way == DOCTOR_WAY_UNSEEN)
        return;
    f->fault = way == DOCTOR_WAY_GONE ? DOCTOR_FILE_INTERPRETER_GONE : DOCTOR_FILE_INTERPRETER_REFUSED;
    free(f->at);
    f->at = way == DOCTOR_WAY_GONE ? NULL : at; /* the first line is mended, or the interpreter's rights */
    if (way == DOCTOR_WAY_GONE)
        free(at);
}

/* A file that the kernel cannot start is not tried by a shell: Asterisk calls execv (res/res_agi.c). */
static void judge_head(struct doctor_file *f, const struct doctor_person *p)
{
    const int fd = open(f->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char head[HEAD_MAX];
    struct text name;
    ssize_t n;

    if (fd < 0)
        return;
    n = read(fd, head, sizeof head);
    close(fd);
    switch (doctor_shebang_read(text_make(head, n > 0 ? (size_t)n : 0), &name)) {
    case DOCTOR_SHEBANG_BINARY:
        break;
    case DOCTOR_SHEBANG_NONE:
        f->fault = DOCTOR_FILE_NO_INTERPRETER;
        break;
    case DOCTOR_SHEBANG_WINDOWS:
        f->fault = DOCTOR_FILE_CARRIAGE_RETURN;
        break;
    case DOCTOR_SHEBANG_NAMED:
        judge_interpreter(f, p, name);
        break;
    }
}

/* ---- the scripts ---- */

static void name_use(const struct inventory *v, const struct inventory_script *s, char *out, size_t size)
{
    for (size_t i = 0; i < v->use_count; i++)
        if (v->uses[i].script == s) {
            const char *slash = strrchr(v->uses[i].place.file, '/');

            snprintf(out, size, "%s:%u", slash ? slash + 1 : v->uses[i].place.file, v->uses[i].place.line);
            return;
        }
    text_copy(out, size, TEXT("dialplan"));
}

/* Whether it was fine. */
static bool look_at(const struct doctor_context *x, const struct inventory *v, const struct inventory_script *s, const struct doctor_person *p)
{
    char name[NAME_MAX_HERE];
    struct doctor_file f = { .what = "AGI script of", .name = name, .path = s->path };

    name_use(v, s, name, sizeof name);
    doctor_file_judge(&f, p, s->language == INVENTORY_BINARY ? DOCTOR_RUN : DOCTOR_READ | DOCTOR_RUN);
    if (f.fault == DOCTOR_FILE_GOOD)
        judge_head(&f, p);
    if (f.fault != DOCTOR_FILE_GOOD)
        doctor_file_say(x->report, check, &f);
    free(f.at);
    return f.fault == DOCTOR_FILE_GOOD;
}

static void look_at_all(const struct doctor_context *x, const struct inventory *v, const struct doctor_person *p)
{
    size_t computed = 0, fine = 0;

    for (size_t i = 0; i < v->use_count; i++)
        computed += v->uses[i].is_dynamic;
    for (size_t i = 0; i < v->script_count; i++)
        fine += look_at(x, v, &v->scripts[i], p);
    if (computed)
        doctor_say(x->report, DOCTOR_SKIP, check, "AGI scripts whose name the dialplan computes: %zu, not looked at", computed);
    if (fine && fine == v->script_count)
        doctor_say(x->report, DOCTOR_OK, check, "AGI scripts that the dialplan starts: %zu, each can be run by %s, and not be changed by everyone", fine, p->name);
    else if (!v->script_count && !computed)
        doctor_say(x->report, DOCTOR_OK, check, "the dialplan starts no AGI script of its own");
}

void doctor_scripts_check(const struct doctor_context *x)
{
    const struct config_node *n = x->asked->node;
    const struct audit_options opt = { .folder = x->etc->folder };
    struct inventory *v = NULL;
    struct doctor_person p;
    struct audit *a = NULL;
    int err;

    if (!x->etc->folder || (!listening_is_url(n->ami) && !listening_is_url(n->ari)))
        return;
    err = audit_open(&a, &opt);
    if (!err)
        err = inventory_make(&v, a, NULL);
    if (err)
        doctor_say(x->report, DOCTOR_SKIP, check, "the dialplan in %s cannot be read: %s", x->etc->folder, err_text(err));
    else if (v->script_count && doctor_asterisk_user(&p, n, a->files[AUDIT_ASTERISK]))
        doctor_say(x->report, DOCTOR_SKIP, check, "as whom Asterisk runs is not known: its process is not seen, asterisk.conf has no runuser, and there is no user asterisk");
    else
        look_at_all(x, v, &p);
    audit_free(a);
}
