-- A tool for agents: notes what a possible customer wants, one answer at a time. Rows of the look-up table leads: key = the call, value = JSON.
--
-- @description Notes one answer of the caller for the sales team.
-- @parameters {"type":"object","additionalProperties":false,"required":["field","value"],"properties":{
--   "field":{"type":"string","enum":["interest","size","when","company"]},
--   "value":{"type":"string","minLength":1,"maxLength":200}}}
function run(args, context)
  local row = store.get("leads", context.call)
  local lead = row and json.decode(row) or { number = context.caller_number or "", name = context.caller_name or "" }
  lead[args.field] = args.value
  store.put("leads", context.call, json.encode(lead))
  return { noted = args.value }
end
