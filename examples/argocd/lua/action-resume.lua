-- Lets changes through again. The field goes, as in a file that never had it.
if type(obj.spec) == "table" then obj.spec.suspend = nil end
return obj
