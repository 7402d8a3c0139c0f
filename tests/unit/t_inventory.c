/* What scripts say of themselves: in each language what is found, and what stands in comments and texts and is not; then whole dialplans. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "audit/inventory_report.h"
#include "audit/script/facts.h"
#include "audit/script/lexer.h"
#include "audit_files.h"

struct script_case {
    const char *name, *source;
    enum inventory_language language;
    const char *commands, *reads, *sets;   /* with commas */
    unsigned traits;
    enum inventory_class class;
    enum inventory_risk risk;
};

static const struct script_case cases[] = {
    { "a.py", "from asterisk.agi import AGI\nagi = AGI()\nn = agi.get_variable('CALLERID(num)')\nagi.set_variable(\"NAME\", n)\n", INVENTORY_PYTHON,
      "GET VARIABLE,SET VARIABLE", "CALLERID(num)", "NAME", 0, INVENTORY_LOOKUP, INVENTORY_RISK_LOW },
    { "comments.py", "# agi.set_variable('A', 1)\n\"\"\"SET is no command here: agi.set_variable('B', 1)\"\"\"\nx = 'agi.set_variable(C, 1)'\n", INVENTORY_PYTHON, "", "", "", 0,
      INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_LOW },
    { "raw.py", "import sys\nsys.stdout.write('SET VARIABLE ROUTE sales\\n')\nprint(\"GET VARIABLE EXTEN\")\nprint('EXEC Queue support')\n", INVENTORY_PYTHON,
      "SET VARIABLE,GET VARIABLE,EXEC,EXEC Queue", "EXTEN", "ROUTE", 0, INVENTORY_ROUTING, INVENTORY_RISK_LOW },
    { "sql.py", "import sqlite3\nc.execute('SELECT n FROM t WHERE k = ?', (x,))\nagi.set_variable('N', r)\n", INVENTORY_PYTHON, "SET VARIABLE", "", "N", INVENTORY_DATABASE,
      INVENTORY_LOOKUP, INVENTORY_RISK_LOW },
    { "sqlplus.py", "import sqlite3\nc.execute('SELECT n FROM t WHERE k = ' + x)\n", INVENTORY_PYTHON, "", "", "", INVENTORY_DATABASE, INVENTORY_CLASS_UNKNOWN,
      INVENTORY_RISK_HIGH },
    { "sqlf.py", "import psycopg2\nc.execute(f\"SELECT n FROM t WHERE k = '{x}'\")\n", INVENTORY_PYTHON, "", "", "", INVENTORY_DATABASE, INVENTORY_CLASS_UNKNOWN,
      INVENTORY_RISK_HIGH },
    { "system.py", "import os\nos.system('logger ' + number)\n", INVENTORY_PYTHON, "", "", "", INVENTORY_SYSTEM, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_HIGH },
    { "run.py", "import subprocess\nsubprocess.run(['logger', number])\n", INVENTORY_PYTHON, "", "", "", INVENTORY_SYSTEM, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_MIDDLE },
    { "talk.py", "import os, vosk\nf = os.fdopen(3, 'rb')\nwhile True:\n  f.read(320)\n", INVENTORY_PYTHON, "", "", "",
      INVENTORY_SPEECH | INVENTORY_AUDIO_FD3 | INVENTORY_LOOP, INVENTORY_CONVERSATION, INVENTORY_RISK_LOW },
    { "secret.py", "password = 'hunter22'\n", INVENTORY_PYTHON, "", "", "", INVENTORY_SECRET, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_MIDDLE },
    { "nosecret.py", "password = os.environ['PW']\nif password == other: pass\n", INVENTORY_PYTHON, "", "", "", 0, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_LOW },
    { "web.py", "import requests\nr = requests.get('https://crm.example/x')\nagi.set_variable('TIER', r)\n", INVENTORY_PYTHON, "SET VARIABLE", "", "TIER", INVENTORY_HTTP,
      INVENTORY_LOOKUP, INVENTORY_RISK_MIDDLE },
    { "b.pl", "use Asterisk::AGI;\nmy $AGI = new Asterisk::AGI;\n=pod\n$AGI->set_variable('POD', 1);\n=cut\n$AGI->set_context('sales'); # $AGI->hangup();\n$AGI->exec('Playback', 'x');\n",
      INVENTORY_PERL, "SET CONTEXT,EXEC,EXEC Playback", "", "", 0, INVENTORY_ROUTING, INVENTORY_RISK_LOW },
    { "quotes.pl", "if ($id =~ /\".*\"/) { $id =~ s/\"|\" //g; }\n$n =~ tr{'}{\"};\nmy @p = split /'/, $n;\n$s = \"x\"; $y = $a / $b; # it's\n$AGI->say_number(1);\n", INVENTORY_PERL,
      "SAY NUMBER", "", "", 0, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_LOW },
    { "qq.pl", "$sth = $dbh->prepare(qq{SELECT a FROM t WHERE b = '$b'});\n$h{q} = q(it's); $h{s} = $h{y};\n$AGI->hangup();\n", INVENTORY_PERL, "HANGUP", "", "",
      INVENTORY_DATABASE, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_HIGH },
    { "wrap.php", "<?php\n$u = get_var( $AGI, \"AMPUSER\" );\nfunction set_var($agi, $name) {}\nset_var($agi, 'DS');\nset_var($other, 'NO');\n$agi->exec_goto('a', 's', 1);\n", INVENTORY_PHP,
      "GET VARIABLE,SET VARIABLE,EXEC Goto", "AMPUSER", "DS", 0, INVENTORY_ROUTING, INVENTORY_RISK_LOW },
    { "strix.py", "import pystrix\nagi.execute(pystrix.agi.core.Answer())\nr = agi.execute(pystrix.agi.core.GetData('enter', 5000, 4))\n", INVENTORY_PYTHON, "ANSWER,GET DATA", "", "", 0,
      INVENTORY_MENU, INVENTORY_RISK_LOW },
    { "small.py", "import sys\nsys.stdout.write('verbose \"hello\" 1\\n')\nprint('verbose output is off')\n", INVENTORY_PYTHON, "VERBOSE", "", "", 0, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_LOW },
    { "node.js", "const f = (context) => context.onEvent('variables').then(() => context.answer()).then(() => context.setVariable('A', 'x'.replace(/'/g, '')));\ncontext.hangup();\n", INVENTORY_JAVASCRIPT,
      "ANSWER,SET VARIABLE,HANGUP", "", "A", 0, INVENTORY_LOOKUP, INVENTORY_RISK_LOW },
    { "shell.pl", "use DBI;\nmy $x = `logger $number`;\nprint \"SET VARIABLE A 1\\n\";\n", INVENTORY_PERL, "SET VARIABLE", "", "A", INVENTORY_DATABASE | INVENTORY_SYSTEM,
      INVENTORY_LOOKUP, INVENTORY_RISK_HIGH },
    { "here.pl", "print <<END;\nSET VARIABLE X 1\nEND\n$AGI->get_variable('AFTER');\n", INVENTORY_PERL, "SET VARIABLE,GET VARIABLE", "AFTER", "X", 0, INVENTORY_LOOKUP,
      INVENTORY_RISK_LOW },
    { "c.php", "<h1>SET VARIABLE HTML 1</h1>\n<?php\n// $agi->hangup();\n/* $agi->answer(); */\n$agi = new AGI();\n$r = $agi->get_data('enter', 5000, 4);\nexec(\"logger $r\");\n$agi->exec('Dial', 'x');\n?>\n$agi->verbose('text');\n",
      INVENTORY_PHP, "GET DATA,EXEC,EXEC Dial", "", "", INVENTORY_SYSTEM, INVENTORY_MENU, INVENTORY_RISK_HIGH },
    { "d.sh", "#!/bin/sh\n# SET VARIABLE NOPE 1\nwhile read line; do [ -z \"$line\" ] && break; done\necho \"GET VARIABLE CALLERID(num)\"\necho SET VARIABLE DNC 1\n", INVENTORY_SHELL,
      "GET VARIABLE,SET VARIABLE", "CALLERID(num)", "DNC", 0, INVENTORY_DNC, INVENTORY_RISK_LOW },
    { "tick.sh", "#!/bin/sh\nx=`echo \"$y\" | cut -d: -f2`\necho SET VARIABLE X $x\n", INVENTORY_SHELL, "SET VARIABLE", "", "X", INVENTORY_SYSTEM, INVENTORY_LOOKUP, INVENTORY_RISK_MIDDLE },
    { "loop.sh", "while true; do curl -s https://x.example/poll; sleep 1; done\n", INVENTORY_SHELL, "", "", "", INVENTORY_LOOP | INVENTORY_HTTP | INVENTORY_SLEEP,
      INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_MIDDLE },
    { "e.lua", "-- agi:set_variable('NOPE', 1)\n--[[ agi:hangup() ]]\nlocal v = agi:get_variable('EXTEN')\nagi:set_variable('N', v)\nos.execute('logger ' .. v)\n", INVENTORY_LUA,
      "GET VARIABLE,SET VARIABLE", "EXTEN", "N", INVENTORY_SYSTEM, INVENTORY_LOOKUP, INVENTORY_RISK_HIGH },
    { "f.rb", "=begin\nagi.set_variable('NOPE', 1)\n=end\nrequire 'net/http'\nagi.stream_file('hello')\nagi.record_file('x')\n", INVENTORY_RUBY, "STREAM FILE,RECORD FILE", "", "", 0,
      INVENTORY_RECORDING, INVENTORY_RISK_LOW },
    { "g.js", "// agi.setVariable('NOPE', 1)\nconst r = await fetch(`https://x.example/${n}`);\nagi.setVariable('TIER', 1);\nagi.getVariable('EXTEN');\n", INVENTORY_JAVASCRIPT,
      "SET VARIABLE,GET VARIABLE", "EXTEN", "TIER", INVENTORY_HTTP, INVENTORY_LOOKUP, INVENTORY_RISK_MIDDLE },
    { "h.c", "/* SET VARIABLE NOPE */\n#include <stdio.h>\nint main(void) { printf(\"SET VARIABLE LANG en\\n\"); return 0; } // printf(\"ANSWER\\n\");\n", INVENTORY_C, "SET VARIABLE", "",
      "LANG", 0, INVENTORY_LOOKUP, INVENTORY_RISK_LOW },
    { "call.py", "open('/var/spool/asterisk/outgoing/x.call', 'w')\n", INVENTORY_PYTHON, "", "", "", INVENTORY_FILES | INVENTORY_ORIGINATE, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_LOW },
    { "people.py", "print('Answer the phone')\nx.answer()\nother.exec('rm')\nprint('hangup later')\n", INVENTORY_PYTHON, "", "", "", 0, INVENTORY_CLASS_UNKNOWN, INVENTORY_RISK_LOW },
};

static void joined(const struct inventory_names *names, char *out, size_t size)
{
    size_t n = 0;

    out[0] = '\0';
    for (size_t i = 0; i < names->count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%.*s", i ? "," : "", TEXT_ARG(names->items[i].name));
}

static void expect(const char *what, const char *name, const char *got, const char *expected)
{
    if (strcmp(got, expected) != 0)
        fail_msg("%s: %s: expected \"%s\", came \"%s\"", name, what, expected, got);
}

static void test_languages(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct script_case *const c = &cases[i];
        const struct text source = text_of(c->source);
        struct inventory_script s = { .path = c->name };
        struct arena *memory;
        char got[500];

        assert_int_equal(arena_new(&memory, 1 << 20), 0);
        s.language = script_language(text_of(c->name), source);
        if (s.language != c->language)
            fail_msg("%s: language %s", c->name, inventory_language_name(s.language));
        assert_int_equal(script_facts(&s, memory, source), 0);
        assert_int_equal(script_judge(&s, memory), 0);
        joined(&s.commands, got, sizeof got);
        expect("commands", c->name, got, c->commands);
        joined(&s.reads, got, sizeof got);
        expect("reads", c->name, got, c->reads);
        joined(&s.sets, got, sizeof got);
        expect("sets", c->name, got, c->sets);
        if (s.traits != c->traits)
            fail_msg("%s: traits %x, expected %x", c->name, s.traits, c->traits);
        expect("class", c->name, inventory_class_name(s.class), inventory_class_name(c->class));
        expect("risk", c->name, inventory_risk_name(s.risk), inventory_risk_name(c->risk));
        arena_free(memory);
    }
}

static void test_interpreters(void **state)
{
    static const struct {
        const char *source;
        enum inventory_language language;
    } lines[] = {
        { "#!/usr/bin/env python3\n", INVENTORY_PYTHON }, { "#!/usr/bin/perl -w\n", INVENTORY_PERL },      { "#!/usr/bin/php -q\n", INVENTORY_PHP },
        { "#!/bin/bash\n", INVENTORY_SHELL },             { "#!/bin/sh", INVENTORY_SHELL },                { "#!/usr/bin/node\n", INVENTORY_JAVASCRIPT },
        { "#!/usr/bin/lua5.4\n", INVENTORY_LUA },         { "#!/usr/bin/env ruby\n", INVENTORY_RUBY },     { "\x7f" "ELF\x02", INVENTORY_BINARY },
        { "<?php echo 1;", INVENTORY_PHP },               { "anything\n", INVENTORY_UNKNOWN },             { "", INVENTORY_UNKNOWN },
    };

    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(script_language(TEXT("x"), text_of(lines[i].source)), lines[i].language);
}

/* Wherever a script is cut, the words of it are read to the end, and lines never go back. */
static void test_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t n = 0; n <= strlen(cases[i].source); n++) {
            char *copy = n > 0 ? malloc(n) : NULL; /* exactly: a byte too far is seen */
            struct script_lexer l;
            struct script_token t;
            unsigned line = 0, tokens = 0;

            if (n > 0)
                memcpy(copy, cases[i].source, n);
            script_lexer_begin(&l, cases[i].language, text_make(copy, n));
            while (script_lexer_next(&l, &t)) {
                assert_true(t.line >= line);
                line = t.line;
                assert_true(++tokens <= n);
            }
            free(copy);
        }
    }
}

/* ---- a dialplan ---- */

static const char plan[] = "[default]\nexten => 100,1,Answer()\n same => n,AGI(lookup.py,${EXTEN},b)\n same => n,ExecIf($[1]?AGI(lookup.py))\n"
                           " same => n,EAGI(/etc/asterisk/talk.py)\n same => n,AGI(agi://10.0.0.1/x,1)\n same => n,AGI(agi:async)\n same => n,AGI(${SCRIPT})\n"
                           " same => n,DeadAGI(gone.pl)\n[alone]\nexten => 1,1,AGI(binary)\n"
                           ";; file asterisk.conf\n[directories]\nastagidir => /etc/asterisk/agi\n"
                           ";; file agi/lookup.py\nagi.set_variable('A', 1)\n;; file talk.py\nimport os\nos.fdopen(3)\n"
                           ";; file agi/binary\n\x7f" "ELF\n;; file agi/src/binary.c\nint main(void) { puts(\"SET VARIABLE FROM c\"); }\n";

static const struct inventory_use *use_of(const struct inventory *v, const char *target, size_t nth)
{
    for (size_t i = 0; i < v->use_count; i++)
        if (text_eq(v->uses[i].target, text_of(target)) && nth-- == 0)
            return &v->uses[i];
    fail_msg("no use of %s", target);
    return NULL;
}

static void test_a_dialplan(void **state)
{
    struct audit_files files;
        struct audit *a;
    struct inventory *v;
    struct buf b;

    (void)state;
    audit_files_init(&files, "extensions.conf", plan);
    assert_int_equal(audit_files_run(&a, &files, NULL, 0), 0);
    assert_int_equal(inventory_make(&v, a, NULL), 0);
    assert_int_equal(v->use_count, 8);
    assert_int_equal(v->script_count, 4);
    assert_ptr_equal(use_of(v, "lookup.py", 0)->script, use_of(v, "lookup.py", 1)->script); /* read once */
    assert_true(text_eq(use_of(v, "lookup.py", 0)->args, TEXT("${EXTEN},b")));
    assert_int_equal(use_of(v, "lookup.py", 0)->place.line, 3);
    assert_int_equal(use_of(v, "lookup.py", 0)->reached_count, 1);
    assert_int_equal(use_of(v, "lookup.py", 0)->advice, INVENTORY_REWRITE);
    assert_int_equal(use_of(v, "/etc/asterisk/talk.py", 0)->advice, INVENTORY_STASIS);
    assert_int_equal(use_of(v, "agi://10.0.0.1/x", 0)->kind, INVENTORY_FASTAGI);
    assert_int_equal(use_of(v, "agi:async", 0)->kind, INVENTORY_ASYNCAGI);
    assert_true(use_of(v, "${SCRIPT}", 0)->is_dynamic);
    assert_int_equal(use_of(v, "gone.pl", 0)->script->err, -ENOENT);
    assert_int_equal(use_of(v, "gone.pl", 0)->advice, INVENTORY_KEEP);
    assert_int_equal(use_of(v, "binary", 0)->reached_count, 0); /* nobody from outside gets there */
    assert_string_equal(use_of(v, "binary", 0)->script->source, "/etc/asterisk/agi/src/binary.c");
    assert_int_equal(use_of(v, "binary", 0)->script->sets.count, 1);
    buf_init(&b, 1 << 20);
    assert_int_equal(inventory_report_json(v, &b), 0);
    assert_true(text_find_text(buf_text(&b), TEXT("\"kind\":\"AsyncAGI\"")) > 0);
    buf_free(&b);
    audit_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_languages),
        cmocka_unit_test(test_interpreters),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_a_dialplan),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
