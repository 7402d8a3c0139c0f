/* One list of the facts: symbol, name, fields of the detail, one sentence. docs/tap.md and `sidetone tap --help` print it. */
#pragma once

#define FACTS(X) \
    X(FACT_CALL_STARTED, "call.started", "caller caller_name dialled context channel origin", \
      "A call began: its first channel exists. origin: inbound, originate, or unknown (it was under way when we began to watch).") \
    X(FACT_CALL_RINGING, "call.ringing", "channel number", "A phone that was dialled for the call rings, for the first time.") \
    X(FACT_CALL_ANSWERED, "call.answered", "by channel ring_us", "Somebody, or an application (app:NAME), speaks with the caller, for the first time.") \
    X(FACT_CALL_REKEYED, "call.rekeyed", "from into joined", \
      "The call's Linkedid changed. joined true: the call `into` existed, and the legs of `from` are now its own.") \
    X(FACT_CALL_ENDED, "call.ended", "(the whole record)", "The last channel of the call is gone, or nobody watched any more; the detail is the record.") \
    X(FACT_LEG_STARTED, "leg.started", "channel number name role", "A phone is dialled for the call; both halves of a Local channel are one leg.") \
    X(FACT_LEG_ANSWERED, "leg.answered", "channel number role", "A leg picked up.") \
    X(FACT_LEG_FOLDED, "leg.folded", "channel into", "A Local channel turned out to lead only to another leg, which takes its part; it is not told of again.") \
    X(FACT_LEG_JOINED, "leg.joined", "channel number role", "A running channel of another call became a leg of this one.") \
    X(FACT_LEG_DIALLED, "leg.dialled", "channel status forward", "The attempt to reach a leg is over; status is Asterisk's DialStatus.") \
    X(FACT_LEG_ENDED, "leg.ended", "channel number role cause", "A leg hung up; cause is Q.850.") \
    X(FACT_QUEUE_JOINED, "queue.joined", "queue position", "The caller waits in a queue.") \
    X(FACT_QUEUE_ANSWERED, "queue.answered", "queue agent interface wait_us", "An agent took the caller out of the queue.") \
    X(FACT_QUEUE_ABANDONED, "queue.abandoned", "queue position original_position wait_us", "The caller hung up while waiting.") \
    X(FACT_QUEUE_TIMED_OUT, "queue.timed_out", "queue wait_us", "The queue gave up on the caller; the dialplan goes on.") \
    X(FACT_QUEUE_LEFT, "queue.left", "queue wait_us why", "The caller left by key, or the queue was full or without agents; why is QUEUESTATUS, or key.") \
    X(FACT_AGENT_CALLED, "agent.called", "queue agent interface", "An agent's phone is dialled for the caller.") \
    X(FACT_AGENT_NO_ANSWER, "agent.no_answer", "queue agent interface ring_ms", "An agent did not answer in time.") \
    X(FACT_AGENT_COMPLETED, "agent.completed", "queue agent interface talk_s reason", "Agent and caller parted; reason: caller, agent or transfer.") \
    X(FACT_AGENT_DUMPED, "agent.dumped", "queue agent interface", "The agent hung up while the announcement to him was playing.") \
    X(FACT_AGENT_PAUSED, "agent.paused", "queue agent interface reason", "An agent is paused: the queue offers him no calls.") \
    X(FACT_AGENT_UNPAUSED, "agent.unpaused", "queue agent interface reason", "An agent takes calls of this queue again.") \
    X(FACT_AGENT_ADDED, "agent.added", "queue agent interface", "An agent became a member of the queue.") \
    X(FACT_AGENT_REMOVED, "agent.removed", "queue agent interface", "An agent is no longer a member of the queue.") \
    X(FACT_AGENT_LOGIN, "agent.login", "agent channel", "An agent of app_agent_pool logged in.") \
    X(FACT_AGENT_LOGOFF, "agent.logoff", "agent", "An agent of app_agent_pool logged off.") \
    X(FACT_TRANSFER_BLIND, "transfer.blind", "by by_channel transferee to context result", "Somebody sent the other party elsewhere without asking first.") \
    X(FACT_TRANSFER_ATTENDED, "transfer.attended", "by by_channel transferee to to_channel result", "Somebody asked a third party first, then joined the two.") \
    X(FACT_PICKUP, "call.picked_up", "channel target", "Another phone picked up a ringing call.") \
    X(FACT_PARK_PARKED, "park.parked", "space lot timeout_s channel", "The call is parked.") \
    X(FACT_PARK_RETRIEVED, "park.retrieved", "space lot by parked_s", "Somebody fetched the parked call.") \
    X(FACT_PARK_TIMED_OUT, "park.timed_out", "space lot parked_s", "Nobody fetched the parked call; it goes back.") \
    X(FACT_PARK_ABANDONED, "park.abandoned", "space lot parked_s", "The parked party hung up.") \
    X(FACT_HOLD_STARTED, "hold.started", "channel", "A leg put the other party on hold.") \
    X(FACT_HOLD_ENDED, "hold.ended", "channel held_us", "The hold is over: taken back, transferred or hung up.") \
    X(FACT_CONFERENCE_JOINED, "conference.joined", "conference channel", "The leg entered a conference.") \
    X(FACT_CONFERENCE_LEFT, "conference.left", "conference channel stayed_us", "The leg left the conference.") \
    X(FACT_AGI_STARTED, "agi.started", "script channel", "An AGI script has the channel; script is the application's argument, agi:async for AsyncAGI.") \
    X(FACT_AGI_ENDED, "agi.ended", "script channel ran_us commands result", "The AGI script gave the channel back; result is AGISTATUS, or \"\" when it was not seen.") \
    X(FACT_STASIS_STARTED, "stasis.started", "app channel", "The channel is in a Stasis application (ARI).") \
    X(FACT_STASIS_ENDED, "stasis.ended", "app channel stayed_us", "The channel left the Stasis application.") \
    X(FACT_RECORDING_STARTED, "recording.started", "file channel", "The leg is being recorded; file is \"\" when VarSet is not tapped.") \
    X(FACT_RECORDING_STOPPED, "recording.stopped", "channel", "The recording was stopped; one that runs to the end of the channel has no such fact.") \
    X(FACT_ORIGINATE_ANSWERED, "originate.answered", "channel context exten application", "An Originate reached somebody.") \
    X(FACT_ORIGINATE_FAILED, "originate.failed", "channel context exten application reason why", "An Originate reached nobody; reason is Asterisk's number.") \
    X(FACT_BREAK_IN, "break_in", "blocks disbelieved channel sample", \
      "Text of a caller (CR LF in a number) stood in the stream as lines of its own: told at once, then once a second with counts.")

#define FACT_SYMBOL(symbol_, name_, fields_, sentence_) symbol_,
enum fact { FACTS(FACT_SYMBOL) FACT_COUNT };
#undef FACT_SYMBOL
