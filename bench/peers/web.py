"""The least that a team writes with bottle: a route that parses the body, wraps it, and drops it. No proof is asked for, nothing is
validated or kept.
"""

import json

import bottle

SERVICE = "github"
bottle.BaseRequest.MEMFILE_MAX = 1_048_576
application = bottle.Bottle()


@application.post("/<name>")
def receive(name):
    message = {"source": name, "category": SERVICE, "tags": [SERVICE], "details": bottle.request.json}
    json.dumps(message)
    return ""
