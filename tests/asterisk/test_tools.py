"""Tools that act on the call, in a real Asterisk: where a transfer goes, what the dialplan finds, who talks next, what is kept."""
import json
import sqlite3

from caller import Caller
from daemon import run
from house import House
from openai import KEY, OpenAi

PLAN = """
exten => 2001,1,UserEvent(Mark,What: sales,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Topic: ${TOPIC})
 same => n,Hangup(16)

[inside]
exten => _20XX,1,UserEvent(Mark,What: number,Number: ${EXTEN},Reason: ${SIDETONE_REASON})
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


def local_house(context):
    house = House(context, plan_more=PLAN, agent_file=LOCAL, agent_conf="""provider = local
file = reception.agent
tools = transfer, set_variable, take_message, switch_agent
transfer = sales: test,2001,1
variables = TOPIC
switch_to = second
mask = numbers
""", extra="[agent second]\nprovider = local\nfile = second.agent\ntools = hand_back\n")
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
