// The terminal at work: the idle clock, the sign-in, and what becomes of it when something is wrong.

import { placeOf } from "./kiosk-enrolment.js";
import { Gateway } from "./kiosk-gateway.js";
import { changeKey, isDue, settleKey } from "./kiosk-key-change.js";
import { Keypad } from "./kiosk-keypad.js";
import { save } from "./kiosk-keys.js";
import { Refusal } from "./kiosk-signing.js";
import { alone, at, Countdown, endFault, isShown, localise, show, showFault, tell } from "./kiosk-screens.js";
import { forgetPerson, Session } from "./kiosk-session.js";
import { dateOf, say, throttledInWords, timeWithSeconds, useTimeZone } from "./kiosk-texts.js";

const CHECK_SECONDS = 15; // how often an idle terminal asks whether it still may stamp
const CHECK_SIGNED_IN_SECONDS = 5;
const HEARTBEAT_SECONDS = 180;
const TYPING_SECONDS = 20; // what was half typed vanishes
const SHIFT_SECONDS = 60; // the picture moves a little, so that nothing burns into the screen
const SHIFT_PIXELS = 10;
const LONGEST_WAIT = 30;
const CHANGE_AGAIN_SECONDS = 3600; // until an offer of a new key that failed is made again; the old key serves meanwhile

/** Seconds until a fault is looked at again by itself; only a revocation is for ever. */
const RETRY_SECONDS = { offline: 3, busy: 2, "state-unavailable": 3, "device-suspended": 10, "nonce-replayed": 3, "bad-nonce": 3 };
const RETRY_OTHERS_SECONDS = 20;
const ENROL_AGAIN = ["device-revoked", "device-unknown", "key-expired", "gateway-changed"];
const ABOUT_THE_DEVICE = [...ENROL_AGAIN, "device-suspended", "network-not-allowed"];

export class TerminalClock {
  #session = null;
  #lastCheck = -Infinity;
  #lastHeartbeat = -Infinity;
  #lastShift = 0;
  #nextChange = 0;
  #lastTyped = 0;
  #checking = false;
  #faults = 0;
  #ended = new AbortController();

  /**
   * @param {import("./kiosk-keys.js").Terminal} terminal @param {import("./kiosk-signing.js").ServerClock} clock
   * @param {(locale: string) => string} languageFor what to speak where the company's locale is `locale`
   */
  constructor(terminal, clock, languageFor) {
    this.terminal = terminal;
    this.clock = clock;
    this.languageFor = languageFor;
    this.countdown = new Countdown();
    this.#useKey(terminal);
  }

  /** Run until somebody chooses to enrol again; resolves with the problem that made them. */
  async untilGivenUp() {
    const { signal } = this.#ended;
    const listen = (target, name, work) => target.addEventListener(name, work, { signal });
    listen(at("sign-in"), "submit", (event) => {
      event.preventDefault();
      alone(() => this.#signIn());
    });
    this.keypad = new Keypad(at("sign-in"), [at("number"), at("pin")], (field) => this.#typed(field), signal);
    new Keypad(at("pin-form"), ["current-pin", "new-pin", "repeat-pin"].map(at), () => {}, signal);
    listen(document, "keydown", (event) => this.#keyed(event));
    for (const name of ["online", "offline"]) listen(window, name, () => this.check());
    for (const name of ["pointerdown", "keydown"]) listen(document, name, () => this.#session?.touched());
    this.#showPlace();
    this.showIdle();
    this.#lastCheck = Date.now();
    this.#tick();
    const timer = setInterval(() => this.#tick(), 250);
    const givenUp = new Promise((resolve) => (this.giveUp = resolve));
    await this.check();
    const problem = await givenUp;
    clearInterval(timer);
    this.#ended.abort();
    return problem;
  }

  /** Nobody is signed in: nothing of the one before is left on the screen. */
  showIdle(notice = "", kind = "info") {
    if (this.#ended.signal.aborted) return; // the screen belongs to the next enrolment
    endFault();
    this.#forget();
    localise(this.languageFor(this.terminal.place.company.locale));
    this.#tell(notice, kind);
    show("idle", at("number"));
  }

  /** A fault takes the screen. The session, if any, is left to end by itself. */
  showFault(fault, values = {}) {
    if (this.#ended.signal.aborted) return;
    const problem = fault instanceof Refusal ? fault.problem : "unexpected";
    this.#forget();
    const first = RETRY_SECONDS[problem] ?? RETRY_OTHERS_SECONDS;
    const pause = Math.max(fault.retryAfter ?? 0, Math.min(first * 2 ** Math.min(this.#faults, 8), LONGEST_WAIT));
    this.#faults += 1;
    const canEnrol = ENROL_AGAIN.includes(problem);
    showFault(problem, {
      values,
      seconds: problem === "device-revoked" ? null : pause,
      retry: problem === "device-revoked" ? null : () => this.check(),
      enrolAgain: canEnrol ? () => this.giveUp(problem) : null,
    });
  }

  /** Whether this session is still the one at the terminal. */
  isServing(session) {
    return this.#session === session;
  }

  #forget() {
    this.#session = null;
    this.countdown.stop();
    at("number").value = at("pin").value = "";
    forgetPerson();
  }

  /** Ask the gateway whether all is well; the screen follows. */
  async check() {
    if (this.#checking) return;
    this.#checking = true;
    this.#lastCheck = Date.now();
    const isQuiet = () => this.#session === null;
    try {
      this.#useKey(await settleKey(this.terminal, this.clock));
      const device = await this.gateway.device(isQuiet() ? 3 : 1);
      await this.#learnt(device);
      this.#faults = 0;
      if (isShown("fault") && isQuiet()) this.showIdle();
      if (isQuiet() && Date.now() - this.#lastHeartbeat >= HEARTBEAT_SECONDS * 1000) {
        await this.gateway.heartbeat();
        this.#lastHeartbeat = Date.now();
      }
      if (isQuiet() && isShown("idle") && !this.#isTyping()) await this.#changeKey(device);
    } catch (fault) {
      // Somebody who is signed in is not interrupted by passing trouble: what they press says it.
      if (isQuiet() || ABOUT_THE_DEVICE.includes(fault.problem)) this.showFault(fault);
      if (!(fault instanceof Refusal)) throw fault;
    } finally {
      this.#checking = false;
    }
  }

  /** The session is over; look at once whether the terminal still may stamp. */
  async signedOut(notice = "", kind = "info") {
    this.showIdle(notice, kind);
    await this.check();
  }

  #useKey(terminal) {
    const isNew = this.terminal?.key.keyid !== terminal.key.keyid || !this.gateway;
    this.terminal = terminal;
    if (isNew) this.gateway = new Gateway(terminal.key, this.clock, terminal.gatewayKeyid);
  }

  // Only while nobody is there: a change ends the employee's session.
  async #changeKey(device) {
    if (Date.now() < this.#nextChange || !isDue(this.terminal.key, device, this.clock)) return;
    this.#nextChange = Date.now() + CHANGE_AGAIN_SECONDS * 1000;
    await alone(async () => this.#useKey(await changeKey(this.terminal, this.clock)));
  }

  async #learnt(device) {
    const place = placeOf(device);
    if (JSON.stringify(place) === JSON.stringify(this.terminal.place)) return;
    this.terminal = await save({ ...this.terminal, place });
    this.#showPlace();
    if (this.#session === null) localise(this.languageFor(place.company.locale));
  }

  #showPlace() {
    const { company, label, location } = this.terminal.place;
    useTimeZone(company.timezone);
    at("company").textContent = company.name;
    at("label").textContent = label;
    tell("location", location);
  }

  #tick() {
    const now = this.clock.now();
    const time = timeWithSeconds(now);
    if (at("clock").textContent !== time) {
      at("clock").textContent = at("fault-clock").textContent = time;
      at("date").textContent = dateOf(now);
    }
    if (this.#isTyping() && isShown("idle") && Date.now() - this.#lastTyped > TYPING_SECONDS * 1000) this.showIdle();
    if (Date.now() - this.#lastShift > SHIFT_SECONDS * 1000) this.#shift();
    const every = this.#session ? CHECK_SIGNED_IN_SECONDS : CHECK_SECONDS;
    if (!isShown("fault") && Date.now() - this.#lastCheck >= every * 1000) this.check();
  }

  // Along a closed curve that comes back to where it was only after hours.
  #shift() {
    this.#lastShift = Date.now();
    const step = Date.now() / (SHIFT_SECONDS * 1000);
    const [x, y] = [Math.sin(step / 7), Math.cos(step / 11)].map((part) => Math.round(part * SHIFT_PIXELS));
    at("idle").style.translate = `${x}px ${y}px`;
  }

  // ── typing ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #isTyping() {
    return at("number").value !== "" || at("pin").value !== "";
  }

  #typed(field) {
    this.#lastTyped = Date.now();
    if (at("sign-in-problem").dataset.kind === "info" || field.value) this.#tell("");
  }

  // A digit typed while no field has the focus goes where it belongs.
  #keyed(event) {
    if (!isShown("idle") || event.ctrlKey || event.metaKey || event.altKey) return;
    const inField = document.activeElement === at("number") || document.activeElement === at("pin");
    if (/^\d$/.test(event.key) && !inField) this.keypad.field.focus();
    if (event.key === "Escape") this.showIdle();
  }

  #tell(notice, kind = "problem") {
    tell("sign-in-problem", notice, kind);
  }

  // ── signing in ─────────────────────────────────────────────────────────────────────────────────────────────────

  async #signIn() {
    const [number, pin] = [at("number").value, at("pin").value];
    if (!/^\d{1,12}$/.test(number)) {
      this.#tell(say("numberDigits"));
      at("number").focus();
      return;
    }
    if (!/^\d{6,12}$/.test(pin)) {
      // Whoever presses on after the number wants to type the PIN now.
      this.#tell(pin === "" ? "" : say("pinDigits"));
      at("pin").focus();
      return;
    }
    at("pin").value = "";
    let answer;
    try {
      // Another window may have changed the key: signed with the old one this would look like a copy of the terminal.
      this.#useKey(await settleKey(this.terminal, this.clock));
      answer = await this.gateway.signIn(number, pin);
    } catch (fault) {
      this.#notSignedIn(fault);
      return;
    }
    at("number").value = "";
    this.#tell("");
    this.#session = new Session(this, answer);
  }

  #notSignedIn(fault) {
    const problem = fault.problem ?? "unexpected";
    if (problem === "login-failed") {
      this.#tell(say("loginFailed"));
      at("pin").focus();
    } else if (problem === "login-throttled") {
      this.showIdle(throttledInWords(fault.retryAfter ?? 60, this.clock.now()), "problem");
    } else if (problem === "offline" && fault.maybeProcessed) {
      this.showIdle(say("signInLost"), "problem");
      this.check();
    } else {
      this.showFault(fault);
    }
  }
}
