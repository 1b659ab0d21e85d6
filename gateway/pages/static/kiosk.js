// The terminal page: what the browser can do, whether this device is enrolled, and then the clock.

import { TerminalClock } from "./kiosk-clock.js";
import { begin, enrolmentWords, giveUp, readCode, untilApproved } from "./kiosk-enrolment.js";
import { canHoldKeys, load, lostTerminal, remove } from "./kiosk-keys.js";
import { alone, at, endFault, isShown, localise, show, showFault, tell } from "./kiosk-screens.js";
import { Refusal, ServerClock } from "./kiosk-signing.js";
import { say, sayFault } from "./kiosk-texts.js";
import { becomeTheTerminal, loadAnew } from "./kiosk-window.js";

const UPDATE_MINUTES = 60;
const WORTHLESS = ["device-revoked", "key-expired"]; // the key never counts again; after other faults it still may
const PASSING_SECONDS = 60;
const clock = new ServerClock();
let asked = new URLSearchParams(location.search).get("lang");
let companyLocale = null;
let passing = null; // a language somebody chose for themselves; the next person gets the company's again

const languageFor = (locale) => {
  companyLocale = locale;
  passing = null;
  return asked ?? locale;
};

// The code leaves the address bar at once, and so the history and whoever looks at the screen.
function takeCode() {
  const code = new URLSearchParams(location.hash.slice(1)).get("enrol");
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
  return code;
}

async function run(code) {
  if (!isSecureContext) return showFault("insecure-context");
  if (!(await canHoldKeys())) return showFault("no-ed25519", { retry: () => location.reload() });
  await becomeTheTerminal();
  navigator.storage?.persist?.(); // some browsers ask first, and nobody may be there to answer
  for (let again = false; ; [code, again] = [null, true]) {
    const stored = await load();
    const isReady = stored?.state === "active" && code === null && !again;
    const terminal = isReady ? stored : await enrolled(stored, code);
    const problem = await new TerminalClock(terminal, clock, languageFor).untilGivenUp();
    // Anybody may press "Enrol again": a key that may still count is given up only for a code.
    if (WORTHLESS.includes(problem)) await remove();
    at("company").textContent = at("label").textContent = "";
  }
}

/** Go through the ceremony until this terminal is approved, as often as it takes. */
async function enrolled(stored, code) {
  for (; ; stored = await load()) {
    let terminal = stored;
    try {
      if (terminal?.state === "new" && code === null) terminal = await begin(null, clock);
      else if (terminal?.state !== "pending" || code !== null) terminal = await askForCode(terminal, code);
      if (terminal.state === "active") return terminal;
      return await approved(terminal);
    } catch (fault) {
      await told(fault);
    }
    code = null;
  }
}

/** The form with the code; resolves with a terminal that waits, or with the old one when somebody decides to keep it. */
function askForCode(current, code) {
  endFault();
  const lost = lostTerminal();
  const isActive = current?.state === "active";
  at("code").value = code ?? "";
  tell("lost", isActive ? say("enrolledAlready", { label: current.place.label }) : lost ? say("lostKey", { label: lost }) : "", "info");
  tell("enrol-problem", "");
  at("keep").hidden = !isActive;
  show("enrol", at("code"));
  return new Promise((resolve, reject) => {
    at("keep").onclick = () => resolve(current);
    at("enrol-form").onsubmit = (event) => {
      event.preventDefault();
      alone(async () => {
        const typed = readCode(at("code").value);
        if (typed === null) return refuseCode(say("codeForm"));
        try {
          resolve(await begin(typed, clock));
        } catch (fault) {
          const problem = fault.problem;
          const minutes = Math.ceil((fault.retryAfter ?? 60) / 60);
          if (["enrolment-code-invalid", "too-many-requests"].includes(problem)) refuseCode(sayFault(problem, { minutes }).advice);
          else if (["weak-key", "key-reused"].includes(problem)) refuseCode(say("tryAgain"));
          else reject(fault);
        }
      });
    };
  });
}

function refuseCode(text) {
  tell("enrol-problem", text);
  at("code").focus();
}

async function wordList() {
  const answer = await fetch(document.body.dataset.words).catch(() => null);
  if (!answer?.ok) throw new Refusal("offline");
  return (await answer.text()).trim().split(/\s+/);
}

/** Show the five words until IT has approved. */
async function approved(terminal) {
  endFault();
  const words = await enrolmentWords(terminal.key.keyid, terminal.gatewayKeyid, terminal.enrolmentId, await wordList());
  at("word-list").replaceChildren(
    ...words.map((word) => {
      const item = document.createElement("li");
      item.textContent = word;
      return item;
    }),
  );
  at("thumbprint").textContent = terminal.key.keyid;
  tell("words-problem", "");
  show("words", at("words-title"));
  const asking = new AbortController();
  const givenUp = new Promise((_, reject) => {
    at("give-up").onclick = () => {
      asking.abort();
      giveUp(terminal).then(() => reject(new Refusal("given-up")), reject);
    };
  });
  const trouble = (fault) => tell("words-problem", fault === null ? "" : sayFault(fault.problem).text);
  const isApproved = untilApproved(terminal, clock, trouble, asking.signal).catch((fault) => {
    // Whoever gives up is through when the store is empty, not when a question under way has noticed.
    if (asking.signal.aborted) return givenUp;
    throw fault;
  });
  return Promise.race([isApproved, givenUp]);
}

/** A fault of the ceremony, until somebody has read it. */
function told(fault) {
  if (["given-up", "not-enrolled"].includes(fault.problem)) return null;
  const isOver = ["enrolment-ended", "gateway-changed"].includes(fault.problem);
  return new Promise((resolve) => {
    const begin = async () => {
      const begun = await load();
      if (fault.problem === "gateway-changed" && begun?.state !== "active" && begun) await giveUp(begun);
      resolve(null);
    };
    showFault(fault instanceof Refusal ? fault.problem : "unexpected", {
      retry: isOver ? null : () => resolve(null),
      seconds: isOver ? null : (fault.retryAfter ?? 5),
      enrolAgain: isOver ? begin : null,
    });
  });
}

const isUntouched = () => at("number").value + at("pin").value === "";

// ── the device ───────────────────────────────────────────────────────────────────────────────────────────────────

/** The screen stays awake as long as the page is in sight. */
async function keepAwake() {
  if (document.visibilityState !== "visible") return;
  try {
    await navigator.wakeLock?.request("screen");
  } catch {
    // Refused on low battery: the device's own settings decide then.
  }
}

/** The service worker keeps this page up while the network is away; a new version is taken when nobody is there. */
async function keepShell() {
  if (!("serviceWorker" in navigator)) return;
  const hadOne = navigator.serviceWorker.controller !== null;
  let isNewer = false;
  navigator.serviceWorker.addEventListener("controllerchange", () => (isNewer = hadOne));
  const registration = await navigator.serviceWorker.register("/kiosk-sw.js", { scope: "/kiosk" });
  const isFree = () => (isShown("enrol") && at("code").value === "") || (isShown("idle") && isUntouched());
  setInterval(() => isNewer && isFree() && loadAnew(), 5000);
  setInterval(() => registration.update().catch(() => {}), UPDATE_MINUTES * 60_000);
}

for (const link of document.querySelectorAll("[data-lang]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    passing = link.dataset.lang;
    if (companyLocale === null) {
      asked = passing;
      history.replaceState(null, "", `${location.pathname}?lang=${asked}`);
    }
    localise(passing);
    setTimeout(() => {
      if (passing && isShown("idle") && isUntouched()) localise(languageFor(companyLocale));
    }, PASSING_SECONDS * 1000);
  });
}
document.addEventListener("visibilitychange", keepAwake);
localise(asked ?? document.documentElement.lang);
const code = takeCode();
// Another code opened in the same window.
addEventListener("hashchange", () => location.hash.startsWith("#enrol=") && location.reload());
keepAwake();
if (isSecureContext) keepShell().catch(() => {});
run(code);
