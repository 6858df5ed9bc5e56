-- Questions over HTTP for `wrk`: PATH=/v1/ask or /v1/search, one of the questions in turn.
-- wrk -t1 -c8 -d20s --latency -s benches/load.lua http://127.0.0.1:8080/v1/ask
local questions = {
  "What was revenue in fiscal 2022?", "What were capital expenditures in 2021?", "Who audits the company?",
  "What are the main risk factors?", "total inventories at year end 2019", "本次募集资金投资项目的总投资额是多少？",
  "2019年的营业收入是多少？", "公司的主要竞争对手有哪些？", "How many employees does the company have?", "net cash from operating activities",
}
local at = 0
request = function()
  at = at % #questions + 1
  local field = wrk.path:find("search") and "query" or "question"
  return wrk.format("POST", wrk.path, { ["Content-Type"] = "application/json" }, '{"' .. field .. '":"' .. questions[at] .. '"}')
end
