// The enrolment ceremony from the terminal's side (docs/protocol.md, "Enrolment").
//
// 1. Make the key, store it, then ask: a lost answer or a reload burns nothing, the same key is there to ask again.
// 2. Show five words that only this key, this gateway and this enrolment give; IT types two of them into the console.
// 3. Ask every two seconds until IT has approved.

import { Gateway } from "./kiosk-gateway.js";
import { load, makeKey, remove, save } from "./kiosk-keys.js";
import { Refusal } from "./kiosk-signing.js";

const POLL_SECONDS = 2;
const LONGEST_PAUSE = 30; // seconds between two questions while the gateway is away or busy
const FINAL = ["enrolment-code-invalid", "weak-key", "key-reused"]; // after these the key is of no use with any code
const NO_LONGER_KNOWN = ["device-unknown", "device-revoked"]; // for a key that never was active: its enrolment is over

const SALT = "stampgate words v1";
const ROUNDS = 100_000;
const WORDS = 5;
const BITS_PER_WORD = 11;

const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

/** `wdjb mjht` → `WDJB-MJHT`; null when it cannot be a code. */
export function readCode(text) {
  const letters = text.toUpperCase().replace(/[\s-]/g, "");
  return /^[BCDFGHJKLMNPQRSTVWXZ]{8}$/.test(letters) ? `${letters.slice(0, 4)}-${letters.slice(4)}` : null;
}

/** The five words of an enrolment, as the console computes them. `list` are the 2048 words of BIP-39 in English. */
export async function enrolmentWords(keyid, gatewayKeyid, enrolmentId, list) {
  const password = new Uint8Array([...base64urlBytes(keyid), ...base64urlBytes(gatewayKeyid)]);
  const salt = new Uint8Array([...new TextEncoder().encode(SALT), ...uuidBytes(enrolmentId)]);
  const material = await crypto.subtle.importKey("raw", password, "PBKDF2", false, ["deriveBits"]);
  const derived = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: ROUNDS }, material, 56);
  const number = new Uint8Array(derived).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const bits = number >> BigInt(56 - WORDS * BITS_PER_WORD);
  return Array.from({ length: WORDS }, (_, place) => {
    const index = (bits >> BigInt((WORDS - 1 - place) * BITS_PER_WORD)) & BigInt(2 ** BITS_PER_WORD - 1);
    return list[Number(index)];
  });
}

/**
 * Ask to be enrolled with `code`, or go on with what was begun before.
 *
 * @param {string | null} code @param {import("./kiosk-signing.js").ServerClock} clock
 * @returns {Promise<import("./kiosk-keys.js").Terminal>} the terminal, `pending` or `active`
 */
export async function begin(code, clock) {
  let terminal = await load();
  if (terminal?.state === "new" && (code === null || code === terminal.code)) return ask(terminal, clock);
  if (code === null) throw new Refusal("not-enrolled");
  const fresh = { state: "new", key: await makeKey(), nextKey: null, code, enrolmentId: null, gatewayKeyid: null };
  // A terminal that was enrolled comes back when the gateway refuses the new key.
  const previous = terminal?.state === "active" ? terminal : (terminal?.previous ?? null);
  return ask(await save({ ...fresh, place: null, previous }), clock);
}

async function ask(terminal, clock) {
  try {
    const answer = await new Gateway(terminal.key, clock).enrol(terminal.code, terminal.key.jwk);
    return await save({
      ...terminal,
      state: "pending",
      code: null,
      enrolmentId: answer.enrolment_id,
      gatewayKeyid: answer.gateway_keyid,
    });
  } catch (fault) {
    if (FINAL.includes(fault.problem)) await giveUp(terminal);
    throw fault;
  }
}

/**
 * Ask until IT has approved; `told` hears of passing trouble, and of its end with null. Once `signal` is aborted,
 * nothing is asked, told or stored any more: the store may hold another enrolment by then.
 * Raises `Refusal`: `enrolment-ended` when it was denied or nobody approved in time, `given-up` after `signal`.
 */
export async function untilApproved(terminal, clock, told, signal) {
  const goOn = () => {
    if (signal.aborted) throw new Refusal("given-up");
  };
  const gateway = new Gateway(terminal.key, clock, terminal.gatewayKeyid);
  for (let pause = POLL_SECONDS; ; await sleep(pause)) {
    goOn();
    try {
      const device = await gateway.device(1);
      goOn();
      told(null);
      pause = POLL_SECONDS;
      if (device.state === "active") {
        return await save({ ...terminal, state: "active", enrolmentId: null, place: placeOf(device), previous: null });
      }
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      goOn();
      if (NO_LONGER_KNOWN.includes(fault.problem)) {
        await giveUp(terminal);
        throw new Refusal("enrolment-ended");
      }
      if (fault.problem === "gateway-changed") throw fault;
      told(fault);
      pause = Math.min(Math.max(pause * 2, fault.retryAfter ?? 0), LONGEST_PAUSE);
    }
  }
}

/** End an enrolment; the terminal that was here before, if any, is back. */
export async function giveUp({ previous }) {
  if (previous) await save(previous);
  else await remove();
}

/** What is kept of the gateway's answer to be shown while it is away. */
export function placeOf({ label, location, company }) {
  return { label, location, company };
}

function base64urlBytes(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
}

function uuidBytes(text) {
  return Uint8Array.from(text.replaceAll("-", "").match(/../g), (pair) => Number.parseInt(pair, 16));
}
