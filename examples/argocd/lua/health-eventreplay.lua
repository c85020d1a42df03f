-- Health of an EventReplay, as the operator's conditions tell it. A replay that is complete is healthy, whatever failed again: it
-- has done its part, and the message has the numbers.
local function map(value) if type(value) == "table" then return value end return {} end
local function text(value) if type(value) == "string" then return value end return "" end

local metadata, spec, status = map(obj.metadata), map(obj.spec), map(obj.status)
local conditions = {}
for _, condition in pairs(map(status.conditions)) do
  condition = map(condition)
  conditions[text(condition.type)] = condition
end
local function is_true(name) return map(conditions[name]).status == "True" end
local function message(name) return text(map(conditions[name]).message) end

local observed = tonumber(status.observedGeneration)
if next(map(status.conditions)) == nil then
  return {status = "Progressing", message = "Waiting for the operator to look at it"}
end
if metadata.deletionTimestamp ~= nil then
  return {status = "Progressing", message = "Pending deletion"}
end
if is_true("Complete") then
  return {status = "Healthy", message = message("Complete")}
end
-- Not the condition: after a resume it is true until the operator has looked.
if spec.suspend == true then
  return {status = "Suspended", message = "The replay is stopped by spec.suspend"}
end
if observed == nil or observed < (tonumber(metadata.generation) or 0) then
  return {status = "Progressing", message = message("Reconciling")}
end
if is_true("Stalled") then
  return {status = "Degraded", message = message("Stalled")}
end
return {status = "Progressing", message = message("Ready")}
