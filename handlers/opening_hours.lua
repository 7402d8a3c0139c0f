-- Are we open? Sets OPEN to 1 or 0, and CLOSED_BECAUSE to hours, weekday or holiday.
--   exten => s,1,AGI(agi://127.0.0.1/opening-hours)
--    same => n,GotoIf($["${OPEN}" = "1"]?reception:closed)
-- Rows of the look-up table opening_times: key = weekday (monday...), value = "08:00-12:00 13:00-17:30", or "closed".
-- A row for a date (2026-12-24) goes before the weekday's. Without any row the hours below hold.
-- agi://host/opening-hours?now=2026-12-24T09:30 asks for another moment.
local default = { saturday = "closed", sunday = "closed" }
local usual = "09:00-17:00"
local names = { "sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday" }

local function moment(text)
  local year, month, day, hour, minute = (text or ""):match("^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d)$")
  if not year then
    return os.date("*t")
  end
  return os.date("*t", os.time({ year = year, month = month, day = day, hour = hour, min = minute }))
end

local function is_within(hours, minute)
  for from_h, from_m, to_h, to_m in hours:gmatch("(%d+):(%d+)%s*%-%s*(%d+):(%d+)") do
    if minute >= from_h * 60 + from_m and minute < to_h * 60 + to_m then
      return true
    end
  end
  return false
end

function handle(call)
  local now = moment(call:query("now"))
  local weekday = names[now.wday]
  local special = store.get("opening_times", ("%04d-%02d-%02d"):format(now.year, now.month, now.day))
  local hours = special or store.get("opening_times", weekday) or default[weekday] or usual
  local open = is_within(hours, now.hour * 60 + now.min)
  call:set("OPEN", open and "1" or "0")
  if not open then
    call:set("CLOSED_BECAUSE", special and "holiday" or hours:match("%d") and "hours" or "weekday")
  end
end
