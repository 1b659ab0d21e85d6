// What the console does better with a script than without; nothing here is needed to work with it.

const NOBODY = [502, 503, 504]; // what proxies say while nobody answers them
const ANSWER_MS = 10_000; // until a request counts as unanswered
const LIVE_SECONDS = 15; // A heartbeat comes about once a minute; four looks in between are enough.

// A secret in the fragment (a mailed link) goes into its field, and out of the address bar and the history.
for (const place of document.querySelectorAll("[data-fragment]")) {
  const name = place.dataset.fragment;
  const value = new URLSearchParams(location.hash.slice(1)).get(name);
  const field = place.querySelector("input");
  if (value) {
    field.value = value;
    history.replaceState(null, "", location.pathname + location.search);
  }
  if (field.value && !field.hasAttribute("aria-invalid")) place.hidden = true;
}

// A page that answers a post gets an address of its own, so that loading it again does not do the act again.
const { address } = document.body.dataset;
if (address) history.replaceState(null, "", address);

const unreachable = document.getElementById("unreachable");
function tellWhether(isAway, name) {
  // That a form was not sent is true until somebody sends it again, whoever else is answered meanwhile.
  if (name === "stale" && unreachable.dataset.shown === "unsent") return;
  unreachable.dataset.shown = isAway ? name : "";
  const text = isAway ? unreachable.dataset[name] : "";
  if (unreachable.textContent !== text) unreachable.textContent = text;
  unreachable.hidden = !isAway;
  if (isAway && name === "unsent") unreachable.scrollIntoView({ block: "nearest" });
}
async function ask(address, options) {
  try {
    const answer = await fetch(address, { ...options, signal: AbortSignal.timeout?.(ANSWER_MS) });
    return NOBODY.includes(answer.status) ? null : answer;
  } catch {
    return null;
  }
}

// A form is sent only to a gateway that answers: the browser's own page about a lost one would take what was typed along.
// The second click of a double click sends nothing: the browser would drop the first answer, and some are given once.
document.addEventListener("submit", async (event) => {
  const { target: form, submitter } = event;
  if (form.method !== "post" || !form.requestSubmit) return;
  if (form.dataset.sent === "now") {
    form.dataset.sent = "1";
    return;
  }
  event.preventDefault();
  if (form.dataset.sent) return;
  form.dataset.sent = "1";
  const isAway = (await ask(import.meta.url, { method: "HEAD", cache: "no-store" })) === null;
  tellWhether(isAway, "unsent");
  if (isAway) {
    delete form.dataset.sent;
    return;
  }
  form.dataset.sent = "now";
  setTimeout(() => { delete form.dataset.sent; }, 2_000);
  form.requestSubmit(submitter);
});

for (const button of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) continue;
  button.hidden = false;
  const words = button.textContent;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
    button.textContent = `${words} ✓`;
    setTimeout(() => { button.textContent = words; }, 2_000);
  });
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// Lists that change by themselves are fetched anew, unless somebody is in the middle of them.
const live = document.querySelector("[data-live]");
const looksAway = () => document.hidden || live.contains(document.activeElement) || !getSelection().isCollapsed
  || document.querySelector("form[data-sent]") !== null; // a form that is about to be sent must not be replaced
async function refresh() {
  if (looksAway()) return;
  const answer = await ask(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
  tellWhether(answer === null, "stale");
  if (!answer?.ok) return; // signed out meanwhile: the next click says so
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
  if (!fresh) return location.reload(); // another kind of page by now, such as a terminal that waits for approval
  if (!looksAway() && fresh.innerHTML !== live.innerHTML) live.innerHTML = fresh.innerHTML;
}
if (live && !address) setInterval(() => refresh().catch(() => {}), 1_000 * (Number(live.dataset.live) || LIVE_SECONDS));
