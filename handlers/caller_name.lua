-- Gives the caller a name from the look-up table caller_name, then lets the call go on.
--   exten => 200,1,AGI(agi://127.0.0.1/caller-name,reception)
--   exten => 200,n,GotoIf($["${SIDETONE_STATUS}" = "HANDOFF"]?agent)
-- With the argument "reception" the call is handed to that agent afterwards.
function handle(call)
  local number = call.env.agi_callerid
  if number and number ~= "unknown" then
    local found, name = pcall(store.get, "caller_name", number)
    if found and name then
      call:set("CALLERID(name)", name)
    elseif not found then
      log.warn("no look-up for this call: " .. tostring(name)) -- the call goes on without a name
    end
  end
  if call:arg(1) == "reception" then
    call:hand_off("reception")
  end
end
