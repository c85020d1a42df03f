-- Which actions are offered. A replay that is complete never goes on.
local function map(value) if type(value) == "table" then return value end return {} end
local spec, done = map(obj.spec), false
for _, condition in pairs(map(map(obj.status).conditions)) do
  condition = map(condition)
  if condition.type == "Complete" and condition.status == "True" then done = true end
end
return {
  ["suspend"] = {["disabled"] = done or spec.suspend == true},
  ["resume"] = {["disabled"] = done or spec.suspend ~= true},
}
