-- A tool for agents: opens a ticket for the help desk. Rows of the look-up table tickets: key = the call's digits and the service,
-- value = JSON. The number that the caller is told is the end of these digits; one call has one ticket for each service.
--
-- @description Opens a ticket and gives its number, to be read to the caller.
-- @parameters {"type":"object","required":["service"],"properties":{
--   "service":{"type":"string","enum":["mail","network","telephone","printer","password","other"]},
--   "text":{"type":"string","maxLength":1000,"description":"what is wrong, in one or two sentences"}}}
function run(args, context)
  local digits = (context.call or ""):gsub("%D", "")
  local number = digits:sub(-6)
  local spoken = number:gsub("(.)", "%1 "):gsub("%s+$", "")
  store.put("tickets", digits .. "-" .. args.service, json.encode({
    ticket = number, service = args.service, text = args.text or "", call = context.call or "", number = context.caller_number or "",
    name = context.caller_name or "",
  }))
  return { ticket = spoken }
end
