// A consumer of the npm package sqs-consumer: drains a queue by its URL, refuses what it is told to, and prints what it saw.
//   node consumer.mjs ENDPOINT QUEUE_NAME COUNT [REFUSED_ID]
// Prints one JSON line per message: {"id", "attribute", "receives", "refused"}. It ends when COUNT messages were taken.
import { createRequire } from "node:module";
const require = createRequire(process.env.MEF_PULL_MODULES + "/");
const { SQSClient, GetQueueUrlCommand, SendMessageCommand } = require("@aws-sdk/client-sqs");
const { Consumer } = require("sqs-consumer");

const [endpoint, name, count, refused] = process.argv.slice(2);
const sqs = new SQSClient({
  endpoint,
  region: "eu-central-1",
  credentials: { accessKeyId: "any", secretAccessKey: "any" },
});
const { QueueUrl: queueUrl } = await sqs.send(new GetQueueUrlCommand({ QueueName: name }));
try {
  await sqs.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: "{}" }));
  console.log(JSON.stringify({ sent: true }));
} catch (error) {
  console.log(JSON.stringify({ error: error.name, message: error.message }));
}
let taken = 0;
const consumer = Consumer.create({
  queueUrl,
  sqs,
  batchSize: 10,
  waitTimeSeconds: 1,
  attributeNames: ["All"],
  messageSystemAttributeNames: ["All"],
  messageAttributeNames: ["All"],
  handleMessageBatch: async (messages) => {
    const done = [];
    for (const message of messages) {
      const id = JSON.parse(message.Body).details?.mef?.id;
      const told = {
        id,
        attribute: message.MessageAttributes["mef-event-id"].StringValue,
        receives: Number(message.Attributes.ApproximateReceiveCount),
        refused: id === refused,
      };
      console.log(JSON.stringify(told));
      if (!told.refused) {
        done.push(message);
        taken += 1;
      }
    }
    return done;
  },
});
consumer.on("error", (error) => {
  console.error(error);
  process.exit(1);
});
consumer.on("processing_error", (error) => {
  console.error(error);
  process.exit(1);
});
// After the batch was deleted: a consumer that is stopped before leaves its last messages in flight.
consumer.on("response_processed", () => {
  if (taken >= Number(count)) consumer.stop();
});
consumer.on("stopped", () => process.exit(0));
consumer.start();
