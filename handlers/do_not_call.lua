-- Rejects callers who are on the look-up table do_not_call, and lets an operator's phone put numbers there.
--   exten => _X.,1,AGI(agi://127.0.0.1/do-not-call)
--    same => n,GotoIf($["${DNC}" = "1"]?refuse)
--   exten => 71,1,AGI(agi://127.0.0.1/do-not-call,add,${LAST_CALLER})
-- Sets DNC to 1 or 0. Row: key = the number, value = why. Without a look-up the call goes on: better one call too many than none.
local function digits(number)
  local plain = (number or ""):gsub("[^%d+]", "")
  return plain ~= "" and plain or nil
end

function handle(call)
  if call:arg(1) == "add" then
    local number = digits(call:arg(2))
    if not number then
      call:finish("ERROR", "no_number")
    end
    store.put("do_not_call", number, "added by " .. (digits(call.env.agi_callerid) or "unknown"))
    call:finish("OK", "added")
  end
  local number = digits(call.env.agi_callerid)
  local found, why = true, nil
  if number then
    found, why = pcall(store.get, "do_not_call", number)
  end
  if not found then
    log.warn("no look-up for this call: " .. tostring(why))
    why = nil
  end
  call:set("DNC", why and "1" or "0")
end
