"""The shipped agents, each in a scripted conversation with its sample data: keys, answers, rows, and where the call goes in the end."""
import json
import os
import sqlite3

from caller import Caller
from daemon import run
from house import House
from test_tools import mark, press

DESKS = """
exten => desk-front,1,UserEvent(Mark,What: desk,Desk: front,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Topic: ${TOPIC})
 same => n,Hangup(16)
exten => desk-other,1,UserEvent(Mark,What: desk,Desk: other,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Topic: ${TOPIC})
 same => n,Hangup(16)
"""


class Talk:
    """One call with a shipped agent, by keys: each cuts the answer before it, so that nobody waits for long sentences."""

    def __init__(self, context, agent, conf, tables, number="5551001"):
        self.house = House(context, plan_more=DESKS, agent_conf=f"provider = local\nfile = {agent}.agent\n{conf}")
        for table in tables:
            rows = os.path.join(context.root, "agents", "data", f"{table}.csv")
            code, out, err = run(context, "store", "import", table, rows, "--db", os.path.join(self.house.state, "sidetone.db"))
            assert code == 0, out + err
        self.house.start()
        self.caller = Caller(context, "wait-hangup 60s\n")
        self.said = 1
        self.house.ami.originate(self.caller.channel, "test", "talk", caller=number)
        self.house.wait_fact("agent.said", item=1)

    def press(self, digit):
        """What the agent says then."""
        press(self.house, self.caller, digit)
        self.said += 1
        return self.house.wait_fact("agent.said", item=self.said)["text"]

    def rows(self, table):
        db = sqlite3.connect(f"file:{self.house.state}/sidetone.db?mode=ro", uri=True, timeout=10)
        found = dict(db.execute("SELECT key, value FROM lookup WHERE table_name = ?", (table,)).fetchall())
        db.close()
        return found

    def over(self, tools):
        assert self.caller.finish() == 0, self.caller.story()
        self.house.wait_fact("stasis.end")
        assert [(t["name"], t["outcome"]) for t in self.house.facts("tool")] == tools, self.house.facts("tool")
        self.house.nothing_left()
        assert self.house.daemon.stop() == 0


def test_appointments_are_listed_booked_told_and_cancelled(context):
    talk = Talk(context, "appointments", "tools = appointment, transfer, hang_up\ntransfer = front desk: test,desk-front,1", ["appointments"])
    assert "tuesday at eleven in the morning, and on wednesday" in talk.press("1")
    assert "I find no appointment" in talk.press("4")
    assert "You have the appointment on wednesday at two" in talk.press("3")
    assert "Your appointment is on wednesday at two" in talk.press("4")
    assert "tuesday at eleven in the morning, and on thursday" in talk.press("1")
    assert talk.rows("appointments")["3"] == "wednesday at two in the afternoon|5551001", talk.rows("appointments")
    assert "is cancelled" in talk.press("5")
    assert talk.rows("appointments")["3"] == "wednesday at two in the afternoon", talk.rows("appointments")
    assert "front desk" in talk.press("0")
    at = mark(talk.house, "desk")
    assert (at["Desk"], at["Status"], at["Reason"]) == ("front", "OK", "front desk"), at
    talk.over([("appointment", "ok"), ("appointment", "failed")] + [("appointment", "ok")] * 4 + [("transfer", "ok")])


def test_orders_are_told_to_their_owner(context):
    talk = Talk(context, "orders", "tools = order_status, take_message, transfer\ntransfer = orders: test,desk-front,1", ["orders", "order_of"])
    assert talk.press("1") == "Your order A 1 0 0 7 left our house on monday and arrives tomorrow."
    assert "within thirty days" in talk.press("2")
    assert "I wrote that down" in talk.press("3")
    kept = [json.loads(v) for v in talk.rows("messages").values()]
    assert [(m["for"], m["caller_number"]) for m in kept] == [("orders", "5551001")], kept
    talk.press("0")
    assert mark(talk.house, "desk")["Reason"] == "orders"
    talk.over([("order_status", "ok"), ("take_message", "ok"), ("transfer", "ok")])


def test_orders_are_not_told_to_others(context):
    talk = Talk(context, "orders", "tools = order_status, take_message, transfer\ntransfer = orders: test,desk-front,1", ["orders", "order_of"],
                number="5550000")
    assert "I find no order" in talk.press("1")
    assert talk.press("9").startswith("Thank you for calling")
    talk.over([("order_status", "failed")])


def test_the_help_desk_knows_trouble_and_opens_tickets(context):
    talk = Talk(context, "helpdesk", "tools = service_state, open_ticket, transfer\ntransfer = technician: test,desk-other,1", ["service_state"])
    assert talk.press("1").startswith("Mail has been slow since nine o'clock.")
    assert talk.press("2").startswith("We know of no trouble with that.")
    spoken = talk.press("3")
    tickets = [json.loads(v) for v in talk.rows("tickets").values()]
    assert [t["service"] for t in tickets] == ["password"] and " ".join(tickets[0]["ticket"]) in spoken, (tickets, spoken)
    talk.press("0")
    assert mark(talk.house, "desk")["Desk"] == "other"
    talk.over([("service_state", "ok")] * 2 + [("open_ticket", "ok"), ("transfer", "ok")])


def test_after_hours_urgent_calls_reach_the_one_on_duty(context):
    talk = Talk(context, "after_hours", "tools = on_call, opening_hours, take_message, transfer\ntransfer = on duty: test,desk-other,1",
                ["on_call", "opening_hours"])
    assert talk.press("3").startswith("On duty is doctor ")
    assert "in the morning" in talk.press("2")
    assert [json.loads(v)["for"] for v in talk.rows("messages").values()] == ["front desk"]
    assert talk.press("1").startswith("Stay on the line.")
    assert mark(talk.house, "desk")["Reason"] == "on duty"
    talk.over([("on_call", "ok"), ("take_message", "ok"), ("transfer", "ok")])


def test_sales_asks_first_and_connects_then(context):
    talk = Talk(context, "sales", "tools = sales_lead, set_variable, take_message, transfer\nvariables = TOPIC\n"
                "transfer = sales: test,desk-front,1\ntransfer = customers: test,desk-other,1", [])
    assert "small team, or for a large company" in talk.press("1")
    assert "talk with us now" in talk.press("4")
    leads = [json.loads(v) for v in talk.rows("leads").values()]
    assert [(lead["interest"], lead["number"]) for lead in leads] == [("new contract", "5551001")], leads
    talk.press("5")
    at = mark(talk.house, "desk")
    assert (at["Desk"], at["Reason"], at["Topic"]) == ("front", "sales", "large company"), at
    talk.over([("sales_lead", "ok"), ("set_variable", "ok"), ("transfer", "ok")])


def test_a_phrase_of_each_agent_is_understood(context):
    """By sound: synthesised here, recognised with the agent's grammar."""
    for agent, phrase, intent in (("appointments", "which appointments are free", "list"), ("orders", "where is my order", "status"),
                                  ("helpdesk", "i forgot my password", "password"), ("after_hours", "who is on duty tonight", "who"),
                                  ("sales", "i am a customer already", "customer")):
        made = context.path(f"{agent}.wav")
        code, _, err = run(context, "sim", "say", phrase, "--voice", "rms", "--output", made)
        assert code == 0, err
        code, out, err = run(context, "sim", "recognise", made, "--agent", os.path.join(context.root, "agents", f"{agent}.agent"), "--json")
        assert code == 0, (agent, out, err)
        heard = json.loads(out)
        assert (heard["words"], heard["intent"]) == (phrase, intent), heard
