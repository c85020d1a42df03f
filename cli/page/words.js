// Words: of stages and reasons, of times and sizes.

export const STAGES = ["receive", "challenge", "verify", "parse", "validate", "filter", "transform", "envelope", "deliver"];

/** Why a request was refused or an event is a dead letter, and what to do. */
export const REASONS = {
  "missing-signature": "There is no signature or token where the provider puts it. Is the webhook set up with the secret?",
  malformed: "The signature, token or time cannot be read, or stands there twice.",
  mismatch: "No valid secret fits the signature. A secret was changed on one side only, or somebody tries.",
  stale: "The signed time is too old. A clock is wrong, or the sender does not sign its retries anew.",
  future: "The signed time is in the future. A clock is wrong.",
  "no-valid-secret": "No secret of the source is valid at this time: look at notBefore and notAfter.",
  "challenge-guard": "A handshake whose text is not what the provider sends, or an event that a handshake would sign for anybody. It was not taken.",
  "not-a-challenge": "The method is for handshakes only, and this is none.",
  "too-large-for-queue": "One of its events fits neither the queue nor the dead letters.",
  "keys-unavailable": "The sender's public keys could not be fetched. It was asked to come again.",
  "unknown-key": "The signature names a key that the sender does not publish.",
  "not-allowed": "The request names an algorithm, an address of keys or a certificate that the source does not accept.",
  "wrong-claims": "The signed token was made by or for somebody else: look at webhook.parameters.",
  "peer-not-allowed": "The sender's address is not among those allowed, or cannot be told: look at webhook.trustedHops.",
  "untrusted-front": "A client certificate in a header, from a peer that is no proxy of yours: look at webhook.trustedHops.",
  method: "The source does not take this method.",
  probe: "The operator asked whether the URL is this source's; such a request is never an event.",
  "body-too-large": "The body is larger than webhook.maxBodyBytes.",
  "body-timeout": "The body did not come in time.",
  "body-malformed": "The body broke off or was framed wrongly.",
  aborted: "The sender went away before its body was complete.",
  queue: "The queue took nothing in time. The sender was asked to come again; nothing was acknowledged.",
  memory: "Too many bytes of bodies are held already. The sender was asked to come again.",
  handshake: "What a handshake asks for could not be done, as the call that confirms a subscription. The sender was asked to come again.",
  internal: "A defect of the program; please report it. The sender was asked to come again.",
  unparsable: "No JSON, form or NDJSON, or a required key is missing.",
  schema: "The schema refuses it.",
  transform: "The filter or the transform failed.",
  oversize: "The message is larger than the queue takes.",
  undeliverable: "The queue refused it for good.",
  undelivered: "The queue could not be reached in time, and the sender never sends again.",
  redrive: "A consumer received it too often without deleting it. It is the finished message.",
};

export const DEAD_REASONS = ["unparsable", "schema", "transform", "oversize", "undeliverable", "undelivered", "redrive"];
export const REJECT_REASONS = Object.keys(REASONS).filter((reason) => !DEAD_REASONS.includes(reason));

/** What became of a request, in the words of the list. */
export function became(row) {
  if (row.outcome !== "accepted") return { word: row.outcome, tone: row.outcome === "challenged" ? "good" : "bad" };
  if (row.deadLettered > 0) return { word: "dead letter", tone: "warn" };
  if (row.delivered > 0) return { word: "delivered", tone: "good" };
  if (row.duplicates > 0) return { word: "duplicate", tone: "plain" };
  return { word: "filtered", tone: "plain" };
}

const TONES = { passed: "good", answered: "good", failed: "bad", dropped: "plain", none: "none", "not reached": "off" };
const GLYPHS = { passed: "✓", answered: "✓", failed: "✕", dropped: "–", none: "·", "not reached": "" };

export const toneOf = (verdict) => TONES[verdict] ?? "off";
export const glyphOf = (verdict) => GLYPHS[verdict] ?? "";

const two = (number, digits = 2) => String(number).padStart(digits, "0");

/** The time of the day, in this machine's zone; with the date where it is another day. */
export function clock(text) {
  const at = new Date(text);
  const time = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${two(at.getMilliseconds(), 3)}`;
  return at.toDateString() === new Date().toDateString() ? time : `${two(at.getMonth() + 1)}-${two(at.getDate())} ${time.slice(0, 8)}`;
}

/** Milliseconds as a person reads them. */
export function took(milliseconds) {
  if (milliseconds === null || milliseconds === undefined) return "–";
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`;
  return milliseconds < 10000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Bytes as a person reads them. */
export function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1048576).toFixed(1)} MiB`;
}

/** `1 event`, `2 events`. */
export const plural = (count, one) => `${count.toLocaleString("en")} ${one}${count === 1 ? "" : "s"}`;

/** One detail in a line: where, and what. */
export function sentence(detail) {
  if (detail.instancePath !== undefined) return `${detail.instancePath || "the event"}: ${detail.message}`;
  if (detail.line !== undefined) {
    const column = detail.column === undefined ? "" : `, column ${detail.column}`;
    return `line ${detail.line}${column}: ${detail.message}`;
  }
  return detail.message;
}
