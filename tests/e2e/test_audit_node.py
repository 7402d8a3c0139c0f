"""`sidetone audit --live` against stand-ins: what a node may tell, damaged and hostile answers, a slow one; and --asterisk."""
import json
import os

from ami_standin import AmiStandin
from ari_peer import AriPeer
from daemon import run

PLAN = "[a]\nexten => 1,1,Answer()\n same => n,Hangup()\n"
MANAGER = "[general]\nenabled = yes\nbindaddr = 127.0.0.1\nport = {port}\n[boss]\nsecret = Rk8vTq2Zx6Lm4WpN\nwrite = config\n"
REPORTING = "ShowDialPlan: Show. (Priv: config,reporting,all)\nCoreSettings: Show. (Priv: system,reporting,all)\n"
VERSION = "1:22.1.0~dfsg+~cs6.17.60671434-1"


def users(*names):
    return "\nusername\n--------\n" + "".join(name + "\n" for name in names) + f"-------------------\n{len(names)} manager users configured.\n"


def user(read="<none>", write="config"):
    return f"          username: x\n            secret: <Set>\n               ACL: no\n         read perm: {read}\n        write perm: {write}\n"


UNSEEN = "sidetone audit: node pbx1: the process behind its manager port cannot be seen, or is no Asterisk of this machine: where it listens is not looked at"


class Node:
    """A manager port, and files that say what it runs."""

    def __init__(self, context, rights=REPORTING, plan=PLAN, ari=None):
        self.context, self.ami = context, AmiStandin(context)
        self.etc = context.path("etc")
        os.makedirs(self.etc)
        self.write("extensions.conf", plan)
        self.write("manager.conf", MANAGER.format(port=self.ami.port))
        self.steps = [("a", "1", 1, "Answer", "", "pbx_config"), ("a", "1", 2, "Hangup", "", "pbx_config")]
        self.console = {}
        self.ami.answers.update({"ListCommands": "Response: Success\nPing: Keepalive. (Priv: <none>)\n" + rights, "ShowDialPlan": self.show,
                                 "CoreSettings": f"Response: Success\nAsteriskVersion: {VERSION}\nSystemName: a\n", "Command": self.command})
        more = f"ari = http://127.0.0.1:{ari.port}\nari_user = sidetone\nari_secret = @env:S\n" if ari else ""
        self.conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[node pbx1]\nami = tcp://127.0.0.1:{self.ami.port}\n"
                                  f"control_user = control\ncontrol_secret = @env:S\n{more}")

    def write(self, name, text):
        with open(os.path.join(self.etc, name), "w", encoding="utf-8") as f:
            f.write(text)

    def show(self, session, action):
        session.answer(action, "Response: Success\nEventList: start\nMessage: DialPlan list will follow\n")
        for context, name, priority, app, data, registrar in self.steps:
            session.answer(action, f"Event: ListDialplan\nContext: {context}\nExtension: {name}\nPriority: {priority}\nApplication: {app}\nAppData: {data}\n"
                           f"Registrar: {registrar}\n")
        session.answer(action, "Event: ShowDialPlanComplete\nEventList: Complete\n")

    def command(self, session, action):
        said = self.console.get(action["Command"])
        lines = "".join(f"Output: {line}\n" for line in (said or "No such command").split("\n"))
        session.answer(action, f"Response: {'Success' if said else 'Error'}\nMessage: Command output follows\n{lines}")

    def audit(self, *more):
        return run(self.context, "audit", self.etc, "--live", "pbx1", "--config", self.conf, *more, env={"S": self.ami.secret}, timeout=60)

    def found(self):
        code, out, err = self.audit("--json")
        assert code in (0, 1), (code, err)
        told = json.loads(out)
        return {(f["code"], f["message"]) for f in told["findings"] if f["code"] >= "ST590"}, err, told["asterisk"]


def test_audit_live_asks_only_what_is_granted(context):
    node = Node(context)
    found, err, asterisk = node.found()
    assert asterisk == {"version": VERSION, "from": "node pbx1 by AMI"}, asterisk
    assert [f for f in found if f[0] == "ST590"] == [("ST590", "before Asterisk 22.1.1 ListCategories read files outside of the folder: "
                                                      "GHSA-33x6-fj46-6rfh (CVE-2024-53566)")], found
    assert err.count("\n") == 2 and "write = reporting,command" in err and UNSEEN in err, err
    assert {name for _, name in node.ami.actions} == {"Challenge", "Login", "ListCommands", "CoreSettings", "ShowDialPlan", "Logoff"}, node.ami.actions
    _, out, _ = node.audit("--json", "--asterisk", "22.10.1")
    assert json.loads(out)["asterisk"] == {"version": "22.10.1", "from": "--asterisk"} and "ST590" not in out, out
    node.ami.answers["ListCommands"] = "Response: Success\nPing: Keepalive. (Priv: <none>)\n"
    node.ami.actions.clear()
    code, out, err = node.audit("--json")
    assert code == 2 and out == "" and "write = reporting" in err and "told nothing" in err, (code, err)
    assert {name for _, name in node.ami.actions} == {"Challenge", "Login", "ListCommands", "Logoff"}, node.ami.actions


def test_audit_live_tells_users_and_doors_by_the_console(context):
    node = Node(context, REPORTING + "Command: Execute. (Priv: command,all)\n")
    node.console = {"manager show users": users("boss", "ghost", "a b"), "manager show user boss": user(write="config,command"),
                    "manager show user ghost": user(), "http show status": "Server Enabled and Bound to 0.0.0.0:8088\n",
                    "manager show settings": f"  Manager (AMI):  Yes\n  TCP Bindaddress:  127.0.0.1:{node.ami.port}\n  TLS Enable:  No\n  TLS Bindaddress:  Disabled\n"}
    node.write("http.conf", "[general]\nenabled = no\nbindaddr = 127.0.0.1\n")
    found, err, _ = node.found()
    assert {f for f in found if f[0] > "ST900"} == {
        ("ST905", "user ghost can log in at the running manager, but no file has that user"),
        ("ST905", "user a b can log in at the running manager, but no file has that user"),
        ("ST907", "the running manager gives boss more than the file: write = command"),
        ("ST908", "HTTP listens on 0.0.0.0:8088, which others can reach; the file switches it off"),
    }, found
    assert err == "sidetone audit: node pbx1: the rights of 1 user of the manager were not told\n" + UNSEEN + "\n", err
    asked = {name for _, name in node.ami.actions}
    assert asked == {"Challenge", "Login", "ListCommands", "CoreSettings", "ShowDialPlan", "Command", "Logoff"}, asked


def test_audit_live_and_hostile_answers(context):
    node = Node(context, REPORTING + "Command: Execute. (Priv: command,all)\n")
    node.steps += [("a", "x\x1b[2J", 1, "NoOp", "", "pbx_config"), ("a;b", "1", 1, "NoOp", "", "pbx_config"), ("[steps]", "1", 1, "NoOp", "", "pbx_config"),
                   ("a", "9", "999999999999999999999", "NoOp", "", "pbx_config"), ("a", "8", 1, "No Op;\x07", "x" * 5000, "pbx_config"),
                   ("b", "1", 1, "Hangup", "", "pbx_ael"), ("parking", "1", 1, "Park", "", "res_parking"), ("a" * 300, "1", 1, "NoOp", "", "pbx_config")]
    node.console = {"manager show users": users("boss", "-------------------", "7 manager users configured."), "http show status": "\x1b[2J;",
                    "manager show settings": "Manager (AMI): Yes\nTCP Bindaddress: ;[users]\nTLS Enable: No\nTLS Bindaddress: x\n"}
    node.ami.answers["CoreSettings"] = "Response: Success\nAsteriskVersion: GIT-\x1b[2Jmaster\n"
    found, err, asterisk = node.found()
    assert {f for f in found if f[0] > "ST900"} == {
        ("ST901", 'context "[steps]" is loaded, but extensions.conf does not have it'),
        ("ST910", 'context "a" has 1 extension (8) loaded that extensions.conf does not have'),
    }, found
    assert asterisk == {"version": "22"}, asterisk
    assert err.split("\n") == ["sidetone audit: node pbx1: users of the manager are left out: \"manager show users\" was not told as expected", UNSEEN,
                               "sidetone audit: node pbx1: its version is not understood: holes are judged by the line 22 (--asterisk VERSION says it)", ""], err


def test_audit_live_tells_a_context_once(context):
    node = Node(context)
    node.steps += [("a", str(n), 1, "NoOp", "x", "pbx_config") for n in range(2, 5002)]
    found, _, _ = node.found()
    assert ("ST910", 'context "a" has 5000 extensions (10, 100, 1000, ...) loaded that extensions.conf does not have') in found, found


def test_audit_live_passes_over_other_registrars(context):
    """Extensions of one context come sorted by name, whoever made them."""
    node = Node(context, plan=PLAN + "[b]\nexten => 5,1,Hangup()\n[c]\n[m]\nexten => 1,1,Hangup()\n")
    node.steps += [("b", "1", 1, "NoOp", "", "pbx_ael"), ("b", "5", 1, "Hangup", "", "pbx_config"), ("b", "6", 1, "NoOp", "", "pbx_ael"),
                   ("b", "7", 1, "NoOp", "", "pbx_config"), ("lua", "1", 1, "NoOp", "", "pbx_lua"), ("m", "1", 1, "Park", "", "res_parking")]
    found, _, _ = node.found()
    assert {f for f in found if f[0] > "ST900"} == {
        ("ST902", 'context "m" is in the file, but not loaded'),
        ("ST910", 'context "b" has 1 extension (7) loaded that extensions.conf does not have'),
    }, found


def test_audit_live_ends_where_a_node_dies(context):
    node = Node(context)

    def die(session, action):
        session.answer(action, "Response: Success\nEventList: start\nMessage: DialPlan list will follow\n")
        raise ConnectionError

    node.ami.answers["ShowDialPlan"] = die
    ari = AriPeer({"GET asterisk/info": (200, '{"system":{"version":"22.10.1"}}'), "GET asterisk/modules": (200, '[{"name":"app_dial.so","status":"Running"}]')})
    context.at_end(ari.close)
    code, out, err = node.audit("--json")
    assert code == 2 and out == "" and "AMI broke off or took too long" in err and "told nothing" in err, (code, err)
    assert "the loaded dialplan was not told" not in err, err
    node.conf = context.write("other.conf", open(node.conf, encoding="utf-8").read() + f"ari = http://127.0.0.1:{ari.port}\nari_user = u\nari_secret = @env:S\n")
    del node.ami.answers["CoreSettings"]
    node.ami.answers["ListCommands"] = "Response: Success\nShowDialPlan: Show. (Priv: config,reporting,all)\n"
    found, err, asterisk = node.found()
    assert asterisk == {"version": "22.10.1", "from": "node pbx1 by ARI"}, asterisk
    assert not any(code in ("ST590", "ST902", "ST911") for code, _ in found), found
    assert "AMI broke off or took too long" in err, err


def test_audit_by_version(context):
    folder = context.path("etc")
    os.makedirs(folder)
    with open(os.path.join(folder, "manager.conf"), "w", encoding="utf-8") as f:
        f.write(MANAGER.format(port=5038))

    def judged(*more):
        code, out, err = run(context, "audit", folder, "--json", "--only", "ST590", *more)
        assert code == 0 and not err, (code, err)
        told = json.loads(out)
        return len(told["findings"]), told["asterisk"]

    assert judged() == (1, {"version": "22"})
    assert judged("--asterisk", "22.1.0") == (1, {"version": "22.1.0", "from": "--asterisk"})
    assert judged("--asterisk", "22.1.1") == (0, {"version": "22.1.1", "from": "--asterisk"})
    assert judged("--asterisk", "1:22.10.1~dfsg+~cs6.17-1")[0] == 0
    assert judged("--asterisk", "20.11.0")[0] == 1
    code, out, _ = run(context, "audit", folder, "--sarif", "--asterisk", "22.1.1")
    assert json.loads(out)["runs"][0]["properties"] == {"asteriskVersion": "22.1.1", "asteriskVersionFrom": "--asterisk"}, code
    page = context.path("page.html")
    code, out, _ = run(context, "audit", folder, "--html", page, "--asterisk", "22.1.1")
    assert "judged as Asterisk 22.1.1, from --asterisk\n" in out, out
    with open(page, encoding="utf-8") as f:
        assert "Asterisk 22.1.1 (from --asterisk)" in f.read()
    for wrong in ("", "x", "22.", "22.4x", "4.2", "22.4.1\n"):
        code, out, err = run(context, "audit", folder, "--asterisk", wrong)
        assert wrong == "22.4.1\n" or (code == 2 and out == "" and "--asterisk takes a version" in err), (wrong, code, err)
