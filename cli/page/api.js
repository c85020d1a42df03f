// The only file that speaks to `mef dev`.

/** Why there is no answer, as a sentence. */
export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function answer(response) {
  if (response.ok) return response;
  let message = `mef dev answered ${response.status}`;
  if (response.status === 401) message = "This page is no longer open to you: open the URL that mef dev printed.";
  else {
    try {
      message = (await response.json()).error;
    } catch {
      // The sentence above says what is known.
    }
  }
  throw new Refused(response.status, message);
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused(0, "mef dev does not answer. Is it still running?");
  }
  return answer(response);
}

const query = (values) => {
  const given = Object.entries(values).filter(([, value]) => value !== undefined && value !== "");
  return new URLSearchParams(given).toString();
};

/** A JSON answer. */
export async function get(path, values = {}) {
  const text = query(values);
  return (await ask(text ? `${path}?${text}` : path)).json();
}

/** A replay, told line by line to `tell`. Ends when `signal` is aborted: then `mef dev` stops it too. */
export async function replay(wish, tell, signal) {
  const response = await ask("/page/replay", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(wish),
    signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const lines = text.split("\n");
    text = lines.pop();
    lines.filter(Boolean).forEach((line) => tell(JSON.parse(line)));
  }
}

/** Follows what happens. `hear` has a function for each kind of event; the browser connects again by itself. */
export function follow(values, hear, state) {
  const source = new EventSource(`/page/live?${query(values)}`);
  for (const [name, listener] of Object.entries(hear)) {
    source.addEventListener(name, (event) => listener(JSON.parse(event.data)));
  }
  source.addEventListener("open", () => state("live"));
  source.addEventListener("error", () => state(source.readyState === EventSource.CLOSED ? "ended" : "connecting"));
  return source;
}
