// The phone page's script: company, sign-in, one stamp, sign-out, over the phone tier of the HTTP interface.
//
// What must hold:
// - The poster's token leaves the address bar at once and lives in this module's memory only; so does the session.
// - A stamp the person asked for keeps one `stamp_id` until its outcome is known: lost answers, a session that ends in
//   the middle and double taps never make two stamps.
// - Every text comes from the page (its `texts` template), so this file speaks no language.

const REQUEST_TIMEOUT = 10_000; // milliseconds until a request counts as unanswered
const DONE_GUARD = 700; // milliseconds in which the second tap of a double tap must not dismiss the confirmation
const NUMBER_KEY = "stampgate.personnel-number"; // in localStorage, only when the person ticked the box
const VIEWS = ["opening", "stuck", "sign-in", "signed-in", "confirmed"];

const at = (id) => document.getElementById(id);
const language = document.documentElement.lang;
const region = navigator.languages.find((tag) => tag.split("-")[0] === language) ?? language; // for the order in dates
const texts = {};
for (const line of at("texts").content.querySelectorAll("[data-text]")) texts[line.dataset.text] = line.textContent;
const say = (name, values = {}) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const actionButtons = [...document.querySelectorAll("[data-action]")];
const labelOf = (action) => actionButtons.find((button) => button.dataset.action === action)?.textContent ?? action;

let token = takeToken();
let session = null; // {bearer, ends (milliseconds), number}
let pending = null; // {action, stampId, number}: asked for, outcome not known yet
let retry = null; // what "Try again" does
let running = false;

// ── the address bar ──────────────────────────────────────────────────────────────────────────────────────────────

function takeToken() {
  const query = new URLSearchParams(location.search);
  const found = new URLSearchParams(location.hash.slice(1)).get("t") ?? query.get("t");
  if (location.hash || query.has("t")) {
    query.delete("t");
    const rest = query.toString();
    history.replaceState(null, "", location.pathname + (rest ? `?${rest}` : ""));
  }
  return found;
}

// ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────────

class Refusal extends Error {
  constructor(name, { retryAfter = null, problem = null } = {}) {
    super(name);
    this.name = name;
    this.retryAfter = retryAfter;
    this.problem = problem;
  }
}

async function post(path, body, bearer) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), REQUEST_TIMEOUT);
  let answer;
  let content = null;
  try {
    answer = await fetch(`/api/time/public/${path}`, {
      method: "POST",
      headers,
      body: body ? JSON.stringify(body) : undefined,
      credentials: "omit",
      cache: "no-store",
      signal: abort.signal,
    });
    if (answer.status !== 204) content = await answer.text();
  } catch {
    throw new Refusal("offline");
  } finally {
    clearTimeout(timer);
  }
  let parsed = null;
  try {
    parsed = content === null ? null : JSON.parse(content);
  } catch {
    throw new Refusal("unexpected"); // a proxy's own page, not an answer of the gateway
  }
  if (answer.ok) return parsed;
  const retryAfter = Number.parseInt(answer.headers.get("Retry-After") ?? "", 10);
  throw new Refusal(String(parsed?.type ?? "").split("/").pop() || "unexpected", {
    retryAfter: Number.isNaN(retryAfter) ? null : retryAfter,
    problem: parsed,
  });
}

// One request at a time: what arrives while one runs (a second tap) is dropped. Buttons are not disabled meanwhile: that
// would take the focus away from whoever works by keyboard or screen reader.
async function alone(work) {
  if (running) return;
  running = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await work();
  } finally {
    running = false;
    document.body.removeAttribute("aria-busy");
    }
}

// ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────

function show(view, notice = "", kind = "problem") {
  for (const id of VIEWS) at(id).hidden = id !== view;
  tell(notice, kind);
  tick();
}

function tell(notice, kind = "problem") {
  const place = at("problem");
  place.textContent = notice;
  place.dataset.kind = kind;
  place.hidden = !notice;
}

function optional(id, content) {
  at(id).textContent = content;
  at(id).hidden = !content;
}

const clock = (options) => new Intl.DateTimeFormat(region, { hourCycle: "h23", hour: "2-digit", minute: "2-digit", ...options });
const withSeconds = (moment) => clock({ second: "2-digit" }).format(moment);

function moment(when) {
  const today = when.toDateString() === new Date().toDateString();
  return clock(today ? {} : { weekday: "short", day: "numeric", month: "long" }).format(when);
}

function stateInWords(status) {
  if (!status.since) return say("stateOut");
  const name = { out: "stateOutSince", in: "stateInSince", break: "stateBreakSince" }[status.state];
  return say(name, { time: moment(new Date(status.since)) });
}

function hoursInWords(status) {
  const minutes = Math.floor(status.worked_today_seconds / 60);
  return say("worked", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
}

function showStatus(status, notice = "") {
  at("state").textContent = stateInWords(status);
  at("worked").textContent = hoursInWords(status);
  // clock_in beside an open span: the gateway takes that span's clock-out for forgotten.
  at("missing").hidden = !(status.clock_out_missing || (status.state !== "out" && status.actions.includes("clock_in")));
  for (const button of actionButtons) button.hidden = !status.actions.includes(button.dataset.action);
  show("signed-in", notice);
  at("name").focus();
}

function showSignIn(notice = "", kind = "problem") {
  session = null;
  at("pin").value = "";
  show("sign-in", notice, kind);
  (at("number").value ? at("pin") : at("number")).focus();
}

function showStuck(notice, again) {
  retry = again;
  show("stuck", notice);
}

function tick() {
  const left = session ? Math.max(0, Math.ceil((session.ends - Date.now()) / 1000)) : 0;
  optional("time-left", session ? say("secondsLeft", { seconds: left }) : "");
  if (session && left === 0 && !running) {
    if (pending) showSignIn(say("signInAgain", { action: labelOf(pending.action) }), "info");
    else showSignIn(say("timeUp"), "info");
  }
}

// One sentence for a refusal that means the same wherever it comes from.
function sentence(refusal) {
  switch (refusal.name) {
    case "link-not-valid":
      return say("linkNotValid");
    case "login-failed":
      return say("loginFailed");
    case "login-throttled": {
      const seconds = refusal.retryAfter ?? 60;
      if (seconds < 90) return say("throttledFor", { seconds });
      // Rounded up to the minute: whoever comes back at the time shown must not be too early.
      const until = Math.ceil((Date.now() + seconds * 1000) / 60_000) * 60_000;
      return say("throttledUntil", { time: moment(new Date(until)) });
    }
    case "state-unavailable":
      return say("unavailable");
    case "busy":
      return say("busy");
    case "offline":
      return say("offline");
    default:
      return say("unexpected");
  }
}

// ── the steps ────────────────────────────────────────────────────────────────────────────────────────────────────

async function open() {
  if (!token) {
    show(null, say("noToken"), "info");
    return;
  }
  show("opening");
  try {
    const { company } = await post("company", { token });
    at("company").textContent = company.name;
    showSignIn();
  } catch (refusal) {
    if (refusal.name === "link-not-valid") show(null, sentence(refusal));
    else showStuck(sentence(refusal), open);
  }
}

async function signIn() {
  const number = at("number").value.trim();
  const pin = at("pin").value.trim();
  const fault = faultOf(number, pin);
  if (fault) {
    tell(say(fault));
    (/^\d{1,12}$/.test(number) ? at("pin") : at("number")).focus();
    return;
  }
  remember(number);
  const sent = Date.now();
  let answer;
  try {
    answer = await post("auth", { token, personnel_number: number, pin });
  } catch (refusal) {
    if (refusal.name === "link-not-valid") show(null, sentence(refusal));
    else if (["offline", "busy", "state-unavailable", "unexpected"].includes(refusal.name)) tell(sentence(refusal));
    else showSignIn(sentence(refusal));
    return;
  }
  at("pin").value = "";
  session = { bearer: answer.session_token, ends: sent + answer.expires_in * 1000, number };
  at("name").textContent = answer.employee.display_name;
  const count = answer.failed_attempts;
  optional("failures", count > 1 ? say("failuresMany", { count }) : count === 1 ? say("failuresOne") : "");
  if (pending && pending.number !== number) pending = null; // somebody else's unfinished stamp
  if (pending) await finish();
  else showStatus(answer.status);
}

function faultOf(number, pin) {
  if (!number || !pin) return "fillIn";
  if (!/^\d{1,12}$/.test(number)) return "numberDigits";
  return /^\d{6,12}$/.test(pin) ? null : "pinDigits";
}

async function finish() {
  const { action, stampId } = pending;
  let answer;
  try {
    answer = await post("action", { stamp_id: stampId, action }, session.bearer);
  } catch (refusal) {
    const name = labelOf(action);
    if (refusal.name === "session-expired") {
      showSignIn(say("signInAgain", { action: name }), "info");
    } else if (refusal.name === "action-not-valid" && refusal.problem?.current_status) {
      pending = null;
      showStatus(refusal.problem.current_status, say("notValid", { action: name }));
    } else if (["offline", "unexpected", "internal-error"].includes(refusal.name)) {
      showStuck(say("unanswered", { action: name }), resume);
    } else if (["busy", "state-unavailable"].includes(refusal.name)) {
      showStuck(sentence(refusal), resume);
    } else {
      pending = null;
      showSignIn(sentence(refusal));
    }
    return;
  }
  pending = null;
  at("recorded").textContent = say("recorded", { action: labelOf(answer.stamp.action), time: withSeconds(new Date(answer.stamp.at)) });
  at("now").textContent = hoursInWords(answer.status);
  show("confirmed");
  const done = at("confirmed").querySelector("[data-done]");
  done.disabled = true;
  setTimeout(() => {
    done.disabled = false;
    done.focus();
  }, DONE_GUARD);
}

async function resume() {
  if (session && session.ends > Date.now()) await finish();
  else showSignIn(say("signInAgain", { action: labelOf(pending.action) }), "info");
}

async function signOut() {
  const { bearer } = session ?? {};
  showSignIn(say("signedOut"), "info");
  try {
    if (bearer) await post("logout", null, bearer);
  } catch {
    // Unanswered: the session ends by itself within two minutes.
  }
}

// UUIDv4 (RFC 9562 §5.4) by hand: `crypto.randomUUID` exists only on HTTPS, and a first try in a LAN has none.
function newStampId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

// ── the remembered number (storage may be switched off, then nothing is remembered) ──────────────────────────────

function remember(number) {
  try {
    if (at("remember").checked) localStorage.setItem(NUMBER_KEY, number);
    else localStorage.removeItem(NUMBER_KEY);
  } catch {
    at("remember").checked = false;
  }
}

function recall() {
  try {
    const number = localStorage.getItem(NUMBER_KEY);
    at("number").value = number ?? "";
    at("remember").checked = number !== null;
  } catch {
    at("remember").checked = false;
  }
}

// ── start ────────────────────────────────────────────────────────────────────────────────────────────────────────

at("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  alone(signIn);
});
at("again").addEventListener("click", () => alone(() => retry()));
for (const button of actionButtons) {
  button.addEventListener("click", () =>
    alone(() => {
      pending = { action: button.dataset.action, stampId: newStampId(), number: session.number };
      return finish();
    }),
  );
}
for (const button of document.querySelectorAll("[data-done]")) {
  button.addEventListener("click", () => alone(signOut));
}
for (const link of document.querySelectorAll("[data-lang]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    // The new page needs the token again; it takes it out of the address bar as this one did.
    location.replace(`/stamp?lang=${link.dataset.lang}${token ? `#t=${encodeURIComponent(token)}` : ""}`);
  });
}
// Another poster scanned into the same tab.
addEventListener("hashchange", () => {
  const other = takeToken();
  if (!other) return;
  token = other;
  session = null;
  pending = null;
  alone(open);
});
setInterval(tick, 1000);
recall();
alone(open);
