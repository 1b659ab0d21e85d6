// The phone page's script: company, sign-in, one stamp, sign-out, over the phone tier of the HTTP interface.
//
// What must hold:
// - The poster's token leaves the address bar at once and lives in this module's memory only; so does the session.
// - A stamp the person asked for keeps one `stamp_id` until its outcome is known: lost answers, a session that ends in
//   the middle and double taps never make two stamps. The id outlives the page too, but by itself the page finishes only
//   what it was asked for in its own lifetime, by the person who asked.
// - Times are told in the company's time zone, wherever the phone is.
// - Every text comes from the page (its `texts` template), so this file speaks no language.

const REQUEST_TIMEOUT = 10_000; // milliseconds until a request counts as unanswered
const DONE_GUARD = 700; // milliseconds in which the second tap of a double tap must not dismiss the confirmation
const FINISH_WITHIN = 600_000; // milliseconds after which nobody expects an interrupted stamp to be made any more
const NUMBER_KEY = "stampgate.personnel-number"; // in localStorage, only when the person ticked the box
const UNFINISHED_KEY = "stampgate.unfinished-stamp"; // in localStorage: action, stamp_id and when; not who
const VIEWS = ["opening", "stuck", "sign-in", "signed-in", "days", "confirmed"];

// This script may be here before the page is (it waits for no style sheet, so that the company is asked for early).
if (document.readyState === "loading") await new Promise((ready) => addEventListener("DOMContentLoaded", ready));

const at = (id) => document.getElementById(id);
const language = document.documentElement.lang;
const spoken = navigator.languages.find((tag) => tag.startsWith(`${language}-`));
const region = spoken ?? (language === "en" ? "en-GB" : language); // for the order in dates, as at the terminal
const texts = {};
for (const line of at("texts").content.querySelectorAll("[data-text]")) texts[line.dataset.text] = line.textContent;
const say = (name, values = {}) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);
const actionButtons = [...document.querySelectorAll("[data-action]")];
const labelOf = (action) => actionButtons.find((button) => button.dataset.action === action)?.textContent ?? action;

let token = takeToken();
let zone; // the company's IANA time zone; the phone's own until it is known
let session = null; // {bearer, ends (milliseconds), number}
let status = null; // of the person signed in, as the gateway told it last
let pending = null; // {action, stampId, asked (milliseconds), number}: asked for, outcome not known yet
let earlier = null; // the same without a number: of a page that is gone, or of another tab
let retry = null; // what "Try again" does
let running = false;
let another = null; // the token of another poster, scanned while something runs

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

const post = (path, body, bearer) => call("POST", path, body, bearer);
const get = (path, bearer) => call("GET", path, null, bearer);

async function call(method, path, body, bearer) {
  const headers = {};
  if (body) headers["Content-Type"] = "application/json";
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), REQUEST_TIMEOUT);
  let answer;
  let content = null;
  try {
    answer = await fetch(`/api/time/public/${path}`, {
      method,
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
    if (another) begin();
  }
}

// ── what is shown ────────────────────────────────────────────────────────────────────────────────────────────────

function show(view, notice = "", kind = "problem") {
  for (const id of VIEWS) at(id).hidden = id !== view;
  at("times").hidden = !view;
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

// ── times ────────────────────────────────────────────────────────────────────────────────────────────────────────

const HOURS = { hourCycle: "h23", hour: "2-digit", minute: "2-digit" };
const DAY = { weekday: "short", day: "numeric", month: "long" };
const formats = new Map(); // making the first one takes a slow phone a third of a second: none is made before it is needed

function told(moment, options, timeZone = zone) {
  const key = JSON.stringify([options, timeZone]);
  if (!formats.has(key)) formats.set(key, formatOf(options, timeZone));
  return formats.get(key).format(moment);
}

function formatOf(options, timeZone) {
  try {
    return new Intl.DateTimeFormat(region, { timeZone, ...options });
  } catch {
    return new Intl.DateTimeFormat(region, options); // a zone newer than this phone: its own is the best guess
  }
}

const dateOf = (moment) => told(moment, { dateStyle: "short" });
const onTheWall = (moment, timeZone = zone) => told(moment, { dateStyle: "short", timeStyle: "medium" }, timeZone);
const hours = (count) => count * 3_600_000;

// In the hour that comes twice when clocks are put back (by 30, 60 or 120 minutes) only the zone's name tells which.
function timeOf(moment, options = {}) {
  const shown = onTheWall(moment);
  const comesTwice = [0.5, 1, 2].some((by) => [-by, by].some((shift) => onTheWall(+moment + hours(shift)) === shown));
  return told(moment, { ...HOURS, ...options, ...(comesTwice ? { timeZoneName: "short" } : {}) });
}

const withSeconds = (moment) => timeOf(moment, { second: "2-digit" });
const momentOf = (moment) => timeOf(moment, dateOf(moment) === dateOf(Date.now()) ? {} : DAY);
const dayOf = (date) => told(new Date(date), { weekday: "short", day: "numeric", month: "numeric" }, "UTC");

// `7 h 32 min`, `15 min`: one way in sentences and tables, broken between hours and minutes alone.
function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  const text = say(minutes < 60 ? "minutesAlone" : "hoursAndMinutes", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  return text.replace(/(\d) /g, "$1\u00a0");
}

function clocksChangeToday() {
  const now = Date.now();
  const names = new Set();
  for (let hour = -26; hour <= 26; hour += 1) {
    const moment = now + hours(hour);
    if (dateOf(moment) === dateOf(now)) names.add(told(moment, { timeZoneName: "short" }));
  }
  return names.size > 1;
}

function zoneInWords() {
  const nameOf = (timeZoneName) =>
    new Intl.DateTimeFormat(region, { timeZone: zone, timeZoneName }).formatToParts().find((part) => part.type === "timeZoneName").value;
  try {
    return nameOf("longGeneric");
  } catch {
    return nameOf("long");
  }
}

function showZone() {
  const now = Date.now();
  const isForeign = onTheWall(now) !== onTheWall(now, Intl.DateTimeFormat().resolvedOptions().timeZone);
  optional("zone", isForeign ? say("foreignZone", { zone: zoneInWords() }) : "");
  optional("clock-change", clocksChangeToday() ? say("clockChange") : "");
}

// ── somebody's state and days ────────────────────────────────────────────────────────────────────────────────────

function stateInWords() {
  if (!status.since) return say("stateOut");
  const name = { out: "stateOutSince", in: "stateInSince", break: "stateBreakSince" }[status.state];
  return say(name, { time: momentOf(new Date(status.since)) });
}

function hoursInWords() {
  return say("worked", { time: duration(status.worked_today_seconds) });
}

function showStatus(notice = "", kind = "problem") {
  at("state").textContent = stateInWords();
  at("worked").textContent = hoursInWords();
  // clock_in beside an open span: the gateway takes that span's clock-out for forgotten.
  at("missing").hidden = !(status.clock_out_missing || (status.state !== "out" && status.actions.includes("clock_in")));
  for (const button of actionButtons) button.hidden = !status.actions.includes(button.dataset.action);
  show("signed-in", notice, kind);
  at("name").focus();
}

// What people look for in a day: when they came and went, side by side.
function pairsOf(day) {
  const pairs = [];
  for (const { action, at: time } of day.stamps) {
    const last = pairs[pairs.length - 1];
    if (action === "clock_in") pairs.push({ came: time });
    else if (action === "clock_out" && last && !last.went) last.went = time;
    else if (action === "clock_out") pairs.push({ went: time }); // came the day before
  }
  const open = pairs.find((pair) => !pair.went);
  if (day.clock_out_missing && open) open.isMissing = true;
  return pairs;
}

function dayRow(day) {
  const pairs = pairsOf(day);
  const time = (text) => (text ? timeOf(new Date(text)) : "–");
  const columns = [
    pairs.map(({ came }) => time(came)),
    pairs.map(({ went, isMissing }) => (isMissing ? say("missing") : time(went))),
    [duration(day.break_seconds)],
    [duration(day.worked_seconds)],
  ];
  const titles = document.querySelectorAll("#days thead th + th");
  const cells = columns.map((lines, column) => {
    const cell = made("td", { role: "cell" });
    cell.dataset.title = titles[column].textContent; // for screens on which the columns stand below each other
    cell.append(...(lines.length ? lines : ["–"]).map((line) => made("p", { textContent: line })));
    return cell;
  });
  const row = made("tr", { role: "row", className: day.stamps.length || day.worked_seconds ? "" : "free" });
  row.append(made("th", { role: "rowheader", scope: "row", textContent: dayOf(day.date) }), ...cells);
  return row;
}

function made(name, { role, ...properties }) {
  const element = Object.assign(document.createElement(name), properties);
  if (role) element.setAttribute("role", role);
  return element;
}

function showSignIn(notice = "", kind = "problem") {
  session = status = earlier = null;
  at("pin").value = "";
  for (const id of ["name", "state", "worked", "recorded", "now"]) at(id).textContent = "";
  at("day-rows").replaceChildren();
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
  if (session && left === 0 && !running) showOver(false);
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
      return say("throttledUntil", { time: momentOf(until) });
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
    const interrupted = recallUnfinished();
    show(null, interrupted ? say("noTokenInterrupted", { action: labelOf(interrupted.action) }) : say("noToken"), "info");
    return;
  }
  show("opening");
  try {
    const { company } = await post("company", { token });
    at("company").textContent = company.name;
    zone = company.timezone;
    showSignIn();
  } catch (refusal) {
    if (refusal.name === "link-not-valid") show(null, sentence(refusal));
    else showStuck(sentence(refusal), open);
  }
}

// The page as it is after a scan.
function begin() {
  token = another;
  another = session = pending = null;
  alone(open);
}

async function signIn() {
  const number = at("number").value.trim();
  const pin = at("pin").value.trim();
  // The number pad's own key, after the first field.
  if (number && !pin && document.activeElement === at("number")) return at("pin").focus();
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
    const asked = post("auth", { token, personnel_number: number, pin });
    showZone(); // from now on times are told; what that costs falls into the wait
    answer = await asked;
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
  status = answer.status;
  if (pending && pending.number !== number) settle(); // somebody else's unfinished stamp
  if (isRecent(pending)) return finish();
  earlier = pending ?? recallUnfinished();
  pending = null;
  showStatus(earlier ? say("interrupted", { action: labelOf(earlier.action) }) : "", "info");
}

function faultOf(number, pin) {
  if (!number || !pin) return "fillIn";
  if (!/^\d{1,12}$/.test(number)) return "numberDigits";
  return /^\d{6,12}$/.test(pin) ? null : "pinDigits";
}

function act(action) {
  // An earlier wish for the same may still be on its way: under its id the two are one.
  const { stampId, asked } = isRecent(earlier) && earlier.action === action ? earlier : { stampId: newStampId(), asked: Date.now() };
  pending = { action, stampId, asked, number: session.number };
  earlier = null;
  keepUnfinished();
  return finish();
}

// The outcome of a stamp is known, or nobody wants it any more.
function settle() {
  pending = null;
  store(UNFINISHED_KEY, null);
}

async function finish() {
  const { action, stampId } = pending;
  const name = labelOf(action);
  let answer;
  try {
    answer = await post("action", { stamp_id: stampId, action }, session.bearer);
  } catch (refusal) {
    if (refusal.name === "session-expired") {
      await expired();
    } else if (refusal.name === "action-not-valid" && refusal.problem?.current_status) {
      settle();
      status = refusal.problem.current_status;
      showStatus(say("notValid", { action: name }));
    } else if (["offline", "unexpected", "internal-error"].includes(refusal.name)) {
      showStuck(say("unanswered", { action: name }), resume);
    } else if (["busy", "state-unavailable"].includes(refusal.name)) {
      showStuck(sentence(refusal), resume);
    } else {
      settle();
      showSignIn(sentence(refusal));
    }
    return;
  }
  settle();
  status = answer.status;
  const recorded = say("recorded", { action: name, time: withSeconds(new Date(answer.stamp.at)) });
  // What is possible again was not done just now: the first try had arrived, and more has happened since.
  if (status.actions.includes(action)) return showStatus(recorded, "info");
  at("recorded").textContent = recorded;
  at("now").textContent = hoursInWords();
  show("confirmed");
  const done = at("confirmed").querySelector("[data-done]");
  done.disabled = true;
  setTimeout(() => {
    done.disabled = false;
    done.focus();
  }, DONE_GUARD);
}

// Before its time a session ends with the poster it came by, and then nobody can sign in again; or because the gateway
// has lost it or ended it, and then it is not the person's time that is up.
async function expired() {
  const isEarly = session.ends > Date.now();
  try {
    if (isEarly) await post("company", { token });
  } catch (refusal) {
    if (refusal.name === "link-not-valid") {
      session = null;
      return show(null, sentence(refusal));
    }
  }
  showOver(isEarly);
}

function showOver(isEarly) {
  const action = pending && labelOf(pending.action);
  const text = action ? (isEarly ? "endedSignInAgain" : "signInAgain") : isEarly ? "ended" : "timeUp";
  showSignIn(say(text, { action }), "info");
}

async function resume() {
  if (session && session.ends > Date.now()) await finish();
  else showOver(false);
}

async function showDays() {
  let days;
  try {
    days = await get("days", session.bearer);
  } catch (refusal) {
    if (refusal.name === "session-expired") await expired();
    else tell(sentence(refusal));
    return;
  }
  at("day-rows").replaceChildren(...days.items.map(dayRow).reverse());
  history.pushState("days", ""); // so that the phone's own way back leads to the actions, and not off the page
  show("days");
  at("days-title").focus();
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

// ── what outlives the page (storage may be switched off, then nothing does) ──────────────────────────────────────

function store(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
    return true;
  } catch {
    return false;
  }
}

function stored(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function remember(number) {
  const wanted = at("remember").checked;
  at("remember").checked = store(NUMBER_KEY, wanted ? number : null) && wanted;
}

function recall() {
  const number = stored(NUMBER_KEY);
  at("number").value = number ?? "";
  at("remember").checked = number !== null;
}

const isRecent = (wish) => wish !== null && Math.abs(Date.now() - wish.asked) < FINISH_WITHIN;

// Without the number: a `stamp_id` counts for each person apart, so the next to sign in here may use it as well.
function keepUnfinished() {
  const { action, stampId, asked } = pending;
  store(UNFINISHED_KEY, JSON.stringify({ action, stampId, asked }));
}

function recallUnfinished() {
  let kept = null;
  try {
    kept = JSON.parse(stored(UNFINISHED_KEY));
  } catch {
    // Not ours.
  }
  if (isRecent(kept)) return kept;
  store(UNFINISHED_KEY, null);
  return null;
}

// ── start ────────────────────────────────────────────────────────────────────────────────────────────────────────

at("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  alone(signIn);
});
at("again").addEventListener("click", () => alone(() => retry()));
for (const button of actionButtons) {
  button.addEventListener("click", () => alone(() => act(button.dataset.action)));
}
for (const button of document.querySelectorAll("[data-done]")) {
  button.addEventListener("click", () => alone(signOut));
}
at("show-days").addEventListener("click", () => alone(showDays));
at("back").addEventListener("click", () => history.back());
addEventListener("popstate", () => {
  if (!at("days").hidden) showStatus();
});
for (const link of document.querySelectorAll("[data-lang]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    // The new page needs the token again; it takes it out of the address bar as this one did.
    location.replace(`/stamp?lang=${link.dataset.lang}${token ? `#t=${encodeURIComponent(token)}` : ""}`);
  });
}
// Another poster scanned into the same tab, or the same once more. What runs meanwhile is of the one before.
addEventListener("hashchange", () => {
  another = takeToken() ?? another;
  if (another && !running) begin();
});
addEventListener("pageshow", tick); // back in a page that was put away as it stood: its seconds have run on
setInterval(tick, 1000);
alone(open); // asks first: the phone's storage takes its time
recall();
