-- Which actions are offered.
local spec = obj.spec
if type(spec) ~= "table" then spec = {} end
return {
  ["reconcile"] = {["disabled"] = false},
  ["suspend"] = {["disabled"] = spec.suspend == true},
  ["resume"] = {["disabled"] = spec.suspend ~= true},
}
