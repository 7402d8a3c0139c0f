-- A tool for agents: when are we open? Rows of the look-up table opening_hours: key = the weekday, value = "opens|closes", for example
--   monday,nine in the morning|five in the afternoon
-- Written as it is to be spoken. Without a row the default holds.
--
-- @description When the shop is open on a day, in words to be spoken.
-- @parameters {"type":"object","properties":{"weekday":{"type":"string","description":"in English; without it: today",
--   "enum":["sunday","monday","tuesday","wednesday","thursday","friday","saturday"]}}}
local default = { opens = "nine in the morning", closes = "five in the afternoon" }
local weekdays = {}
for day in ("sunday monday tuesday wednesday thursday friday saturday"):gmatch("%a+") do
  weekdays[#weekdays + 1] = day
  weekdays[day] = true
end

function run(args, context)
  local day = type(args.weekday) == "string" and args.weekday:lower() or ""
  if not weekdays[day] then
    day = weekdays[os.date("*t").wday]
  end
  local row = store.get("opening_hours", day)
  if row == "closed" then
    return { weekday = day, closed = true }
  end
  local opens, closes = (row or ""):match("^%s*(.-)%s*|%s*(.-)%s*$")
  return { weekday = day, opens = opens or default.opens, closes = closes or default.closes }
end
