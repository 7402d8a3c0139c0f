-- Chooses the queue of a call: a caller's own queue, then the language's, then the default.
--   exten => s,1,AGI(agi://127.0.0.1/queue-choice,support)
--    same => n,Queue(${QUEUE},,,,120)
-- The argument names the default queue. Rows of the look-up table queue_choice: key = a number, or "language:de"; value = "queue"
-- or "queue,priority". With a CRM, give the route http_hosts and replace `row` by http.get and json.decode.
local function row(key)
  local ok, value = pcall(store.get, "queue_choice", key)
  if not ok then
    log.warn("no look-up for this call: " .. tostring(value))
    return nil
  end
  return value
end

function handle(call)
  local env = call.env
  local choice = row(env.agi_callerid) or row("language:" .. env.agi_language) or call:arg(1) or "default"
  local queue, priority = choice:match("^([%w_.-]+),?(%d*)$")
  if not queue then
    call:finish("ERROR", "bad_row")
  end
  call:set("QUEUE", queue)
  if priority ~= "" then
    call:set("QUEUE_PRIO", priority)
  end
end
