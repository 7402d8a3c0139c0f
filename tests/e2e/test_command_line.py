"""Help, wrong use, configuration mistakes: what an operator meets first."""
import json
import os

from daemon import free_port, run

VERBS = ["serve", "demo", "config", "store", "replay", "routes", "sim", "version"]


def test_every_verb_has_help(context):
    code, out, _ = run(context, "--help")
    assert code == 0 and all(verb in out for verb in VERBS), out
    for verb in VERBS:
        code, out, err = run(context, verb, "--help")
        assert code == 0 and out.startswith("usage: sidetone " + verb) and err == "", (verb, code, out, err)
    for verb in (["sim", "caller"], ["sim", "pbx"], ["sim", "openai"], ["sim", "deepgram"], ["store", "import"], ["config", "check"]):
        code, out, err = run(context, *verb, "--help")
        assert code == 0 and "usage: sidetone " + " ".join(verb) in out, (verb, code, out, err)


def test_wrong_use_is_one_line_and_2(context):
    code, out, err = run(context, "srve")
    assert code == 2 and out == "" and '"serve"' in err.replace("'", '"') or "serve" in err, (code, out, err)
    for verb in VERBS:
        code, out, err = run(context, verb, "--no-such-option")
        assert code == 2 and out == "" and len(err.splitlines()) <= 2, (verb, code, out, err)


def test_version_as_json(context):
    import json
    code, out, _ = run(context, "version", "--json")
    facts = json.loads(out)
    assert code == 0 and facts["version"].count(".") == 2, facts


def test_all_mistakes_at_once_with_file_and_line(context):
    conf = context.write("sidetone.conf", """[sidetone]
state_dir = state
wokers = 2

[fastagi]
listen = localhost

[route caller-name]
handler = nowhere.lua
deadline = soon

[node a]
ari = ftp://x
ari_user = u
ari_secret = hunter2

[rout x]
""")
    code, out, err = run(context, "config", "check", conf)
    told = out + err
    assert code == 1, told
    for line, words in ((3, "workers"), (6, "listen"), (9, "nowhere.lua"), (10, "deadline"), (13, "http"), (15, "@env"), (17, "route")):
        hits = [t for t in told.splitlines() if f"sidetone.conf:{line}:" in t]
        assert hits and words in hits[0], (line, words, told)
    assert "hunter2" not in told


def test_sample_is_a_good_configuration(context):
    code, sample, _ = run(context, "config", "sample")
    assert code == 0 and "state_dir" in sample
    conf = context.write("sidetone.conf", sample)
    code, out, err = run(context, "config", "check", conf)
    assert code == 0, out + err


def test_missing_configuration_says_what_to_do(context):
    code, out, err = run(context, "serve", "--config", context.path("none.conf"))
    assert code == 1 and "none.conf" in err and "config sample" in err, (out, err)


def test_port_in_use_is_one_line_and_1(context):
    import socket
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        handler = context.write("handlers/x.lua", "function handle(call) end\n")
        conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n"
                             f"[fastagi]\nlisten = 127.0.0.1:{port}\n[route default]\nhandler = {handler}\n")
        code, out, err = run(context, "serve", "--config", conf)
        assert code == 1 and f"127.0.0.1:{port}" in err and "in use" in err.lower(), (code, out, err)
        assert len([line for line in err.splitlines() if "level=" not in line]) <= 2, err


def test_bad_agent_file_names_file_and_line(context):
    agent = context.write("agents/a.agent", "[agent]\ngreeting = Hello.\n\n[intent x]\nsay = what is 42\nthen = explode\n")
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n"
                         f"[fastagi]\nlisten = 127.0.0.1:{free_port()}\n[agent a]\nprovider = local\nfile = {agent}\n")
    code, out, err = run(context, "serve", "--config", conf)
    assert code == 1, (code, out, err)
    assert "a.agent:5" in err and "a.agent:6" in err, err


def test_broken_handler_is_refused_at_start(context):
    handler = context.write("handlers/x.lua", "function handle(call)\n  call:answer(\nend\n")
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n"
                         f"[fastagi]\nlisten = 127.0.0.1:{free_port()}\n[route default]\nhandler = {handler}\n")
    code, _, err = run(context, "serve", "--config", conf)
    assert code == 1 and "x.lua:3" in err, err


def test_check_looks_into_the_files(context):
    good = context.write("handlers/good.lua", "function handle(call)\n  call:answer()\nend\n")
    broken = context.write("handlers/broken.lua", "function handle(call)\n  call:answer(\nend\n")
    nameless = context.write("handlers/nameless.lua", "function handel(call)\nend\n")
    tool = context.write("tools/price.lua", "function run(args, context)\n  return {\nend\n")
    agent = context.write("agents/a.agent", "[agent]\ngreeting = Hello.\n\n[intent x]\nsay = what is it\nthen = explode\n")
    head = f"[sidetone]\nstate_dir = {context.path('state')}\n"
    conf = context.write("bad.conf", head + f"[route a]\nhandler = {good}\nshadow = {nameless}\n[route b]\nhandler = {broken}\n"
                         f"[agent one]\nprovider = local\nfile = {agent}\ntool_dir = {context.path('tools')}\ntools = price\n")
    code, out, err = run(context, "config", "check", conf)
    assert code == 1 and not err, (code, out, err)
    for told in (f"{nameless}:1: route a/shadow: ", f"{broken}:3: route b/handler: ", f"{tool}:3: agent one/tools: ", f"{agent}:6: agent one: "):
        assert told in out, (told, out)
    assert "not good: 5 errors" in out, out
    code, out, _ = run(context, "config", "check", conf, "--json")
    found = json.loads(out)
    assert code == 1 and not found["ok"] and found["errors"] == 5, found
    assert (found["problems"][1]["file"], found["problems"][1]["line"]) == (broken, 3), found
    conf = context.write("good.conf", head + f"[route a]\nhandler = {good}\n")
    code, out, err = run(context, "config", "check", conf)
    assert code == 0 and "good: 0 nodes, 1 route, 0 agents" in out, (code, out, err)
    assert not os.path.exists(context.path("state"))


def test_import_names_the_bad_line(context):
    csv = context.write("t.csv", "key,value\n1,one\n2\n3,three\n")
    db = context.path("s.db")
    code, out, err = run(context, "store", "import", "t", csv, "--db", db)
    assert code == 1 and "t.csv:3" in err, (out, err)
    good = context.write("good.csv", "key,value\n1,one\n")
    code, out, err = run(context, "store", "import", "t", good, "--db", db)
    assert code == 0 and os.path.exists(db), (out, err)
