"""What the MozDef Event Framework of 2019 did with a request, as a WSGI application: compares the token, parses the body,
wraps it for MozDef and sends it to SQS with boto3 before it answers. Nothing is validated, nothing is kept besides.
"""

import json
import os

import boto3

SQS = boto3.client("sqs", endpoint_url=os.environ["SQS_URL"], region_name="eu-central-1")
QUEUE = os.environ["SQS_URL"] + "/111122223333/events"
SERVICE = "github"


def application(environ, start_response):
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    if not (environ.get("HTTP_X_HUB_SIGNATURE_256") or environ.get("HTTP_X_ZM_SIGNATURE")):
        start_response("401 Unauthorized", [("Content-Length", "0")])
        return []
    message = {
        "hostname": f"{SERVICE}_host",
        "processname": SERVICE,
        "summary": f"{SERVICE}_event",
        "category": SERVICE,
        "source": "api_aws_lambda",
        "eventsource": f"{SERVICE}_api",
        "tags": [SERVICE],
        "details": json.loads(body),
    }
    SQS.send_message(QueueUrl=QUEUE, MessageBody=json.dumps(message))
    start_response("200 OK", [("Content-Length", "0")])
    return []
