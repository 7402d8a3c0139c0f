/* The forms of a report: each is whole for hostile text and fails in order when memory is short; baselines; the drawing's promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/baseline.h"
#include "audit/fingerprint.h"
#include "audit/graph.h"
#include "audit/report.h"
#include "audit/trunk.h"
#include "audit_files.h"
#include "fail_alloc.h"

enum { OUT_MAX = 64 << 20 };

typedef int form_writer(const struct audit_report *r, struct buf *out);

static const char plan[] = "[from-trunk]\nexten => _X.,1,Goto(menu,s,1)\n[menu]\ninclude => out\nexten => s,1,System(echo ${CALLERID(name)})\n"
                           " same => n,WaitExten(5)\n same => n,Goto(gone,s,1)\n[out]\nexten => _9X.,1,Dial(PJSIP/${FILTER(0-9,${EXTEN:1})}@provider)\n same => n,Goto(menu,s,1)\n";

struct desk {
    struct audit_files files;
    struct audit *audit;
    struct audit_report report;
};

static int desk_open(struct desk *d, const char *text)
{
    int err;

    *d = (struct desk){ .audit = NULL };
    audit_files_init(&d->files, "extensions.conf", text);
    err = audit_files_run(&d->audit, &d->files, NULL, 0);
    d->report.audit = d->audit;
    return err ? err : source_open(&d->report.source, &d->files.source);
}

static void desk_close(struct desk *d)
{
    source_free(d->report.source);
    audit_free(d->audit);
}

static const char *written(struct desk *d, struct buf *b, form_writer *form)
{
    buf_init(b, OUT_MAX);
    assert_int_equal(form(&d->report, b), 0);
    return buf_cstr(b);
}

static size_t count_of(const char *in, const char *what)
{
    size_t n = 0;

    for (const char *p = in; (p = strstr(p, what)) != NULL; p++)
        n++;
    return n;
}

/* ---- hostile text ---- */

static const char hostile[] = "[</script><script>x</script>]\nexten => _X.,1,System(\x1b]0;x\x07 \"'<b>&${EXTEN}\xff\xc2\x9b)\n"
                              "exten => 1,1,Goto([a](http://e),\xe2\x80\xae<i>,{0})\n";

static bool has_controls(const char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < ' ' && *s != '\n') || *s == 0x7f || strncmp(s, "\xc2\x9b", 2) == 0 || strncmp(s, "\xe2\x80\xae", 3) == 0)
            return true;
    return false;
}

static void test_hostile_page(void **state)
{
    struct desk d;
    struct buf b;
    const char *page;

    (void)state;
    assert_int_equal(desk_open(&d, hostile), 0);
    page = written(&d, &b, audit_report_html);
    assert_int_equal(count_of(page, "<script>"), 1);
    assert_int_equal(count_of(page, "</script>"), 1);
    assert_non_null(strstr(page, "&lt;/script&gt;&lt;script&gt;"));
    assert_null(strstr(page, "<b>&$"));
    assert_null(strstr(page, "<i>"));
    assert_false(has_controls(page));
    buf_free(&b);
    desk_close(&d);
}

static void test_hostile_objects(void **state)
{
    struct desk d;
    struct buf b;

    (void)state;
    assert_int_equal(desk_open(&d, hostile), 0);
    assert_false(has_controls(written(&d, &b, audit_report_json)));
    buf_free(&b);
    written(&d, &b, audit_report_sarif);
    assert_false(has_controls(buf_cstr(&b)));
    assert_non_null(strstr(buf_cstr(&b), "[a] (http://e)"));
    assert_non_null(strstr(buf_cstr(&b), "{{0}}"));
    buf_free(&b);
    desk_close(&d);
}

/* The text form, as a terminal gets it. */
static char *text_of_report(struct desk *d)
{
    char *out = NULL;
    size_t n = 0;
    FILE *to = open_memstream(&out, &n);

    assert_non_null(to);
    audit_report_text(&d->report, to);
    assert_int_equal(fclose(to), 0);
    return out;
}

static void test_hostile_terminal(void **state)
{
    struct desk d;
    char *out;

    (void)state;
    assert_int_equal(desk_open(&d, hostile), 0);
    out = text_of_report(&d);
    assert_false(has_controls(out));
    free(out);
    d.report.has_colour = true;
    out = text_of_report(&d);
    assert_non_null(strstr(out, "\x1b[1;31merror\x1b[0m ST"));
    assert_null(strstr(out, "\x1b]"));
    free(out);
    desk_close(&d);
}

/* A line of a megabyte is told by its place alone. */
static void test_long_line(void **state)
{
    static form_writer *const forms[] = { audit_report_json, audit_report_sarif, audit_report_html };
    char *text = malloc((1 << 20) + 100);
    struct desk d;

    (void)state;
    assert_non_null(text);
    memset(text, 'x', (1 << 20) + 100);
    memcpy(text, "[a]\nexten => 1,1,Goto(", 22);
    strcpy(text + (1 << 20), ",s,1)\nexten => 2,1,Goto(gone,s,1)\n");
    assert_int_equal(desk_open(&d, text), 0);
    assert_true(d.audit->finding_count >= 2);
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        struct buf b;

        assert_true(strlen(written(&d, &b, forms[i])) < 200000);
        assert_null(strstr(buf_cstr(&b), "xxxxxxxxxxxxxxxxxxxx"));
        buf_free(&b);
    }
    desk_close(&d);
    free(text);
}

/* ---- what is told ---- */

static void test_severity_and_max(void **state)
{
    struct audit_report_walk w;
    struct audit_counts n;
    struct desk d;
    size_t all = 0;

    (void)state;
    assert_int_equal(desk_open(&d, plan), 0);
    audit_count(d.audit, &n);
    assert_true(n.errors > 1 && n.errors + n.warnings + n.notes == d.audit->finding_count);
    for (audit_report_begin(&d.report, &w); audit_report_next(&d.report, &w);)
        all++;
    assert_int_equal(all, d.audit->finding_count);
    assert_int_equal(audit_report_untold(&d.report), 0);
    d.report.max = n.errors - 1;
    audit_report_begin(&d.report, &w);
    for (size_t i = 0; i < n.errors - 1; i++)
        assert_int_equal(audit_report_next(&d.report, &w)->severity, AUDIT_ERROR);
    assert_null(audit_report_next(&d.report, &w));
    assert_int_equal(audit_report_untold(&d.report), all - n.errors + 1);
    d.report.max = 0;
    d.report.least = AUDIT_ERROR;
    assert_int_equal(audit_report_untold(&d.report), all - n.errors);
    d.audit->findings[0].silenced_by = "comment";
    audit_count(d.audit, &n);
    assert_int_equal(n.silenced, 1);
    desk_close(&d);
}

static void say_words(struct buf *out, const void *arg)
{
    buf_addf(out, "<section id=\"own\">%s</section>", (const char *)arg);
}

static void test_own_section(void **state)
{
    const struct audit_report_section own = { .write = say_words, .arg = "hello" };
    struct desk d;
    struct buf b;

    (void)state;
    assert_int_equal(desk_open(&d, plan), 0);
    d.report.sections = &own;
    d.report.section_count = 1;
    assert_non_null(strstr(written(&d, &b, audit_report_html), "<section id=\"own\">hello</section>"));
    buf_free(&b);
    desk_close(&d);
}

/* ---- baselines ---- */

static int baseline_of(struct baseline *out, struct desk *d, struct text t)
{
    unsigned bad_line;

    return baseline_read(out, d->audit->memory, t, &bad_line);
}

static void test_baseline_round(void **state)
{
    struct baseline known;
    size_t entries, silenced = 0;
    struct desk d;
    struct buf b;

    (void)state;
    assert_int_equal(desk_open(&d, plan), 0);
    buf_init(&b, OUT_MAX);
    assert_int_equal(baseline_write(&b, d.audit, d.report.source, &entries), 0);
    assert_int_equal(entries, d.audit->finding_count);
    assert_true(baseline_is_one(buf_text(&b)));
    assert_int_equal(baseline_of(&known, &d, buf_text(&b)), 0);
    assert_int_equal(known.count, entries);
    assert_int_equal(baseline_apply(&known, d.audit, d.report.source), 0);
    for (size_t i = 0; i < d.audit->finding_count; i++)
        silenced += d.audit->findings[i].silenced_by && strcmp(d.audit->findings[i].silenced_by, "baseline") == 0;
    assert_int_equal(silenced, d.audit->finding_count);
    for (size_t i = 0; i < known.count; i++) {
        assert_false(baseline_is_stale(&known.entries[i], NULL));
        known.entries[i].met--;
        assert_true(baseline_is_stale(&known.entries[i], NULL));
        assert_true(baseline_is_stale(&known.entries[i], known.entries[i].code));
        assert_false(baseline_is_stale(&known.entries[i], "ST999"));
    }
    buf_free(&b);
    desk_close(&d);
}

#define PRINT "0123456789abcdef0123456789abcdef"

static void test_baseline_text(void **state)
{
    static const struct {
        const char *text;
        int err;
        unsigned line;             /* the bad one, or how many entries */
    } rows[] = {
        { "", -EINVAL, 1 },
        { "x\n", -EINVAL, 1 },
        { BASELINE_HEAD, 0, 0 },
        { BASELINE_HEAD "\r\n\r\n; words\r\n" PRINT " 1 ST101 a.conf\twords\r\n", 0, 1 },
        { BASELINE_HEAD "\n" PRINT " 1 ST101 a b.conf\t\n" PRINT " 2 ST101 a b.conf\t\n", 0, 1 },
        { BASELINE_HEAD "\n" PRINT " 1 ST101 a.conf\n", 0, 1 },
        { BASELINE_HEAD "\n\n" PRINT " 0 ST101 a.conf\tx\n", -EINVAL, 3 },
        { BASELINE_HEAD "\n" PRINT "0 1 ST101 a.conf\tx\n", -EINVAL, 2 },
        { BASELINE_HEAD "\n" PRINT " 1 ST101\n", -EINVAL, 2 },
        { BASELINE_HEAD "\n<<<<<<< HEAD\n", -EINVAL, 2 },
    };
    struct desk d;

    (void)state;
    assert_int_equal(desk_open(&d, plan), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct baseline b = { .count = 99 };
        unsigned line = 0;

        assert_int_equal(baseline_read(&b, d.audit->memory, text_of(rows[i].text), &line), rows[i].err);
        assert_int_equal(rows[i].err ? line : b.count, rows[i].line);
    }
    desk_close(&d);
}

/* Two lines of one fingerprint, as a merge leaves them, count together. */
static void test_baseline_join(void **state)
{
    struct baseline b;
    struct desk d;

    (void)state;
    assert_int_equal(desk_open(&d, plan), 0);
    assert_int_equal(baseline_of(&b, &d, TEXT(BASELINE_HEAD "\n" PRINT " 1 ST101 a\tx\n" PRINT " 2 ST101 a\tx\n")), 0);
    assert_int_equal(b.entries[0].count, 3);
    desk_close(&d);
}

static void test_file_names(void **state)
{
    struct audit a = { .opt = { .folder = "/etc/ast" } };

    (void)state;
    assert_string_equal(fingerprint_file(&a, "/etc/ast/a.conf"), "a.conf");
    assert_string_equal(fingerprint_file(&a, "/etc/asterisk/a.conf"), "/etc/asterisk/a.conf");
    assert_string_equal(fingerprint_file(&a, NULL), "");
    a.opt.folder = "/etc/ast/";
    assert_string_equal(fingerprint_file(&a, "/etc/ast//x/a.conf"), "x/a.conf");
}

/* ---- the drawing ---- */

static void test_trunks(void **state)
{
    static const struct {
        const char *device, *name; /* NULL: no trunk */
    } rows[] = {
        { "PJSIP/100", NULL },
        { "PJSIP/${EXTEN}", NULL },
        { "Local/1@out", NULL },
        { "${PHONE}/100", NULL },
        { "${PHONE}", NULL },
        { "", NULL },
        { "/", NULL },
        { "PJSIP/${EXTEN}@provider", "provider" },
        { " PJSIP/+1@provider/x ", "provider" },
        { "DAHDI/g1/${EXTEN}", "DAHDI/g1" },
        { "SIP/trunk/${FILTER(0-9,${EXTEN})}", "SIP/trunk" },
        { "${TRUNK}/${EXTEN:1}", "${TRUNK}" },
        { "${GLOBAL(OutTrunk)}/${EXTEN}", "${GLOBAL(OutTrunk)}" },
        { "PJSIP/${DB(a/b)}", NULL },
        { "${OUT}/${EXTEN}", "PJSIP/provider" },
        { "${GLOBAL(OUT)}/${EXTEN}", "PJSIP/provider" },
        { "${IN}/${EXTEN}", NULL },
        { "${TECH}/${EXTEN}", NULL },
    };
    struct desk d;

    (void)state;
    assert_int_equal(desk_open(&d, "[globals]\nOUT=PJSIP/provider\nIN=Local/x\nTECH=PJSIP\n"), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(trunk_is(d.audit, text_of(rows[i].device)), rows[i].name != NULL);
        if (rows[i].name)
            assert_true(text_eq(trunk_name(d.audit, text_of(rows[i].device)), text_of(rows[i].name)));
    }
    desk_close(&d);
}

static const struct graph_node *node_named(const struct graph *g, const char *name)
{
    for (size_t i = 0; i < g->node_count; i++)
        if (text_eq(g->nodes[i].name, text_of(name)))
            return &g->nodes[i];
    fail_msg("no node %s", name);
    return NULL;
}

static void check_drawing(const struct graph *g)
{
    assert_true(g->drawn_count <= GRAPH_NODES_MAX && g->edges_drawn <= GRAPH_EDGES_MAX);
    for (size_t i = 0; i < g->node_count; i++) {
        const struct graph_node *const a = &g->nodes[i];

        if (!a->is_drawn)
            continue;
        assert_true(a->x >= 0 && a->y >= 0 && a->x + GRAPH_NODE_WIDTH <= g->width && a->y + GRAPH_NODE_HEIGHT <= g->height);
        for (size_t k = i + 1; k < g->node_count; k++) {
            const struct graph_node *const b = &g->nodes[k];

            assert_true(!b->is_drawn || abs(a->x - b->x) >= GRAPH_NODE_WIDTH || abs(a->y - b->y) >= GRAPH_NODE_HEIGHT);
        }
    }
    for (size_t i = 0; i < g->edges_drawn; i++)
        assert_true(g->nodes[g->edges[i].from].is_drawn && g->nodes[g->edges[i].to].is_drawn);
}

static void test_graph(void **state)
{
    struct graph *g = NULL;
    struct desk d;

    (void)state;
    assert_int_equal(desk_open(&d, plan), 0);
    assert_int_equal(graph_make(&g, d.audit), 0);
    check_drawing(g);
    assert_int_equal(g->drawn_count, 4);
    assert_int_equal(g->edges_drawn, 4);
    assert_non_null(node_named(g, "from-trunk")->entry);
    assert_null(node_named(g, "menu")->entry);
    assert_int_equal(node_named(g, "menu")->errors, 2);
    assert_null(node_named(g, "provider")->context);
    assert_true(node_named(g, "from-trunk")->x < node_named(g, "menu")->x && node_named(g, "menu")->x < node_named(g, "out")->x &&
                node_named(g, "out")->x < node_named(g, "provider")->x);
    for (size_t i = 0; i < g->edges_drawn; i++) /* the way back from out to menu is none of the fraud */
        assert_int_equal(g->edges[i].is_fraud, !(g->edges[i].way == GRAPH_GOTO && g->edges[i].place.line == 10));
    graph_free(g);
    graph_free(NULL);
    desk_close(&d);
}

/* Circles, a context that leads to itself, a crowd of contexts and of trunks. */
static void test_graph_limits(void **state)
{
    char *text = calloc(1, 1 << 20);
    struct graph *g = NULL;
    struct desk d;
    size_t n = 0;

    (void)state;
    assert_non_null(text);
    for (int i = 0; i < 500; i++)
        n += (size_t)sprintf(text + n, "[c%d]\ninclude => c%d\ninclude => c%d\nexten => s,1,Goto(c%d,s,1)\nexten => 1,1,Dial(PJSIP/1@t%d)\n", i, i, (i + 1) % 500,
                             (i * 13) % 500, i);
    assert_int_equal(desk_open(&d, text), 0);
    assert_int_equal(graph_make(&g, d.audit), 0);
    check_drawing(g);
    assert_int_equal(g->context_count, 500);
    assert_int_equal(g->node_count, 500 + GRAPH_TRUNKS_MAX);
    assert_int_equal(g->drawn_count, GRAPH_NODES_MAX);
    graph_free(g);
    desk_close(&d);
    free(text);
}

static void test_graph_of_nothing(void **state)
{
    struct audit_files f;
    struct audit *a = NULL;
    struct graph *g = NULL;
    struct buf b;

    (void)state;
    audit_files_init(&f, "manager.conf", "[general]\n");
    assert_int_equal(audit_files_run(&a, &f, NULL, 0), 0);
    assert_int_equal(graph_make(&g, a), 0);
    assert_int_equal(g->node_count, 0);
    graph_free(g);
    buf_init(&b, OUT_MAX);
    assert_int_equal(audit_report_html(&(struct audit_report){ .audit = a }, &b), 0);
    assert_null(strstr(buf_cstr(&b), "How calls flow"));
    buf_free(&b);
    audit_free(a);
}

/* ---- memory ---- */

static int baseline_form(const struct audit_report *r, struct buf *out)
{
    struct baseline known;
    unsigned line;
    size_t entries;
    int err = baseline_write(out, r->audit, r->source, &entries);

    if (!err)
        err = baseline_read(&known, r->audit->memory, buf_text(out), &line);
    return err;
}

static int write_form(struct desk *d, form_writer *form)
{
    struct buf b;
    int err;

    buf_init(&b, OUT_MAX);
    err = form(&d->report, &b);
    buf_free(&b);
    return err;
}

/* Until nothing fails any more; a form without memory says so, or (JSON's lines) leaves a part out. */
static void test_memory(void **state)
{
    static form_writer *const forms[] = { audit_report_sarif, audit_report_html, baseline_form };

    (void)state;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
        for (long n = 1;; n++) {
            struct desk d;
            int err;

            assert_int_equal(desk_open(&d, plan), 0);
            fail_alloc_at(n);
            err = write_form(&d, forms[i]);
            if (!fail_alloc_hit()) {
                assert_int_equal(err, 0);
                fail_alloc_off();
                desk_close(&d);
                break;
            }
            fail_alloc_off();
            assert_int_equal(err, -ENOMEM);
            desk_close(&d);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_page),   cmocka_unit_test(test_hostile_objects), cmocka_unit_test(test_hostile_terminal),
        cmocka_unit_test(test_long_line),      cmocka_unit_test(test_severity_and_max), cmocka_unit_test(test_own_section),
        cmocka_unit_test(test_baseline_round), cmocka_unit_test(test_baseline_text),   cmocka_unit_test(test_baseline_join),
        cmocka_unit_test(test_file_names),     cmocka_unit_test(test_trunks),          cmocka_unit_test(test_graph),
        cmocka_unit_test(test_graph_limits),   cmocka_unit_test(test_graph_of_nothing), cmocka_unit_test(test_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
