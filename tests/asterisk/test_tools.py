"""Tools that act on the call, in a real Asterisk: where a transfer goes, what the dialplan finds, who talks next, what is kept."""
import http.server
import json
import sqlite3
import threading
import time

from caller import Caller
from daemon import run
from house import House
from openai import KEY, OpenAi

PLAN = """
exten => 2001,1,UserEvent(Mark,What: sales,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Topic: ${TOPIC})
 same => n,Hangup(16)

[inside]
exten => _201X,1,UserEvent(Mark,What: number,Number: ${EXTEN},Reason: ${SIDETONE_REASON})
 same => n,Hangup(16)

"""

LOCAL = """
[agent]
greeting = Hello.
[intent sales]
digit = 1
tool = transfer
args = {"target":"sales"}
answer = I connect you with our sales team.
[intent topic]
digit = 2
tool = set_variable
args = {"name":"TOPIC","value":"a new car"}
answer = I noted that.
[intent message]
digit = 3
tool = take_message
args = {"text":"please call me back on 5551234567","name":"Ann"}
answer = I wrote that down.
[intent other]
digit = 4
tool = switch_agent
args = {"agent":"second"}
answer = My colleague goes on.
[intent end]
digit = 0
answer = Good bye.
then = hand_back
"""

SECOND = """
[agent]
greeting = Hello, I am the second one.
[intent back]
digit = 5
tool = hand_back
args = {"reason":"second"}
answer = Back you go.
[intent stop]
digit = 6
tool = hang_up
args = {"reason":"enough"}
answer = Good bye then.
"""


def mark(house, what, seconds=30):
    return house.ami.wait("UserEvent", seconds=seconds, UserEvent="Mark", What=what)


def press(house, caller, digit):
    mine = [c for c in house.ami.channels() if c.startswith("AudioSocket/") and caller.uuid in c]
    assert mine, house.ami.channels()
    assert house.ami.action("PlayDTMF", Channel=mine[0], Digit=digit, Receive="true")["Response"] == "Success"


def test_a_model_cannot_send_a_call_elsewhere(context):
    peer = OpenAi(context, r"""call transfer {"target":"0190123456"}
call transfer {"target":"sales,1&PJSIP/evil"}
call transfer {"target":{"name":"sales"}}
call set_variable {"name":"SIDETONE_STATUS","value":"owned"}
call set_variable {"name":"SHELL(id)","value":"x"}
call set_variable {"name":"TOPIC","value":"cars, ${SHELL(id)}&PJSIP/evil\r\nX: y"}
call opening_hours {"weekday":"someday"}
call no_such_tool {"number":"5551234567"}
say I connect you with our sales team, one moment please.
call transfer {"target":"sales","context":"evil","extension":"666"}
""")
    house = House(context, plan_more=PLAN, agent_conf=f"""provider = openai
key = @env:TEST_OPENAI_KEY
url = {peer.url}
tools = opening_hours, transfer, set_variable
transfer = sales: test,2001,1
transfer_numbers = 20XX
transfer_context = inside
variables = TOPIC
mask = numbers
""", env={"TEST_OPENAI_KEY": KEY})
    house.start()
    caller = Caller(context, "wait-speech 30s\nwait-silence 900ms 30s\nsay what are your opening hours\nwait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    at = mark(house, "sales", 90)
    assert (at["Status"], at["Reason"], at["Topic"]) == ("OK", "sales", "cars    SHELL id   PJSIP/evil  X: y"), at
    assert caller.finish() == 0, caller.story()
    house.wait_fact("stasis.end")  # facts are written in batches
    told = house.facts("tool")
    assert [(t["name"], t["outcome"]) for t in told] == [
        ("transfer", "refused")] * 3 + [("set_variable", "refused")] * 2 + [("set_variable", "ok"), ("opening_hours", "refused"),
                                        ("no_such_tool", "refused"), ("transfer", "ok")] and all(t["ms"] >= 0 for t in told), told
    assert json.loads(told[7]["arguments"]) == {"number": "**********"}, told[7]
    answers = [json.loads(m["item"]["output"]) for m in peer.all("tool")]
    assert ["error" in a for a in answers] == [True] * 5 + [False, True, True], answers
    assert peer.all("complaint") == [], peer.moments
    # what was said before the transfer was heard to its end
    assert house.facts("agent.heard"), house.facts()
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_a_number_of_the_allowed_form_is_dialled_in_its_context(context):
    peer = OpenAi(context, 'call transfer {"target":"2100"}\ncall transfer {"target":"2017"}\n')
    house = House(context, plan_more=PLAN, agent_conf=f"""provider = openai
key = @env:TEST_OPENAI_KEY
url = {peer.url}
tools = transfer
transfer_numbers = 20XX
transfer_context = inside
""", env={"TEST_OPENAI_KEY": KEY})
    house.start()
    caller = Caller(context, "wait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    assert mark(house, "number", 60)["Number"] == "2017"
    assert caller.finish() == 0, caller.story()
    house.wait_fact("stasis.end")
    assert [t["outcome"] for t in house.facts("tool")] == ["refused", "ok"], house.facts("tool")
    house.nothing_left()


def test_a_number_that_does_not_exist_gives_the_call_back(context):
    """Asterisk would hang up."""
    peer = OpenAi(context, 'call transfer {"target":"2099"}\n')
    house = House(context, plan_more=PLAN, agent_conf=f"""provider = openai
key = @env:TEST_OPENAI_KEY
url = {peer.url}
tools = transfer
transfer_numbers = 20XX
transfer_context = inside
""", env={"TEST_OPENAI_KEY": KEY})
    house.start()
    caller = Caller(context, "wait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("ERROR", "no_such_place"), back
    assert caller.finish() == 0, caller.story()
    house.daemon.wait_log("event=no_such_place")
    house.nothing_left()


def local_house(context):
    house = House(context, plan_more=PLAN, agent_file=LOCAL, agent_conf="""provider = local
file = reception.agent
tools = transfer, set_variable, take_message, switch_agent
transfer = sales: test,2001,1
variables = TOPIC
switch_to = second
mask = numbers
""", extra="[agent second]\nprovider = local\nfile = second.agent\ntools = hand_back, hang_up\n")
    context.write("agents/second.agent", SECOND)
    house.start()
    return house


def test_the_embedded_agent_notes_takes_down_and_connects(context):
    house = local_house(context)
    caller = Caller(context, "wait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    press(house, caller, "2")
    house.wait_fact("agent.heard", item=2)
    press(house, caller, "3")
    house.wait_fact("message")
    house.wait_fact("agent.heard", item=3)
    press(house, caller, "1")
    at = mark(house, "sales", 60)
    assert (at["Status"], at["Reason"], at["Topic"]) == ("OK", "sales", "a new car"), at
    assert caller.finish() == 0, caller.story()
    house.wait_fact("stasis.end")
    assert [f["text"] for f in house.facts("agent.said")] == ["Hello.", "I noted that.", "I wrote that down.", "I connect you with our sales team."]
    assert house.facts("agent.heard")[-1]["item"] == 4, house.facts("agent.heard")  # the last words, whole
    message = house.facts("message")[0]
    assert (message["name"], message["text"]) == ("Ann", "please call me back on **********"), message
    # kept whole, and shown with the call
    db = sqlite3.connect(f"file:{house.state}/sidetone.db?mode=ro", uri=True, timeout=10)
    rows = db.execute("SELECT value FROM lookup WHERE table_name = 'messages'").fetchall()
    db.close()
    assert len(rows) == 1 and json.loads(rows[0][0])["text"] == "please call me back on 5551234567", rows
    code, out, err = run(context, "call", message["call"], "--config", house.conf)
    assert code == 0 and "please call me back" in out and "set_variable" in out, (out, err)
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_another_agent_goes_on_with_the_caller(context):
    house = local_house(context)
    caller = Caller(context, "wait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    press(house, caller, "4")
    house.wait_fact("agent.switch", agent="second")
    house.wait_fact("agent.said", text="Hello, I am the second one.")
    press(house, caller, "1")  # means nothing to the second one
    press(house, caller, "5")
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "second"), back
    assert caller.finish() == 0, caller.story()
    house.wait_fact("stasis.end")
    said = [f["text"] for f in house.facts("agent.said")]
    assert said[:3] == ["Hello.", "My colleague goes on.", "Hello, I am the second one."] and said[-1] == "Back you go.", said
    assert [(t["name"], t["outcome"]) for t in house.facts("tool")] == [("switch_agent", "ok"), ("hand_back", "ok")], house.facts("tool")
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_a_model_takes_a_message_and_another_agent_ends_the_call(context):
    peer = OpenAi(context, """call take_message {"number":"5551234567"}
call take_message {"text":"Please send the \\"blue\\" one.","name":"Ann","for":"sales"}
call switch_agent {"agent":"reception"}
call switch_agent {"agent":"second"}
""")
    house = House(context, agent_conf=f"""provider = openai
key = @env:TEST_OPENAI_KEY
url = {peer.url}
tools = take_message, switch_agent
switch_to = second
""", env={"TEST_OPENAI_KEY": KEY}, extra="[agent second]\nprovider = local\nfile = second.agent\ntools = hand_back, hang_up\n")
    context.write("agents/second.agent", SECOND)
    house.start()
    caller = Caller(context, "wait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    house.wait_fact("agent.said", text="Hello, I am the second one.")
    press(house, caller, "6")
    assert caller.finish() == 0, caller.story()
    end = house.wait_fact("talk.end")
    assert (end["how"], end["reason"]) == ("hang_up", "enough"), end
    assert [(t["name"], t["outcome"]) for t in house.facts("tool")] == [
        ("take_message", "refused"), ("take_message", "ok"), ("switch_agent", "refused"), ("switch_agent", "ok"), ("hang_up", "ok")], house.facts("tool")
    assert [(m["text"], m["name"], m["for"]) for m in house.facts("message")] == [('Please send the "blue" one.', "Ann", "sales")]
    assert peer.all("complaint") == [], peer.moments
    house.nothing_left()
    assert house.daemon.stop() == 0


class Service:
    """A service over HTTP that notes what it was asked."""

    def __init__(self, context):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                seen.append((self.command, self.path, self.headers.get("Authorization"), body))
                if "slow" in self.path:
                    time.sleep(1)
                status = 503 if "broken" in self.path else 302 if "away" in self.path else 200
                out = b"x" * 5000 if "long" in self.path else b'{"state":"on its way","lines":[1,2]}'
                try:
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(out)))
                    if status == 302:
                        self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                    self.end_headers()
                    self.wfile.write(out)
                except OSError:
                    pass               # it did not wait

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        thread.start()
        context.at_end(self.server.server_close)
        context.at_end(self.server.shutdown)


def test_a_service_is_a_tool_by_configuration(context):
    service = Service(context)
    calls = [({"id": "A7"}, None), ({"id": "a/../b?x=1#y\r\nHost: evil"}, None), ({"id": ".."}, "may not be"), ({"id": ""}, "at least 1"), ({}, "missing"),
             ({"id": "A7", "more": 1}, "not known"), ({"id": "broken"}, "status 503"), ({"id": "away"}, "status 302"), ({"id": "long"}, "too long"),
             ({"id": "slow"}, "in time")]
    peer = OpenAi(context, "".join(f"call order {json.dumps(args)}\n" for args, _ in calls) + """call note {"id":"A7","text":"say \\"hi\\"","urgent":true}
say Thank you, that is all.
call hand_back {"reason":"done"}
""")
    house = House(context, agent_conf=f"""provider = openai
key = @env:TEST_OPENAI_KEY
url = {peer.url}
tools = order, note, hand_back
""", extra=f"""[sidetone](+)
http_hosts = 127.0.0.1:{service.port}
[tool order]
url = http://127.0.0.1:{service.port}/orders/{{id}}?by=phone
header = Authorization: Bearer {{secret}}
secret = @env:CRM_TOKEN
description = The state of an order.
parameters = order.json
deadline = 400ms
answer_size = 4k
[tool note]
url = http://127.0.0.1:{service.port}/notes
method = post
body = {{"order":"{{id}}","note":"Caller: {{text}}","urgent":"{{urgent}}"}}
parameters = {{"type":"object","properties":{{"id":{{"type":"string"}},"text":{{"type":"string"}},"urgent":{{"type":"boolean"}}}},"required":["id","text"]}}
""", env={"TEST_OPENAI_KEY": KEY, "CRM_TOKEN": "crm-very-secret"})
    context.write("order.json", '{"type":"object","additionalProperties":false,"required":["id"],"properties":{"id":{"type":"string","minLength":1}}}')
    house.start()
    caller = Caller(context, "wait-speech 40s\nwait-silence 900ms 30s\nsay what are your opening hours\nwait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed(90)
    assert (back["Status"], back["Reason"]) == ("OK", "done"), (back, house.facts("tool"))
    assert caller.finish() == 0, caller.story()
    house.wait_fact("stasis.end")
    answers = [json.loads(m["item"]["output"]) for m in peer.all("tool")]
    assert len(answers) == len(calls) + 1, answers
    for (args, why), answer in zip(calls, answers):
        assert answer == {"state": "on its way", "lines": [1, 2]} if why is None else why in answer["error"], (args, why, answer)
    paths = [path for _, path, _, _ in service.seen]
    assert paths[:2] == ["/orders/A7?by=phone", "/orders/a%2F..%2Fb%3Fx%3D1%23y%0D%0AHost%3A%20evil?by=phone"], paths
    assert len(service.seen) == 2 + 4 + 1 and all(a == "Bearer crm-very-secret" for _, _, a, _ in service.seen[:6]), service.seen
    method, path, secret, body = service.seen[-1]
    assert (method, path, secret) == ("POST", "/notes", None), service.seen[-1]
    assert json.loads(body) == {"order": "A7", "note": 'Caller: say "hi"', "urgent": True}, body
    assert [t["outcome"] for t in house.facts("tool")] == ["ok", "ok", "failed", "refused", "refused", "refused", "failed", "failed", "failed", "timeout", "ok",
                                                           "ok"], house.facts("tool")
    assert "crm-very-secret" not in house.daemon.text() and "crm-very-secret" not in json.dumps(house.facts()), "a secret was told"
    house.nothing_left()
    assert house.daemon.stop() == 0
