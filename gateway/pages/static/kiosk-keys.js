// The terminal's key and what it is enrolled for, kept in IndexedDB.
//
// The private half is not extractable: no script, and nobody who opens the developer tools, can read it out. A copied
// browser profile carries it along all the same; change of keys and the gateway's detection of clones answer to that.

const DATABASE = "stampgate-kiosk";
const STORE = "terminal";
const RECORD = "this";
const MARK = "stampgate-kiosk.enrolled"; // in localStorage, which browsers clear later than databases

const JITTER_SECONDS = 3 * 86_400; // so that terminals set up on one day do not all change keys in one minute

/**
 * @typedef {object} Key
 * @property {string} keyid @property {CryptoKey} privateKey @property {{kty: string, crv: string, x: string}} jwk
 * @property {number} jitter seconds that this key is changed later than others of its age
 *
 * @typedef {object} Terminal
 * @property {"new" | "pending" | "active"} state
 * @property {Key} key
 * @property {Key | null} nextKey made and stored, but not yet known to be accepted
 * @property {number} [offered] when the next key was offered last, in Unix seconds by the gateway's clock
 * @property {string | null} code the enrolment code, until its answer has come
 * @property {string | null} enrolmentId @property {string | null} gatewayKeyid
 * @property {Terminal | null} [previous] what this device was enrolled as before, while a new enrolment is not through
 * @property {any} place label, location and company, to be shown while the gateway is away
 */

const base64url = (bytes) =>
  btoa(String.fromCharCode(...new Uint8Array(bytes)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** The SHA-256 JWK thumbprint (RFC 7638): the required members in this order, without a space. */
export async function thumbprint({ crv, kty, x }) {
  const members = `{"crv":"${crv}","kty":"${kty}","x":"${x}"}`;
  return base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(members)));
}

/** Make a key whose private half never leaves the browser. Raises what WebCrypto does without Ed25519. @returns {Promise<Key>} */
export async function makeKey() {
  const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
  const x = base64url(await crypto.subtle.exportKey("raw", pair.publicKey));
  const jwk = { kty: "OKP", crv: "Ed25519", x };
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  const jitter = (JITTER_SECONDS * random) / 2 ** 32;
  return { keyid: await thumbprint(jwk), privateKey: pair.privateKey, jwk, jitter };
}

/** Whether this browser can make and keep such a key; tried out, because there is no other way to ask. */
export async function canHoldKeys() {
  try {
    await crypto.subtle.generateKey("Ed25519", false, ["sign"]);
    (await open()).close();
    return true;
  } catch {
    return false;
  }
}

/** @returns {Promise<Terminal | null>} what is stored, or null */
export async function load() {
  const found = await transact("readonly", (store) => store.get(RECORD));
  return found ?? null;
}

/** Store the terminal; done when the browser has written it. @param {Terminal} terminal */
export async function save(terminal) {
  await transact("readwrite", (store) => store.put(terminal, RECORD));
  if (terminal.state === "active") mark(terminal.place?.label ?? "");
  return terminal;
}

/** Give the key up, for ever. */
export async function remove() {
  await transact("readwrite", (store) => store.delete(RECORD));
  mark(null);
}

/** The name of a terminal that was enrolled here and whose key the browser has cleared away; null when there was none. */
export function lostTerminal() {
  try {
    return localStorage.getItem(MARK);
  } catch {
    return null;
  }
}

function mark(label) {
  try {
    if (label === null) localStorage.removeItem(MARK);
    else localStorage.setItem(MARK, label);
  } catch {
    // Without it the page only cannot tell a lost key from a first start.
  }
}

function open() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(DATABASE, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => {
      asked.result.onversionchange = () => asked.result.close();
      resolve(asked.result);
    };
    asked.onerror = () => reject(asked.error);
  });
}

async function transact(mode, work) {
  const database = await open();
  try {
    return await new Promise((resolve, reject) => {
      const transaction = database.transaction(STORE, mode, { durability: "strict" });
      const asked = work(transaction.objectStore(STORE));
      transaction.oncomplete = () => resolve(asked.result);
      transaction.onabort = transaction.onerror = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}
