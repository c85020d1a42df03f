-- Asks the operator to look now; status.lastHandledReconcileAt says when it has.
if type(obj.metadata) ~= "table" then obj.metadata = {} end
if type(obj.metadata.annotations) ~= "table" then obj.metadata.annotations = {} end
obj.metadata.annotations["events.mozdef.io/reconcile"] = os.date("!%Y-%m-%dT%XZ")
return obj
