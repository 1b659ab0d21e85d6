// Somebody is signed in: their state, one stamp, their last days, their PIN, and out again.

import { Refusal } from "./kiosk-signing.js";
import { alone, at, isShown, show, showFault, tell, useIcon } from "./kiosk-screens.js";
import { ACTION_TEXTS, dayOf, duration, say, stateInWords, throttledInWords, timeOf, timeWithSeconds, workedInWords } from "./kiosk-texts.js";

const IDLE_SECONDS = 20;
const CONFIRMED_SECONDS = 5;
const ASK_AGAIN_SECONDS = 2; // between two questions what became of a stamp
const UNCERTAIN_SECONDS = 45; // the gateway ends a session after a minute without a request
const DOUBLE_TAP = 700; // milliseconds in which the second tap of a double tap must not dismiss the confirmation

const sleep = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

export class Session {
  #token;
  #name;
  #status;
  #unfinished = null;

  /** @param {import("./kiosk-clock.js").TerminalClock} terminal @param {any} answer to the sign-in */
  constructor(terminal, answer) {
    this.terminal = terminal;
    this.#token = answer.session_token;
    this.#name = answer.employee.display_name;
    at("name").textContent = this.#name;
    const count = answer.failed_attempts;
    tell("failures", count > 1 ? say("failuresMany", { count }) : count === 1 ? say("failuresOne") : "");
    this.#connect();
    this.#showStatus(answer.status);
  }

  // A fault of the terminal may have taken the screen while an answer was under way.
  get #isOver() {
    return !this.terminal.isServing(this);
  }

  /** Somebody touched the screen or a key: the time to think begins anew. */
  touched() {
    if (!isShown("confirmed") && !isShown("fault")) this.terminal.countdown.touch();
  }

  #connect() {
    const press = (button, work) => (button.onclick = () => alone(work));
    for (const button of document.querySelectorAll("[data-action]")) press(button, () => this.#act(button.dataset.action));
    for (const button of document.querySelectorAll("[data-done]")) press(button, async () => void this.#end()); // the next person need not wait for what follows
    for (const button of document.querySelectorAll("[data-back]")) press(button, () => this.#showStatus(this.#status));
    press(at("show-days"), () => this.#showDays());
    press(at("show-pin"), () => this.#showPinForm());
    at("pin-form").onsubmit = (event) => {
      event.preventDefault();
      alone(() => this.#changePin());
    };
  }

  #showStatus(status, notice = "", kind = "problem") {
    this.#status = status;
    clearPins();
    at("state").textContent = stateInWords(status, this.terminal.clock.now());
    at("worked").textContent = workedInWords(status);
    // clock_in beside an open span: the gateway takes that span's clock-out for forgotten.
    at("missing").hidden = !(status.clock_out_missing || (status.state !== "out" && status.actions.includes("clock_in")));
    for (const button of document.querySelectorAll("[data-action]")) {
      button.hidden = !status.actions.includes(button.dataset.action);
    }
    tell("signed-in-problem", notice, kind);
    show("signed-in", at("name"));
    this.#countDown(IDLE_SECONDS, "signingOutIn");
  }

  #countDown(seconds, text) {
    this.terminal.countdown.start(seconds, text, () => this.#end(say("signedOut")));
  }

  // ── one stamp ──────────────────────────────────────────────────────────────────────────────────────────────────

  async #act(action) {
    // The same wish keeps its id until its outcome is known, so it never makes two stamps.
    if (this.#unfinished?.action !== action) this.#unfinished = { action, stampId: crypto.randomUUID() };
    const { stampId } = this.#unfinished;
    const name = say(ACTION_TEXTS[action]);
    const until = Date.now() + UNCERTAIN_SECONDS * 1000;
    let isUncertain = false;
    this.terminal.countdown.stop();
    for (;;) {
      try {
        this.#confirm(await this.terminal.gateway.stamp(this.#token, action, stampId));
        return;
      } catch (fault) {
        // An answer that cannot be read says no more than none.
        if (!(fault instanceof Refusal)) return this.terminal.showFault(new Refusal("uncertain-for-good"), { action: name });
        if (fault.problem === "action-not-valid" && fault.members?.current_status) {
          // Also after a lost answer: the gateway looks for the id before it looks at the action.
          this.#unfinished = null;
          if (this.#isOver) return this.terminal.signedOut(say("notValid", { action: name }), "problem");
          this.#showStatus(fault.members.current_status, say("notValid", { action: name }));
          return;
        }
        isUncertain ||= fault.maybeProcessed;
        const mayHelp = ["offline", "busy", "state-unavailable", "nonce-replayed", "internal-error"].includes(fault.problem);
        if (!isUncertain) return this.#notStamped(fault, name);
        if (!mayHelp || Date.now() > until) {
          return this.terminal.showFault(new Refusal("uncertain-for-good"), { action: name });
        }
      }
      showFault("uncertain", { values: { action: name } });
      await sleep(ASK_AGAIN_SECONDS);
    }
  }

  #notStamped(fault, name) {
    if (fault.problem === "session-expired") this.terminal.signedOut(say("sessionOver"), "problem");
    else if (["busy", "state-unavailable"].includes(fault.problem)) this.#showStatus(this.#status, say("notStamped", { action: name }));
    else this.terminal.showFault(fault);
  }

  #confirm({ stamp, status }) {
    this.#unfinished = null;
    useIcon("confirmed-icon", stamp.action);
    at("recorded").textContent = say(`${ACTION_TEXTS[stamp.action]}Done`);
    at("recorded-time").textContent = timeWithSeconds(Date.parse(stamp.at) / 1000);
    at("recorded-name").textContent = this.#name;
    at("recorded-state").textContent = workedInWords(status);
    const done = at("confirmed").querySelector("[data-done]");
    done.disabled = true;
    show("confirmed", at("recorded"));
    this.#countDown(CONFIRMED_SECONDS, "backIn");
    setTimeout(() => (done.disabled = false), DOUBLE_TAP);
  }

  // ── last days ──────────────────────────────────────────────────────────────────────────────────────────────────

  async #showDays() {
    let days;
    try {
      days = await this.terminal.gateway.days(this.#token);
    } catch (fault) {
      return this.#refused(fault);
    }
    if (this.#isOver) return;
    at("day-rows").replaceChildren(...days.toReversed().map(dayRow));
    show("days", at("days-title"));
    this.#countDown(IDLE_SECONDS, "signingOutIn");
  }

  #refused(fault) {
    if (this.#isOver) return;
    if (fault.problem === "session-expired") this.terminal.signedOut(say("sessionOver"), "problem");
    else this.terminal.showFault(fault);
  }

  // ── own PIN ────────────────────────────────────────────────────────────────────────────────────────────────────

  #showPinForm() {
    clearPins();
    tell("pin-problem", "");
    show("pin-change", at("current-pin"));
    this.#countDown(IDLE_SECONDS, "signingOutIn");
  }

  async #changePin() {
    const [current, wanted, repeated] = ["current-pin", "new-pin", "repeat-pin"].map((id) => at(id).value.trim());
    if (![current, wanted].every((pin) => /^\d{6,12}$/.test(pin))) return tell("pin-problem", say("pinDigits"));
    if (wanted !== repeated) return tell("pin-problem", say("pinsDiffer"));
    clearPins();
    this.terminal.countdown.stop();
    try {
      await this.terminal.gateway.changePin(this.#token, current, wanted);
    } catch (fault) {
      return this.#pinRefused(fault);
    }
    if (this.#isOver) return;
    this.#showStatus(this.#status, say("pinSaved"), "info");
  }

  #pinRefused(fault) {
    if (this.#isOver) return;
    const texts = { "bad-request": "pinRefused", "login-failed": "currentPinWrong" };
    if (fault.problem === "login-throttled") {
      this.#end(throttledInWords(fault.retryAfter ?? 60, this.terminal.clock.now()), "problem");
    } else if (["offline", "nonce-replayed"].includes(fault.problem) && fault.maybeProcessed) {
      this.#showStatus(this.#status, say("pinUnanswered"));
    } else if (texts[fault.problem]) {
      this.#showPinForm();
      tell("pin-problem", say(texts[fault.problem]));
    } else {
      this.#refused(fault);
    }
  }

  // ── out ────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #end(notice = "", kind = "info") {
    this.terminal.showIdle(notice, kind);
    try {
      await this.terminal.gateway.signOut(this.#token);
    } catch {
      // Unanswered or over already: the gateway ends it by itself. What is wrong with the terminal the check finds.
    }
    await this.terminal.check();
  }
}

/** Nothing of a person is left in the page, not even where nobody sees it. */
export function forgetPerson() {
  clearPins();
  for (const id of ["name", "state", "worked", "recorded", "recorded-time", "recorded-name", "recorded-state"]) at(id).textContent = "";
  for (const id of ["failures", "signed-in-problem", "pin-problem"]) tell(id, "");
  at("day-rows").replaceChildren();
}

function clearPins() {
  for (const id of ["current-pin", "new-pin", "repeat-pin"]) at(id).value = "";
}

function dayRow(day) {
  const row = document.createElement("tr");
  const head = document.createElement("th");
  head.scope = "row";
  head.textContent = dayOf(day.date);
  const stamps = day.stamps.map(({ action, at: time }) => `${say(ACTION_TEXTS[action])} ${timeOf(Date.parse(time) / 1000)}`);
  if (day.clock_out_missing) stamps.push(say("missingOut"));
  const cells = [duration(day.worked_seconds), duration(day.break_seconds), stamps.join(" · ") || say("noStamps")].map((text) => {
    const cell = document.createElement("td");
    cell.textContent = text;
    return cell;
  });
  row.append(head, ...cells);
  return row;
}
