"""Reads a queue as MozDef does, by name through boto3, and looks at it from outside.

    boto.py ENDPOINT QUEUE COUNT

COUNT events with `maxReceiveCount` 2 lie in QUEUE. One of them is never deleted, and must come to the dead letters. Ends
with an assertion where something is not as in SQS; prints one line per thing seen.
"""

import hashlib
import json
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT, QUEUE, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
WHO = dict(
    region_name="eu-central-1",
    aws_access_key_id="any",
    aws_secret_access_key="any",
    config=Config(retries={"max_attempts": 1}),
)
client = boto3.client("sqs", endpoint_url=ENDPOINT, **WHO)


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        found = error.response["Error"]
        assert found["Code"] == code, found
        return found["Message"]
    raise AssertionError(f"{call} {arguments} was not refused")


def depths(url):
    got = client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return int(got["ApproximateNumberOfMessages"]), int(got["ApproximateNumberOfMessagesNotVisible"])


def receive(url, **more):
    wanted = dict(MaxNumberOfMessages=10, AttributeNames=["All"], MessageAttributeNames=["All"])
    return client.receive_message(QueueUrl=url, **{**wanted, **more}).get("Messages", [])


urls = client.list_queues(QueueNamePrefix="mef-")["QueueUrls"]
assert sorted(url.rsplit("/", 1)[1] for url in urls) == [QUEUE, QUEUE + "-dlq"], urls
assert "QueueUrls" not in client.list_queues(QueueNamePrefix="other") or not client.list_queues(QueueNamePrefix="other")["QueueUrls"]
queue = boto3.resource("sqs", endpoint_url=ENDPOINT, **WHO).get_queue_by_name(QueueName=QUEUE)
url, dead = queue.url, client.get_queue_url(QueueName=QUEUE + "-dlq")["QueueUrl"]
policy = json.loads(queue.attributes["RedrivePolicy"])
assert str(policy["maxReceiveCount"]) == "2", policy
assert policy["deadLetterTargetArn"] == client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
assert depths(url) == (COUNT, 0), depths(url)
print("opened by name; depth", COUNT)

# One is taken and hidden for six seconds; nobody else sees it meanwhile.
[poison] = receive(url, MaxNumberOfMessages=1, VisibilityTimeout=6)
hidden_until = time.monotonic() + 6
assert poison["MD5OfBody"] == hashlib.md5(poison["Body"].encode()).hexdigest()
event_id = poison["MessageAttributes"]["mef-event-id"]["StringValue"]
assert poison["Attributes"]["ApproximateReceiveCount"] == "1", poison["Attributes"]
assert abs(int(poison["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 600
assert depths(url) == (COUNT - 1, 1), depths(url)
others = []
while batch := receive(url):
    others += batch
assert len({one["MessageId"] for one in others}) == COUNT - 1
assert poison["MessageId"] not in {one["MessageId"] for one in others}
assert time.monotonic() < hidden_until, "it took too long to tell"
print("hidden while it is held")

# A long poll waits for it to come back.
[again] = receive(url, WaitTimeSeconds=20, VisibilityTimeout=60)
assert time.monotonic() >= hidden_until - 0.1
assert again["MessageId"] == poison["MessageId"] and again["Attributes"]["ApproximateReceiveCount"] == "2"
print("redelivered after its visibility timeout")

# The old handle no longer hides it; the new one gives it back at once.
refused("AWS.SimpleQueueService.MessageNotInflight", client.change_message_visibility,
        QueueUrl=url, ReceiptHandle=poison["ReceiptHandle"], VisibilityTimeout=5)
client.change_message_visibility(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0)
assert receive(url, WaitTimeSeconds=1) == [], "received twice, it must not come a third time"
[letter] = receive(dead, WaitTimeSeconds=5)
assert letter["MessageAttributes"]["mef-event-id"]["StringValue"] == event_id
assert letter["Body"] == poison["Body"]
assert letter["Attributes"]["DeadLetterQueueSourceArn"] == queue.attributes["QueueArn"]
client.change_message_visibility(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"], VisibilityTimeout=0)
assert depths(dead) == (1, 0), depths(dead)
print("moved to the dead letters after two receives")

# Batches: changed, deleted, and one entry that is wrong.
handles = [one["ReceiptHandle"] for one in others]
changed = client.change_message_visibility_batch(QueueUrl=url, Entries=[
    {"Id": "good", "ReceiptHandle": handles[0], "VisibilityTimeout": 120},
    {"Id": "stale", "ReceiptHandle": poison["ReceiptHandle"], "VisibilityTimeout": 120},
])
assert [one["Id"] for one in changed["Successful"]] == ["good"], changed
assert [(one["Id"], one["SenderFault"]) for one in changed["Failed"]] == [("stale", True)], changed
for start in range(0, len(handles), 10):
    entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles[start:start + 10])]
    deleted = client.delete_message_batch(QueueUrl=url, Entries=entries)
    assert len(deleted["Successful"]) == len(entries) and not deleted.get("Failed"), deleted
client.delete_message(QueueUrl=url, ReceiptHandle=handles[0])  # Twice is no error.
assert depths(url) == (0, 0), depths(url)
print("drained")

begun = time.monotonic()
assert receive(url, WaitTimeSeconds=1) == []
assert 0.9 < time.monotonic() - begun < 3
attributes = client.receive_message(QueueUrl=dead, MessageAttributeNames=["mef-event.*"])["Messages"][0]
assert list(attributes["MessageAttributes"]) == ["mef-event-id"], attributes
client.delete_message(QueueUrl=dead, ReceiptHandle=attributes["ReceiptHandle"])

said = refused("AWS.SimpleQueueService.UnsupportedOperation", client.send_message, QueueUrl=url, MessageBody="{}")
assert "filled by its source alone" in said, said
refused("AWS.SimpleQueueService.UnsupportedOperation", client.purge_queue, QueueUrl=url)
said = refused("AWS.SimpleQueueService.NonExistentQueue", client.get_queue_url, QueueName="nobody")
assert QUEUE in said, said
try:
    client.get_queue_url(QueueName="nobody")
except client.exceptions.QueueDoesNotExist:
    pass
refused("InvalidParameterValue", client.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
refused("InvalidParameterValue", client.receive_message, QueueUrl=url, WaitTimeSeconds=21)
refused("ReceiptHandleIsInvalid", client.delete_message, QueueUrl=url, ReceiptHandle="nonsense")
refused("InvalidAttributeName", client.get_queue_attributes, QueueUrl=url, AttributeNames=["Nonsense"])
refused("AWS.SimpleQueueService.BatchEntryIdsNotDistinct", client.delete_message_batch, QueueUrl=url,
        Entries=[{"Id": "a", "ReceiptHandle": handles[0]}, {"Id": "a", "ReceiptHandle": handles[0]}])
refused("AWS.SimpleQueueService.EmptyBatchRequest", client.delete_message_batch, QueueUrl=url, Entries=[])
print("errors have their codes")
