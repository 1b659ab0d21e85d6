// A terminal's signed requests: the kiosk protocol (docs/protocol.md) step by step, in a browser.
//
// 1. Every request is signed anew; a nonce is used once, whatever becomes of the request.
// 2. `bad-nonce` and `clock-skew` are signed again once, never twice.
// 3. After a lost answer only what is *repeatable* (reads, a stamp with its `stamp_id`) is sent again, a bounded number
//    of times; never a PIN, which might be counted twice.
// 4. `busy` says that nothing was done: anything may be sent again after `Retry-After`, a bounded number of times.
//
// A page cannot switch off that the browser itself sends a request again over a new connection. The nonce makes that
// harmless: the second arrival is `nonce-replayed`, which here counts as a lost answer.

/** @typedef {{keyid: string, privateKey: CryptoKey}} SigningKey an Ed25519 key and its RFC 7638 thumbprint */

export const KIOSK_TAG = "stampgate-kiosk"; // every ordinary request
export const ENROL_TAG = "stampgate-enrol"; // an enrolment, signed by the key it brings
export const REKEY_TAG = "stampgate-rekey"; // the new key's signature of a key change

const NONCE_PATH = "/api/time/kiosk/nonce";
const NONCE_FORM = /^[A-Za-z0-9_-]{16,256}$/;
const POOL_SIZE = 8;
const NONCE_USABLE = 150; // seconds; the gateway takes nonces up to 180 s old, the rest is for slow networks
const ATTEMPTS = 3;
const PAUSES = [0.3, 1]; // seconds before the second and third attempt after a lost answer
const LONGEST_WAIT = 3; // seconds; a longer Retry-After is shown instead of waited for
const REPEATABLE_TIMEOUT = 3; // seconds
const ONCE_TIMEOUT = 10; // seconds; what cannot be sent again gets more patience: a PIN may wait for its hash
const DATE_SLACK = 2; // seconds; `Date` has whole seconds, and servers may keep it for one more
const MOST_OFFSET_MS = 10 * 365 * 86_400_000; // a device without a clock begins in 1970
const RESIGNED = ["bad-nonce", "clock-skew"];

/** What the gateway refused, or that no answer came (`offline`), or that something else answered. */
export class Refusal extends Error {
  /**
   * @param {string} problem the last part of the problem's `type`, or `offline` or `unexpected-answer`
   * @param {{status?: number, retryAfter?: number | null, members?: any, maybeProcessed?: boolean}} more
   *   `retryAfter` in seconds; `maybeProcessed`: the gateway may have done what was asked
   */
  constructor(problem, { status = 0, retryAfter = null, members = {}, maybeProcessed = false } = {}) {
    super(problem);
    Object.assign(this, { problem, status, retryAfter, members, maybeProcessed });
  }
}

/** The gateway's time, learnt from its answers: the local clock plus an offset in seconds. */
export class ServerClock {
  #isExact = false;

  constructor(local = () => Date.now() / 1000) {
    this.local = local;
    this.offset = 0;
  }

  /** The gateway's time in Unix seconds. */
  now() {
    return this.local() + this.offset;
  }

  get offsetMs() {
    return Math.max(-MOST_OFFSET_MS, Math.min(Math.round(this.offset * 1000), MOST_OFFSET_MS));
  }

  /** From a `Date` field in Unix seconds, until better is known; `sent` and `received` by the local clock. */
  learnDate(date, sent, received) {
    if (!this.#isExact) this.#keepBetween(date - received, date + DATE_SLACK - sent);
  }

  /** From a `server_time` with milliseconds. */
  learnExact(time, sent, received) {
    this.#isExact = true;
    this.#keepBetween(time - received, time - sent);
  }

  // Each answer bounds the offset; it moves only when it falls outside, so it does not tremble with whole seconds.
  #keepBetween(low, high) {
    if (!(low <= this.offset && this.offset <= high)) this.offset = (low + high) / 2;
  }
}

/** A few unused nonces of one key, the newest used first, so that signing costs no extra round trip. */
class NoncePool {
  #nonces = [];

  put(nonce, now) {
    if (NONCE_FORM.test(nonce ?? "")) this.#nonces = [...this.#nonces, { nonce, now }].slice(-POOL_SIZE);
  }

  take(now) {
    for (let kept = this.#nonces.pop(); kept; kept = this.#nonces.pop()) {
      const age = now - kept.now;
      if (age >= 0 && age <= NONCE_USABLE) return kept.nonce;
    }
    return null;
  }

  clear() {
    this.#nonces = [];
  }
}

const encoder = new TextEncoder();
const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

/** RFC 9530: always sent, also for a request without a body (the digest of zero bytes). */
export async function contentDigest(body) {
  return `sha-256=:${base64(await crypto.subtle.digest("SHA-256", body))}:`;
}

/**
 * One signature of a request: the members to put into `Signature-Input` and `Signature` under `label`.
 *
 * @param {{method: string, authority: string, target: string, digest: string, hasBody: boolean,
 *   authorization: string | null}} request
 * @param {SigningKey} key
 * @param {{created: number, nonce: string, tag: string, label: string}} by
 */
export async function sign(request, key, { created, nonce, tag, label }) {
  const [path, query] = request.target.split("?");
  // Exactly these components in exactly this order; the last two only when their field is sent (RFC 9421 §2).
  const components = [
    ["@method", request.method],
    ["@authority", request.authority],
    ["@path", path],
    ["@query", `?${query ?? ""}`],
    ["content-digest", request.digest],
  ];
  if (request.hasBody) components.push(["content-type", "application/json"]);
  if (request.authorization !== null) components.push(["authorization", request.authorization]);

  const names = components.map(([name]) => `"${name}"`).join(" ");
  const parameters = `(${names});created=${created};nonce="${nonce}";keyid="${key.keyid}";tag="${tag}"`;
  // The signature base (RFC 9421 §2.5): a line for each component, the parameters last, no line feed at the end.
  const base = [...components.map(([name, value]) => `"${name}": ${value}`), `"@signature-params": ${parameters}`].join("\n");
  const signature = await crypto.subtle.sign("Ed25519", key.privateKey, encoder.encode(base));
  return { input: `${label}=${parameters}`, signature: `${label}=:${base64(signature)}:` };
}

/** Signs with one key and talks to the gateway that the page came from. */
export class SignedHttp {
  #nonces = new NoncePool();

  /** @param {SigningKey} key @param {ServerClock} clock */
  constructor(key, clock) {
    this.key = key;
    this.clock = clock;
  }

  /**
   * Send, and return `{status, body}` of an answer of the 2xx kind; raises `Refusal` otherwise.
   *
   * `token` is an employee's session token. `newKey` is a second `SignedHttp` whose key signs the request too.
   *
   * @param {string} method @param {string} target
   * @param {{body?: any, token?: string | null, tag?: string, repeatable?: boolean, attempts?: number,
   *   newKey?: SignedHttp | null}} options
   */
  async send(method, target, { body, token = null, tag = KIOSK_TAG, repeatable = false, attempts = ATTEMPTS, newKey = null } = {}) {
    const bytes = encoder.encode(body === undefined ? "" : JSON.stringify(body));
    const request = {
      method,
      target,
      authority: location.host, // lower case and without a default port, as the protocol wants it
      digest: await contentDigest(bytes),
      bytes,
      hasBody: bytes.length > 0,
      authorization: token === null ? null : `Bearer ${token}`,
    };
    let resigned = false;
    let maybeProcessed = false;
    for (let attempt = 1; ; ) {
      let pause;
      try {
        return await this.#exchange(request, { tag, newKey, timeout: repeatable ? REPEATABLE_TIMEOUT : ONCE_TIMEOUT });
      } catch (fault) {
        if (!(fault instanceof Refusal)) throw fault;
        if (RESIGNED.includes(fault.problem) && !resigned) {
          resigned = true;
          continue;
        }
        pause = pauseBeforeRepeating(fault, attempt, repeatable);
        fault.maybeProcessed = maybeProcessed = maybeProcessed || fault.maybeProcessed;
        if (pause === null || attempt >= attempts) throw fault;
      }
      attempt += 1;
      await sleep(pause);
    }
  }

  /** A fresh nonce, from the pool or by `HEAD`; the clock is learnt on the way. */
  async nonce() {
    const kept = this.#nonces.take(this.clock.local());
    if (kept !== null) return kept;
    let answer;
    try {
      answer = await this.#timed("HEAD", `${NONCE_PATH}?keyid=${this.key.keyid}`, {}, undefined, REPEATABLE_TIMEOUT);
    } catch (fault) {
      fault.maybeProcessed = false; // only a question for a nonce was lost
      throw fault;
    }
    const fresh = this.#nonces.take(this.clock.local());
    if (fresh !== null) return fresh;
    if (answer.status === 503) throw new Refusal("state-unavailable", { status: 503, retryAfter: answer.retryAfter });
    throw answer.status >= 500 ? new Refusal("offline") : new Refusal("unexpected-answer");
  }

  async #exchange(request, { tag, newKey, timeout }) {
    const nonce = await this.nonce();
    const newKeysNonce = newKey ? await newKey.nonce() : null;
    const created = Math.max(1, Math.floor(this.clock.now())); // a clock before 1970 is answered as any other skew
    const signatures = [await sign(request, this.key, { created, nonce, tag, label: "sig" })];
    if (newKey) {
      signatures.push(await sign(request, newKey.key, { created, nonce: newKeysNonce, tag: REKEY_TAG, label: "new" }));
    }
    const headers = {
      "Content-Digest": request.digest,
      "Signature-Input": signatures.map(({ input }) => input).join(", "),
      Signature: signatures.map(({ signature }) => signature).join(", "),
    };
    if (request.hasBody) headers["Content-Type"] = "application/json";
    if (request.authorization !== null) headers.Authorization = request.authorization;
    const answer = await this.#timed(request.method, request.target, headers, request.hasBody ? request.bytes : undefined, timeout);
    if (answer.problem === "bad-nonce") newKey?.forgetNonces();
    return accepted(answer);
  }

  /** Throw away what was kept: the gateway may have lost its memory of what was used, and takes none from before. */
  forgetNonces() {
    this.#nonces.clear();
  }

  // One exchange over the network; the nonce and the time in the answer are kept.
  async #timed(method, target, headers, body, timeout) {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), timeout * 1000);
    const sent = this.clock.local();
    let answer;
    let text;
    try {
      answer = await fetch(target, {
        method,
        headers,
        body,
        signal: abort.signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
      });
      text = await answer.text();
    } catch {
      throw new Refusal("offline", { maybeProcessed: true });
    } finally {
      clearTimeout(timer);
    }
    const received = this.clock.local();
    const content = parsed(text);
    const isProblem = (answer.headers.get("Content-Type") ?? "").startsWith("application/problem+json");
    const problem = isProblem ? String(content?.type ?? "").split("/").pop() : "";
    const replay = answer.headers.get("Replay-Nonce");
    if (problem === "bad-nonce") this.#nonces.clear();
    if (replay !== null) {
      // Only the gateway's own answers carry one, a proxy's do not.
      this.#nonces.put(replay, received);
      const date = Date.parse(answer.headers.get("Date") ?? "") / 1000;
      if (!Number.isNaN(date)) this.clock.learnDate(date, sent, received);
      const exact = Date.parse(content?.server_time ?? "") / 1000;
      if (!Number.isNaN(exact)) this.clock.learnExact(exact, sent, received);
    }
    const retryAfter = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
    return { status: answer.status, body: content, problem, retryAfter: Number.isNaN(retryAfter) ? null : retryAfter };
  }
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return undefined; // a proxy's own page, not an answer of the gateway
  }
}

function accepted({ status, body, problem, retryAfter }) {
  if (status >= 200 && status < 300 && body !== undefined) return { status, body };
  if (problem) {
    // A browser that sent the request twice by itself hears only of the second arrival.
    const maybeProcessed = problem === "nonce-replayed" || status === 500;
    throw new Refusal(problem, { status, retryAfter, members: body, maybeProcessed });
  }
  // A proxy whose gateway is away; it may have passed the request on.
  if ([502, 503, 504].includes(status)) throw new Refusal("offline", { status, maybeProcessed: status !== 503 });
  throw new Refusal("unexpected-answer", { status, maybeProcessed: status >= 500 || status < 300 });
}

// Seconds to wait before the next attempt, or null when there must be none.
function pauseBeforeRepeating(fault, attempt, repeatable) {
  if (fault.problem === "offline" || fault.problem === "nonce-replayed") {
    return repeatable || !fault.maybeProcessed ? PAUSES[Math.min(attempt, PAUSES.length) - 1] : null;
  }
  // `state-unavailable` may have come after a PIN was checked and counted; `busy` says that nothing was done.
  if (fault.problem === "busy" || (fault.problem === "state-unavailable" && repeatable)) {
    const pause = fault.retryAfter ?? PAUSES[0];
    return pause <= LONGEST_WAIT ? pause : null;
  }
  return null;
}
