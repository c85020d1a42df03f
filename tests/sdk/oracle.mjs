// What vendors' JavaScript libraries sign and accept, asked through JSON lines as `oracle.py` describes.
//
// It runs beside the folder node_modules, to which a copy of it is put; the clock of the process stands at the instant that
// is its only argument (Unix seconds).

import crypto from 'node:crypto';
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import https from 'node:https';
import { createRequire } from 'node:module';
import readline from 'node:readline';

import { LinearWebhookClient } from '@linear/sdk/webhooks';
import { sign as octokitSign, verify as octokitVerify } from '@octokit/webhooks-methods';

const now = Number(process.argv[2]) * 1000;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...values) {
    values.length ? super(...values) : super(now);
  }
  static now() {
    return now;
  }
};
// What a library prints is no answer.
for (const word of ['debug', 'error', 'info', 'log', 'warn']) console[word] = () => {};

// Those written as CommonJS are taken as their users take them.
const require = createRequire(import.meta.url);
const TEXT = { secret: 'a shared secret, as text', other_secret: 'another shared secret' };
const URL_ = 'https://hooks.example.org/hook';

const withHeaders = (request, headers) => ({ ...request, headers: { ...request.headers, ...headers } });

// A pair of keys per name: the public one is what our source has, the private one stays here.
function keyPairs(kind, options, exported) {
  const pairs = [0, 1].map(() => crypto.generateKeyPairSync(kind, options));
  return new Map(pairs.map(({ publicKey, privateKey }) => [exported(publicKey), privateKey]));
}

const octokit = {
  name: '@octokit/webhooks-methods (npm)',
  package: '@octokit/webhooks-methods',
  preset: 'github',
  ...TEXT,
  async sign(secret, request) {
    return withHeaders(request, { 'x-hub-signature-256': await octokitSign(secret, request.body) });
  },
  verify: (secret, { body, headers }) => octokitVerify(secret, body, headers['x-hub-signature-256']),
};

// Bolt exports its check of a request from this file only.
const bolt = {
  name: '@slack/bolt (npm)',
  package: '@slack/bolt',
  preset: 'slack',
  ...TEXT,
  verify(signingSecret, { body, headers }) {
    const { verifySlackRequest } = require('./node_modules/@slack/bolt/dist/receivers/verify-request.js');
    // As its HTTP receiver hands over the headers: a time that is missing is refused there.
    for (const name of ['x-slack-signature', 'x-slack-request-timestamp']) {
      if (!headers[name]) throw new Error(`${name} is missing`);
    }
    const time = Number(headers['x-slack-request-timestamp']);
    verifySlackRequest({ signingSecret, body, headers: { ...headers, 'x-slack-request-timestamp': time } });
  },
};

const linear = {
  name: '@linear/sdk (npm)',
  package: '@linear/sdk',
  preset: 'linear',
  ...TEXT,
  bodies: [
    '{"type":"Issue","action":"mark","webhookTimestamp":null}',
    '{ "type": "Issue", "text": "Zürich \\u00fc 🔑 mark",\n "webhookTimestamp": null }\n',
  ],
  verify: (secret, { body, headers }) =>
    new LinearWebhookClient(secret).verify(Buffer.from(body), headers['linear-signature']),
};

const { verifyWebhookSignature, signWebhookPayload } = require('@notionhq/client');

const notion = {
  name: '@notionhq/client (npm)',
  package: '@notionhq/client',
  preset: 'notion',
  ...TEXT,
  async sign(verificationToken, request) {
    const signature = await signWebhookPayload({ verificationToken, body: request.body });
    return withHeaders(request, { 'x-notion-signature': signature });
  },
  verify: (verificationToken, { body, headers }) =>
    verifyWebhookSignature({ verificationToken, body, signature: headers['x-notion-signature'] }),
};

const boxHeaders = (at) => ({
  'box-signature-version': '1',
  'box-signature-algorithm': 'HmacSHA256',
  'box-delivery-timestamp': new RealDate(at * 1000).toISOString().replace('.000', ''),
});

const box = (name, escape) => ({
  name,
  package: 'box-node-sdk',
  preset: 'box',
  ...TEXT,
  headers: { 'box-signature-version': '1', 'box-signature-algorithm': 'HmacSHA256' },
  bodies: [
    '{"type":"webhook_event","text":"mark"}',
    '{"type":"webhook_event","text":"Zürich 🔑 mark / \\/"}',
    '{"type":"webhook_event","text":"Zürich \\"mark\\""}',
  ],
  async sign(secret, request, at) {
    const { computeWebhookSignature } = require('./node_modules/box-node-sdk/lib/internal/utils.js');
    const headers = { ...request.headers, ...boxHeaders(at) };
    const signature = await computeWebhookSignature(request.body, headers, secret, escape);
    return withHeaders(request, { ...boxHeaders(at), 'box-signature-primary': signature });
  },
  verify(secret, { body, headers }) {
    const { WebhooksManager } = require('./node_modules/box-node-sdk/lib/managers/webhooks.js');
    return WebhooksManager.validateMessage(body, headers, secret);
  },
});

const { verifyKey } = require('discord-interactions');
const discordKeys = keyPairs('ed25519', {}, (key) => Buffer.from(key.export({ format: 'jwk' }).x, 'base64url').toString('hex'));
const discord = {
  name: 'discord-interactions (npm)',
  package: 'discord-interactions',
  preset: 'discord',
  secret: [...discordKeys.keys()][0],
  other_secret: [...discordKeys.keys()][1],
  signed_by: 'node:crypto',
  sign(secret, request, at) {
    const signature = crypto.sign(null, Buffer.from(`${at}${request.body}`), discordKeys.get(secret)).toString('hex');
    return withHeaders(request, { 'x-signature-timestamp': `${at}`, 'x-signature-ed25519': signature });
  },
  verify: (secret, { body, headers }) =>
    verifyKey(body, headers['x-signature-ed25519'], headers['x-signature-timestamp'], secret),
};

const MessageValidator = require('sns-validator');
const snsKeys = keyPairs('rsa', { modulusLength: 2048 }, (key) => key.export({ type: 'spki', format: 'pem' }));
const [snsKey, otherSnsKey] = snsKeys.keys();
const CERTIFICATE = `https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-${'0'.repeat(32)}.pem`;
// In place of the network: a public key where the certificate would be, which OpenSSL takes as well.
https.get = (url, answer) => {
  const response = new EventEmitter();
  response.statusCode = url === CERTIFICATE ? 200 : 404;
  answer(response);
  response.emit('data', snsKey);
  response.emit('end');
  return new EventEmitter();
};

const sns = (name, version, hash) => ({
  name,
  package: 'sns-validator',
  preset: 'sns',
  secret: snsKey,
  other_secret: otherSnsKey,
  keyless: true,
  signed_by: 'node:crypto',
  parameters: { topics: ['arn:aws:sns:eu-west-1:123456789012:security'] },
  network: { [CERTIFICATE]: snsKey },
  headers: { 'content-type': 'text/plain; charset=UTF-8' },
  bodies: ['{"Message":"mark"}', '{"Message":"Zürich 🔑 \\"mark\\"\\nline","Subject":"two"}'],
  sign(secret, request, at) {
    const message = {
      Type: 'Notification',
      MessageId: '1',
      TopicArn: 'arn:aws:sns:eu-west-1:123456789012:security',
      Timestamp: new RealDate(at * 1000).toISOString(),
      SignatureVersion: version,
      SigningCertURL: CERTIFICATE,
      ...JSON.parse(request.body),
    };
    const names = ['Message', 'MessageId', 'Subject', 'Timestamp', 'TopicArn', 'Type'].filter((name) => name in message);
    const text = names.map((name) => `${name}\n${message[name]}\n`).join('');
    message.Signature = crypto.sign(hash, Buffer.from(text), snsKeys.get(secret)).toString('base64');
    return { ...request, body: JSON.stringify(message) };
  },
  verify: (_, { body }) =>
    new Promise((resolve, reject) => new MessageValidator().validate(body, (error) => (error ? reject(error) : resolve(true)))),
});

const { AwsLambdaReceiver } = require('@zoom/rivet/accounts');

const zoom = {
  name: '@zoom/rivet (npm)',
  package: '@zoom/rivet',
  preset: 'zoom',
  ...TEXT,
  bodies: [
    '{"event":"meeting.started","payload":{"text":"mark"}}',
    '{"event":"meeting.started","payload":{"text":"Zürich 🔑 mark"}}',
    '{"event":"meeting.started","payload":{"text":"Z\\u00fcrich mark"}}',
    '{ "event": "meeting.started", "payload": {"text": "mark", "n": 1.0} }\n',
  ],
  async verify(webhooksSecretToken, { body, headers }) {
    const receiver = new AwsLambdaReceiver({ webhooksSecretToken });
    receiver.init({ eventEmitter: new EventEmitter() });
    const answer = await receiver.start()({ body, headers, isBase64Encoded: false }, {});
    if (answer.statusCode !== 200) throw new Error(answer.body);
  },
};

require('@shopify/shopify-api/adapters/node');
const { shopifyApi, ApiVersion } = require('@shopify/shopify-api');

const shopify = {
  name: '@shopify/shopify-api (npm)',
  package: '@shopify/shopify-api',
  preset: 'shopify',
  ...TEXT,
  // Beside the signature its check wants these, as every webhook has them.
  headers: {
    'content-type': 'application/json',
    'x-shopify-topic': 'customers/create',
    'x-shopify-shop-domain': 'example.myshopify.com',
    'x-shopify-webhook-id': '1',
    'x-shopify-api-version': '2026-01',
  },
  async verify(apiSecretKey, { method, url, body, headers }) {
    const shopify = shopifyApi({
      apiKey: 'key',
      apiSecretKey,
      apiVersion: Object.values(ApiVersion).at(-1),
      hostName: 'hooks.example.org',
      isEmbeddedApp: false,
      logger: { log: () => {} },
    });
    const rawRequest = { method, url, headers };
    const answer = await shopify.webhooks.validate({ rawBody: body, rawRequest, rawResponse: {} });
    if (!answer.valid) throw new Error(answer.reason);
  },
};

const { Signature } = require('@hubspot/api-client');

const hubspot = (version, url) => {
  const header = version === 'v3' ? 'x-hubspot-signature-v3' : 'x-hubspot-signature';
  const facts = (secret, request) => ({
    clientSecret: secret,
    method: request.method,
    url: request.url,
    requestBody: request.body,
    signatureVersion: version,
  });
  return {
    name: `@hubspot/api-client, ${version} (npm)`,
    package: '@hubspot/api-client',
    preset: `hubspot-${version}`,
    ...TEXT,
    url,
    headers: { 'content-type': 'application/json', 'x-hubspot-signature-version': version },
    sign(secret, request, at) {
      const timestamp = at * 1000;
      const signature = Signature.getSignature(request.method, version, { ...facts(secret, request), timestamp });
      const time = version === 'v3' ? { 'x-hubspot-request-timestamp': `${timestamp}` } : {};
      return withHeaders(request, { ...time, [header]: signature });
    },
    verify(secret, request) {
      const time = request.headers['x-hubspot-request-timestamp'];
      const timestamp = time === undefined ? undefined : Number(time);
      return Signature.isValid({ ...facts(secret, request), timestamp, signature: request.headers[header] });
    },
  };
};

const entries = [
  octokit,
  bolt,
  linear,
  notion,
  box('box-node-sdk (npm)', false),
  box('box-node-sdk, escaped (npm)', true),
  discord,
  sns('sns-validator, version 1 (npm)', '1', 'RSA-SHA1'),
  sns('sns-validator, version 2 (npm)', '2', 'RSA-SHA256'),
  zoom,
  shopify,
  hubspot('v1'),
  hubspot('v2'),
  hubspot('v3', `${URL_}?portal=1`),
];

const version = (name) =>
  JSON.parse(fs.readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;
const find = (question) => entries.find((entry) => entry.name === question.library);

const operations = {
  libraries: () =>
    entries.map(({ sign, verify, package: name, ...facts }) => ({ ...facts, version: version(name), signs: !!sign })),
  async sign(question) {
    return { request: await find(question).sign(question.secret, question.request, question.at) };
  },
  async verify(question) {
    try {
      const accepted = await find(question).verify(question.secret, question.request);
      return { accepted: accepted !== false, said: `${accepted}` };
    } catch (error) {
      // Libraries refuse by exceptions of every kind, those of a missing header among them.
      return { accepted: false, said: `${error}` };
    }
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(await operations[question.op](question))}\n`);
}
