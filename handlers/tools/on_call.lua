-- A tool for agents: who is on duty today? Rows of the look-up table on_call: key = the weekday, or default; value = who, in words.
--   default,doctor miller
--
-- @description Who is on duty today.
-- @parameters {"type":"object","properties":{}}
local weekdays = { "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday" }

function run(args, context)
  local who = store.get("on_call", weekdays[os.date("*t").wday]) or store.get("on_call", "default")
  if not who then
    error("nobody is on duty", 0)
  end
  return { who = who }
end
