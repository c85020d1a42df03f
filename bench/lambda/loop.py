"""The Runtime API's loop around a Python handler. AWS's own (awslambdaric) does more and costs more; this is the least."""
import http.client
import json
import os

from handler import handler

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    response = connection.getresponse()
    event = json.loads(response.read())
    answer = json.dumps(handler(event, None))
    request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
    connection.request("POST", f"/2018-06-01/runtime/invocation/{request_id}/response", answer)
    connection.getresponse().read()
