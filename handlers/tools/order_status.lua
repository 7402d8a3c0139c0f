-- A tool for agents: where is an order? It tells nobody about somebody else's: the caller calls from the customer's number, or knows the
-- postcode; a model that is talked into something does not get further.
-- Rows of the look-up table orders: key = the order, value = "state in words|customer's number|postcode":
--   A1007,left our house on monday and arrives tomorrow|5551001|10117
-- Rows of order_of: key = a caller's number, value = the latest order.
--
-- @description The state of an order, in words to be spoken. Without an order number: the latest order of the caller's own number.
-- @parameters {"type":"object","additionalProperties":false,"properties":{
--   "order":{"type":"string","minLength":2,"maxLength":20},
--   "postcode":{"type":"string","maxLength":10,"description":"needed when the caller calls from another number"}}}
local function letters(text)
  return (text:upper():gsub("[^%w]", ""))
end

local function spelled(text)
  return (text:gsub("(.)", "%1 "):gsub("%s+$", ""))
end

function run(args, context)
  local number = context.caller_number or ""
  local order = args.order and letters(args.order) or (number ~= "" and store.get("order_of", number))
  if not order then
    error("there is no order of this number", 0)
  end
  local row = store.get("orders", order)
  local state, owner, postcode = (row or ""):match("^(.-)|(.-)|(.-)$")
  if not state then
    error("there is no order " .. spelled(order), 0)
  end
  if number ~= owner and (postcode == "" or letters(args.postcode or "") ~= letters(postcode)) then
    error("the postcode does not belong to this order", 0)
  end
  return { order = spelled(order), state = state }
end
