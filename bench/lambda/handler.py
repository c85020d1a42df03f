"""What a team writes by hand in place of our function, to compare with: verifies Zoom's signature, answers its challenge,
wraps the event for MozDef, and sends it to SQS with boto3. No schema, no filter, no dead letters, no rotation.
"""
import base64
import hashlib
import hmac
import json
import os
import time

import boto3

SQS = boto3.client("sqs")
SECRETS = boto3.client("secretsmanager")
QUEUE = os.environ["MEF_QUEUE_URL"]
SERVICE = "zoom"
CACHE = {}


def secret():
    if CACHE.get("until", 0) < time.time():
        value = SECRETS.get_secret_value(SecretId=os.environ["SECRET_ARN"])["SecretString"]
        CACHE.update(value=value.encode(), until=time.time() + 300)
    return CACHE["value"]


def sign(text):
    return hmac.new(secret(), text, hashlib.sha256).hexdigest()


def answer(status, body=""):
    return {"statusCode": status, "body": body, "isBase64Encoded": False}


def handler(event, _context):
    headers = {name.lower(): value for name, value in (event["headers"] or {}).items()}
    body = event["body"] or ""
    raw = base64.b64decode(body) if event["isBase64Encoded"] else body.encode()
    sent = headers.get("x-zm-request-timestamp", "0")
    expected = "v0=" + sign(b"v0:" + sent.encode() + b":" + raw)
    if not hmac.compare_digest(expected, headers.get("x-zm-signature", "")) or abs(time.time() - int(sent)) > 300:
        return answer(401)
    parsed = json.loads(raw)
    if parsed.get("event") == "endpoint.url_validation":
        token = parsed["payload"]["plainToken"]
        return answer(200, json.dumps({"plainToken": token, "encryptedToken": sign(token.encode())}))
    message = {
        "hostname": f"{SERVICE}_host",
        "processname": SERVICE,
        "summary": f"{SERVICE}_event",
        "category": SERVICE,
        "source": "api_aws_lambda",
        "eventsource": f"{SERVICE}_api",
        "tags": [SERVICE],
        "details": parsed,
    }
    SQS.send_message(QueueUrl=QUEUE, MessageBody=json.dumps(message))
    return answer(200)
