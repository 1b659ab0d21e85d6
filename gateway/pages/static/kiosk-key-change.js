// The terminal's key is changed by itself every month (docs/protocol.md, "Changing the key").
//
// 1. Make the next key and store it beside the present one.
// 2. Offer it, signed by both. The present key works on; asked again, the gateway repeats its answer.
// 3. Use it. From its first use on the present key is worth nothing.
// 4. When the gateway has answered a request of the next key, it takes the present one's place.
//
// Whoever finds a next key in the store does not know how far that went: the next key is tried first, and the present one
// only when the gateway does not know the next. A present key used after step 3 looks like a copy of the terminal.

import { Gateway } from "./kiosk-gateway.js";
import { load, makeKey, save } from "./kiosk-keys.js";

const DAY = 86_400;
const LEFT_WHEN_DUE = 60 * DAY; // of a key's 90 days: it is changed at an age of 30, by the gateway's clock
const USELESS = ["key-reused", "weak-key"]; // the gateway will never take this key

/** Whether it is time for a new key, by what the gateway has just said of the present one. */
export function isDue(key, device, clock) {
  return clock.now() >= Date.parse(device.key_expires_at) / 1000 - LEFT_WHEN_DUE + key.jitter;
}

/**
 * Change the key. Returns the terminal as it is stored then: with its old key when the gateway has refused the new one.
 * Raises `Refusal` where nobody knows which key counts: then nothing else may be sent before `settleKey`.
 */
export async function changeKey(terminal, clock) {
  return one(async () => {
    const stored = (await load()) ?? terminal;
    if (stored.key.keyid !== terminal.key.keyid) return stored; // another window was faster
    const begun = stored.nextKey ? stored : await save({ ...stored, nextKey: await makeKey() });
    try {
      await new Gateway(begun.key, clock, begun.gatewayKeyid).changeKey(begun.nextKey);
    } catch (fault) {
      if (USELESS.includes(fault.problem)) return save({ ...begun, nextKey: null });
      return begun; // until its first use the new key is worth nothing, whatever became of the offer
    }
    return settled(begun, clock);
  });
}

/** After a change whose end was not heard of: find out which key counts. */
export async function settleKey(terminal, clock) {
  // What is stored counts, not what this page remembers: a change may have failed half-way, or run in another window.
  const known = await stillThis(terminal);
  if (!known.nextKey) return known;
  return one(async () => {
    const stored = await stillThis(terminal);
    return stored.nextKey ? settled(stored, clock) : stored;
  });
}

// What is stored of this enrolment; a new one that another window has begun is not this page's matter.
async function stillThis(terminal) {
  const stored = await load();
  return stored?.state === "active" ? stored : terminal;
}

// The first request with the new key ends the old one.
async function settled(terminal, clock) {
  try {
    await new Gateway(terminal.nextKey, clock, terminal.gatewayKeyid).device();
  } catch (fault) {
    if (fault.problem === "device-unknown") return terminal; // never offered, or void: the old one still counts
    throw fault;
  }
  return save({ ...terminal, key: terminal.nextKey, nextKey: null });
}

// One window at a time where the browser can tell.
const one = (work) => (navigator.locks ? navigator.locks.request("stampgate-kiosk-key", work) : work());
