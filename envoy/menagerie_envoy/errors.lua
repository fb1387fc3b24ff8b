-- Gives every error that a server raised its documented shape: {"$error_key": "the text"} under its documented status.
--
-- The transcoder, which runs before this filter on the way back, prints a failed call as google.rpc.Status:
--   {"code":3,"message":"the text","details":[{"@type":".../google.rpc.ErrorInfo","metadata":{"http_status":"422"}}]}
-- The message is kept as the JSON string literal that it is, so no text can need escaping again.

local GRPC_HEADERS = { "grpc-status", "grpc-message", "grpc-status-details-bin", "grpc-accept-encoding", "grpc-encoding" }

-- What gRPC itself says where it notices a deadline before the service does; callers get one text for both.
local TEXTS = { ['"Deadline Exceeded"'] = '"The deadline passed before the answer was ready."' }

local function remove_grpc_headers(headers)
  for _, name in ipairs(GRPC_HEADERS) do
    headers:remove(name)
  end
end

-- Returns the place just after the JSON string literal whose first character is at `first`.
local function end_of_string(json, first)
  local at = first
  while true do
    at = json:find('["\\]', at)
    if at == nil then return nil end
    if json:sub(at, at) == '"' then return at end
    at = at + 2
  end
end

-- Returns the message's literal with its quotes, and everything after it; nil where this is no google.rpc.Status.
local function split_status(json)
  local start = json:match('^{"code":%d+,"message":"()')
  if start == nil then
    local rest = json:match('^{"code":%d+(.*)$')
    return rest and '""', rest
  end
  local last = end_of_string(json, start)
  if last == nil then return nil end
  return json:sub(start - 1, last), json:sub(last + 1)
end

local function shape_error(handle)
  local body = handle:body()
  if body == nil then return end
  local message, rest = split_status(body:getBytes(0, body:length()))
  if message == nil then return end              -- Envoy's own reply has its shape already
  message = TEXTS[message] or message
  local headers = handle:headers()               -- the handle from before body() is dead
  local status = rest:match('"http_status":"([45]%d%d)"')
  local seconds = rest:match('"retry_?[dD]elay":"(%d+)')
  if status then headers:replace(":status", status) end
  if seconds then headers:replace("retry-after", seconds) end
  body:setBytes('{"$error_key":' .. message .. '}')
end

function envoy_on_response(handle)
  local headers = handle:headers()
  local status = tonumber(headers:get(":status"))
  local content_type = headers:get("content-type") or ""
  if status == 200 and content_type:find("^application/grpc") then return end -- native gRPC and gRPC-Web
  remove_grpc_headers(headers)
  if status >= 400 then
    if content_type == "application/json" then shape_error(handle) end
    return
  end
  local trailers = handle:trailers()
  if trailers then remove_grpc_headers(trailers) end
end
