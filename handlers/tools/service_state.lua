-- A tool for agents: does a service work? Rows of the look-up table service_state: key = the service, value = a sentence. No row: it works.
--   mail,Mail has been slow since nine o'clock. We are working on it.
--
-- @description Whether a service works at the moment, as a sentence to be spoken.
-- @parameters {"type":"object","required":["service"],"properties":{
--   "service":{"type":"string","enum":["mail","network","telephone","printer"]}}}
function run(args, context)
  local state = store.get("service_state", args.service)
  return { service = args.service, disturbed = state ~= nil, state = state or "We know of no trouble with that." }
end
