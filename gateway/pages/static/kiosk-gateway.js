// The kiosk tier's calls, one each (docs/protocol.md, "Calls"). What comes back is the answer's body.

import { ENROL_TAG, Refusal, ServerClock, SignedHttp } from "./kiosk-signing.js";

const BASE = "/api/time/kiosk";
const NAME = "stampgate-page";

export class Gateway {
  #http;
  #gatewayKeyid;
  #clock;

  /**
   * @param {import("./kiosk-keys.js").Key} key @param {import("./kiosk-signing.js").ServerClock} clock
   * @param {string | null} gatewayKeyid the gateway's key as it was at enrolment: an answer that names another is refused
   */
  constructor(key, clock, gatewayKeyid = null) {
    this.#http = new SignedHttp(key, clock);
    this.#clock = clock;
    this.#gatewayKeyid = gatewayKeyid;
  }

  get keyid() {
    return this.#http.key.keyid;
  }

  /** Repeatable: the gateway answers the same code with the same key alike while the enrolment is pending. */
  async enrol(code, jwk) {
    const body = { code, jwk, client: client() };
    return this.#pinned(await this.#http.send("POST", `${BASE}/enrolments`, { body, tag: ENROL_TAG, repeatable: true }));
  }

  /** What the gateway knows of this terminal. */
  async device(attempts = 3) {
    return this.#pinned(await this.#http.send("GET", `${BASE}/device`, { repeatable: true, attempts }));
  }

  async heartbeat() {
    const body = { client: client(), clock_offset_ms: this.#clock.offsetMs };
    await this.#http.send("POST", `${BASE}/heartbeat`, { body, repeatable: true });
  }

  /** Never sent again after a lost answer: a wrong PIN would count twice. */
  async signIn(number, pin) {
    return (await this.#http.send("POST", `${BASE}/auth`, { body: { personnel_number: number, pin } })).body;
  }

  /** After a lost answer the same `stampId` is sent again, so it counts once. */
  async stamp(token, action, stampId) {
    const body = { stamp_id: stampId, action };
    return (await this.#http.send("POST", `${BASE}/action`, { body, token, repeatable: true })).body;
  }

  async days(token) {
    return (await this.#http.send("GET", `${BASE}/days`, { token, repeatable: true })).body.items;
  }

  /** Never sent again, like a sign-in. */
  async changePin(token, currentPin, newPin) {
    await this.#http.send("POST", `${BASE}/pin`, { token, body: { current_pin: currentPin, new_pin: newPin } });
  }

  async signOut(token) {
    await this.#http.send("POST", `${BASE}/logout`, { token, repeatable: true, attempts: 1 });
  }

  /** Signed by both keys. @param {import("./kiosk-keys.js").Key} key */
  async changeKey(key) {
    const newKey = new SignedHttp(key, new ServerClock()); // it only fetches a nonce; the time is the old key's matter
    return (await this.#http.send("PUT", `${BASE}/device/key`, { body: { jwk: key.jwk }, newKey, repeatable: true })).body;
  }

  #pinned({ body }) {
    if (this.#gatewayKeyid === null) this.#gatewayKeyid = body.gateway_keyid;
    else if (body.gateway_keyid !== this.#gatewayKeyid) throw new Refusal("gateway-changed");
    return body;
  }
}

/** What the terminal says of its software. */
function client() {
  const brands = navigator.userAgentData?.brands ?? [];
  const brand = brands.find(({ brand }) => !/not.?a.?brand|chromium/i.test(brand)) ?? brands.find(({ brand }) => brand === "Chromium");
  const platform = brand ? `${brand.brand} ${brand.version}, ${navigator.userAgentData.platform}` : navigator.userAgent;
  return { name: NAME, version: document.body.dataset.version, platform: platform.slice(0, 64) || "browser" };
}
