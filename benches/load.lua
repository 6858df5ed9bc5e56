-- Questions over HTTP for `wrk`: PATH=/v1/ask or /v1/search, one of the questions in turn. Ends with the latencies of those that
-- were answered and of those that were turned away (429, 503), each by its own clock: the time stands in the id of the request.
-- wrk -t1 -c32 -d20s -s benches/load.lua http://127.0.0.1:8080/v1/ask [obey]
-- With `obey` whoever is turned away comes back after the time that Retry-After names; without it, at once.
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long ns; } moment; int clock_gettime(int, moment *);")
local moment = ffi.new("moment")
local function now()
  ffi.C.clock_gettime(1, moment)
  return tonumber(moment.s) * 1e6 + tonumber(moment.ns) / 1e3
end

local questions = {
  "What was revenue in fiscal 2022?", "What were capital expenditures in 2021?", "Who audits the company?",
  "What are the main risk factors?", "total inventories at year end 2019", "本次募集资金投资项目的总投资额是多少？",
  "2019年的营业收入是多少？", "公司的主要竞争对手有哪些？", "How many employees does the company have?", "net cash from operating activities",
}
local threads = {}
local at, obey, due = 0, false, {}
answered, shed, without, other = {}, {}, 0, 0

function setup(thread)
  table.insert(threads, thread)
end

function init(arguments)
  obey = arguments[1] == "obey"
end

-- The delay of a connection whose request was turned away a moment ago.
function delay()
  return table.remove(due, 1) or 0
end

function request()
  at = at % #questions + 1
  local field = wrk.path:find("search") and "query" or "question"
  local mode = field == "question" and ',"mode":"extractive"' or ""
  local headers = { ["Content-Type"] = "application/json", ["X-Request-Id"] = string.format("%.0f", now()) }
  return wrk.format("POST", wrk.path, headers, '{"' .. field .. '":"' .. questions[at] .. '"' .. mode .. "}")
end

function response(status, headers)
  local sent, after = nil, nil
  for name, value in pairs(headers) do
    name = name:lower()
    if name == "x-request-id" then sent = tonumber(value) end
    if name == "retry-after" then after = tonumber(value) end
  end
  local took = now() - (sent or now())
  if status == 200 then
    table.insert(answered, took)
  elseif status == 429 or status == 503 then
    table.insert(shed, took)
    if not after then without = without + 1 end
    if obey then table.insert(due, (after or 1) * 1000) end
  else
    other = other + 1
  end
end

local function told(name, times, seconds)
  table.sort(times)
  local function share(p) return times[math.max(1, math.ceil(p * #times))] / 1e3 end
  if #times == 0 then return print(string.format("%-12s none", name)) end
  print(string.format("%-12s %8.1f/s  p50 %8.1f ms  p95 %8.1f ms  p99 %8.1f ms  longest %8.1f ms  (%d)", name, #times / seconds, share(0.5), share(0.95),
    share(0.99), times[#times] / 1e3, #times))
end

function done(summary)
  local all = { answered = {}, shed = {} }
  local none, strange = 0, 0
  for _, thread in ipairs(threads) do
    for name, times in pairs(all) do
      for _, took in ipairs(thread:get(name)) do table.insert(times, took) end
    end
    none, strange = none + thread:get("without"), strange + thread:get("other")
  end
  told("answered", all.answered, summary.duration / 1e6)
  told("turned away", all.shed, summary.duration / 1e6)
  print(string.format("turned away without Retry-After %d, other answers %d", none, strange))
end
