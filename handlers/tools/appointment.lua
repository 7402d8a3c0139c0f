-- A tool for agents: lists, books, tells and cancels appointments.
-- Rows of the look-up table appointments: key = 1, 2, 3 ... (in order of time), value = "when", or "when|number" once somebody has it:
--   1,tuesday at ten in the morning
-- The table appointment_of has the row that a caller's number booked. Two callers who take the same one within the same blink are
-- told apart by reading it back; a busy practice books in its own calendar, by an HTTP tool.
--
-- @description Appointments: list tells the next two free ones, book takes one of these, mine tells what this caller has, cancel gives it back.
-- @parameters {"type":"object","additionalProperties":false,"required":["action"],"properties":{
--   "action":{"type":"string","enum":["list","book","mine","cancel"]},
--   "choice":{"type":"integer","minimum":1,"maximum":2,"description":"of book: the first or the second of the list"}}}
local rows = 20

local function slot(key)
  local row = store.get("appointments", key)
  if not row then
    return nil
  end
  local when, who = row:match("^%s*(.-)%s*|%s*(.-)%s*$")
  return when or row, who ~= "" and who or nil
end

local function free()
  local found = {}
  for key = 1, rows do
    local when, who = slot(tostring(key))
    if when and not who then
      found[#found + 1] = { key = tostring(key), when = when }
    end
    if #found == 2 then
      break
    end
  end
  return found
end

local function book(choice, number)
  local one = free()[choice or 1]
  if not one then
    error("there is no free appointment", 0)
  end
  store.put("appointments", one.key, one.when .. "|" .. number)
  local _, who = slot(one.key)
  if who ~= number then
    error("somebody was faster, please ask for the list again", 0)
  end
  store.put("appointment_of", number, one.key)
  return { when = one.when }
end

local function mine(number)
  local key = store.get("appointment_of", number)
  local when, who = slot(key or "")
  if who ~= number then
    error("this caller has no appointment", 0)
  end
  return key, when
end

function run(args, context)
  local number = context.caller_number
  if args.action == "list" then
    local found = free()
    if #found == 0 then
      error("there is no free appointment", 0)
    end
    return { first = found[1].when, second = (found[2] or found[1]).when, count = #found }
  end
  if not number or number == "" then
    error("the caller's number is not known", 0)
  end
  if args.action == "book" then
    return book(args.choice, number)
  end
  local key, when = mine(number)
  if args.action == "cancel" then
    store.put("appointments", key, when)
    store.put("appointment_of", number, "")
  end
  return { when = when }
end
