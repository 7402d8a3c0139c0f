-- Asks the caller for a PIN, three times at most, and sets PIN_OK to 1 or 0.
--   exten => s,1,AGI(agi://127.0.0.1/pin-check,conference)
--    same => n,GotoIf($["${PIN_OK}" = "1"]?inside)
-- The argument names what is guarded: the row of the look-up table pins with that key holds the PIN. After three wrong tries
-- the caller's number is locked for ten minutes (table pin_locks). Give the route deadline = 90s.
local tries, digits_max, wait_ms, locked_s = 3, 8, 6000, 600

-- All digits are compared, whatever the first ones are.
local function same(a, b)
  local different = #a ~= #b
  for i = 1, math.max(#a, #b) do
    different = different or a:byte(i) ~= b:byte(i)
  end
  return not different
end

function handle(call)
  local name, caller = call:arg(1) or "default", call.env.agi_callerid
  local pin, locked = store.get("pins", name), tonumber(store.get("pin_locks", caller) or "0")
  call:set("PIN_OK", "0")
  if not pin then
    call:finish("ERROR", "no_pin")
  end
  if locked and locked > os.time() then
    call:finish("OK", "locked")
  end
  call:answer()
  for try = 1, tries do
    local typed = call:get_data(try == 1 and "vm-password" or "vm-incorrect", wait_ms, digits_max)
    if typed and same(typed, pin) then
      call:set("PIN_OK", "1")
      return
    end
  end
  store.put("pin_locks", caller, tostring(os.time() + locked_s))
  call:stream_file("vm-goodbye")
  call:finish("OK", "wrong_pin")
end
