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
const OFFER_SECONDS = 600; // as long as the gateway keeps an offered key that is not used
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
  const nextKey = terminal.nextKey ?? (await makeKey());
  const begun = await save({ ...terminal, nextKey, offered: clock.now() });
  try {
    await new Gateway(begun.key, clock, begun.gatewayKeyid).changeKey(nextKey);
  } catch (fault) {
    if (USELESS.includes(fault.problem)) return save({ ...begun, nextKey: null });
    return begun; // until its first use the new key is worth nothing, whatever became of the offer
  }
  return settled(begun, clock);
}

/** After a change whose end was not heard of: find out which key counts. */
export async function settleKey(terminal, clock) {
  // What is stored counts, not what this page remembers: a change may have failed half-way.
  const stored = (await load()) ?? terminal;
  return stored.nextKey ? settled(stored, clock) : stored;
}

// The first request with the new key ends the old one.
async function settled(terminal, clock) {
  try {
    await new Gateway(terminal.nextKey, clock, terminal.gatewayKeyid).device();
  } catch (fault) {
    if (fault.problem !== "device-unknown") throw fault;
    // Never offered, void, or another process of the gateway has not heard of it yet: the old one still counts.
    const isVoid = clock.now() >= (terminal.offered ?? 0) + OFFER_SECONDS;
    return isVoid ? save({ ...terminal, nextKey: null }) : terminal;
  }
  return save({ ...terminal, key: terminal.nextKey, nextKey: null });
}
