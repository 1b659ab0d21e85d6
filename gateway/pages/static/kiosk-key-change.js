// The terminal's key is changed by itself every month (docs/protocol.md, "Key change").
//
// The new key is stored before it is sent. Until the gateway has answered a request signed by it, nobody knows which of
// the two counts: try the new one, then the old. So a lost answer or a pulled plug never locks the terminal out.

import { Gateway } from "./kiosk-gateway.js";
import { load, makeKey, save } from "./kiosk-keys.js";

const DAY = 86_400;
const USELESS = ["key-reused", "weak-key"]; // the gateway will never take this key

/** Whether it is time for a new key. */
export function isDue(terminal, clock) {
  return clock.now() - terminal.since > terminal.key.changeAfter * DAY;
}

/** Change the key. Returns the terminal as it is stored now; raises `Refusal`. */
export async function changeKey(terminal, clock) {
  return one(async () => {
    const stored = (await load()) ?? terminal;
    if (stored.key.keyid !== terminal.key.keyid) return stored; // another window was faster
    const begun = stored.nextKey ? stored : await save({ ...stored, nextKey: await makeKey() });
    try {
      await new Gateway(begun.key, clock, begun.gatewayKeyid).changeKey(begun.nextKey);
    } catch (fault) {
      if (USELESS.includes(fault.problem)) await save({ ...begun, nextKey: null });
      throw fault;
    }
    return confirmed(begun, clock);
  });
}

/** After a change whose end was not heard of: find out which key counts. */
export async function settleKey(terminal, clock) {
  if (!terminal.nextKey) return terminal;
  return one(async () => {
    const stored = (await load()) ?? terminal;
    if (!stored.nextKey) return stored;
    try {
      return await confirmed(stored, clock);
    } catch (fault) {
      if (fault.problem === "device-unknown") return stored; // the old one still counts; it will be changed again
      throw fault;
    }
  });
}

// The first request with the new key ends the old one.
async function confirmed(terminal, clock) {
  await new Gateway(terminal.nextKey, clock, terminal.gatewayKeyid).device();
  return save({ ...terminal, key: terminal.nextKey, nextKey: null, since: clock.now() });
}

// One window at a time where the browser can tell.
const one = (work) => (navigator.locks ? navigator.locks.request("stampgate-kiosk-key", work) : work());
