-- Health of an EventSource, as the operator's conditions tell it. Without it Argo CD takes every EventSource for healthy as
-- soon as it exists, and sync waves do not wait.
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

-- The CRD sets observedGeneration to -1 until the operator has looked.
local observed = tonumber(status.observedGeneration)
if next(map(status.conditions)) == nil then
  return {status = "Progressing", message = "Waiting for the operator to look at it"}
end
if metadata.deletionTimestamp ~= nil then
  local why = message("Ready")
  if why == "" then why = "Pending deletion" end
  return {status = "Progressing", message = why}
end
-- Not the condition: after a resume it is true until the operator has looked.
if spec.suspend == true then
  return {status = "Suspended", message = "Changes are stopped by spec.suspend; what serves keeps serving"}
end
if observed == nil or observed < (tonumber(metadata.generation) or 0) then
  return {status = "Progressing", message = message("Reconciling")}
end
if is_true("Stalled") then
  return {status = "Degraded", message = message("Stalled")}
end
if is_true("Reconciling") then
  return {status = "Progressing", message = message("Reconciling")}
end
if is_true("Ready") then
  local said = message("Ready")
  -- Not Degraded: one bad event must not stop the waves of an application.
  if is_true("DeadLettersPresent") then said = said .. "; " .. message("DeadLettersPresent") end
  return {status = "Healthy", message = said}
end
return {status = "Progressing", message = message("Ready")}
