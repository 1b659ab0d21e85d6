// What is on the screen: one view at a time, its texts, the countdown, and the fault screen.

import { say, sayFault, speak } from "./kiosk-texts.js";

const VIEWS = ["opening", "enrol", "words", "idle", "signed-in", "confirmed", "days", "pin-change", "fault"];
const TICK = 250; // milliseconds

/** @param {string} id @returns {any} */
export const at = (id) => document.getElementById(id);

/** Show one view; the focus goes to `focus`, an element of it. */
export function show(view, focus = null) {
  for (const id of VIEWS) at(id).hidden = id !== view;
  document.body.dataset.view = view;
  focus?.focus();
}

export const isShown = (view) => document.body.dataset.view === view;

/** Put a text into an element, which is hidden while there is none. */
export function tell(id, text, kind = "problem") {
  at(id).textContent = text;
  at(id).dataset.kind = kind;
  at(id).hidden = !text;
}

/** Say everything that stands still in a language. */
export function localise(locale) {
  const language = speak(locale);
  document.documentElement.lang = language;
  document.title = say("title");
  for (const one of document.querySelectorAll("[data-text]")) one.textContent = say(one.dataset.text);
  for (const one of document.querySelectorAll("[data-label]")) one.setAttribute("aria-label", say(one.dataset.label));
  for (const link of document.querySelectorAll("[data-lang]")) {
    if (link.dataset.lang === language) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  if (isShown("fault")) sayAgain();
}

/** Draw one of the icons of the page's sprite. */
export function useIcon(id, name) {
  at(id).setAttribute("href", `#icon-${name}`);
}

let running = false;

/** One thing at a time: what is asked for while one runs (a second tap) is dropped. */
export async function alone(work) {
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

/** Seconds that run down in sight; `touch` begins them anew. */
export class Countdown {
  #timer = null;

  start(seconds, text, ended) {
    this.stop();
    this.seconds = seconds;
    this.text = text;
    this.touch();
    at("time-bar").max = seconds;
    at("countdown").hidden = false;
    this.#timer = setInterval(() => this.#tick(ended), TICK);
    this.#tick(ended);
  }

  touch() {
    this.ends = Date.now() + this.seconds * 1000;
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    at("countdown").hidden = true;
  }

  #tick(ended) {
    const left = (this.ends - Date.now()) / 1000;
    if (left <= 0) {
      this.stop();
      ended();
      return;
    }
    at("time-bar").value = left;
    const words = say(this.text, { seconds: Math.ceil(left) });
    if (at("time-left").textContent !== words) at("time-left").textContent = words;
  }
}

let again = null;
let shown = { problem: "", values: {} };

/**
 * The fault screen. `retry` is called after `seconds` and by its button; without `seconds` only by the button.
 *
 * @param {string} problem
 * @param {{values?: object, retry?: (() => any) | null, seconds?: number | null, enrolAgain?: (() => any) | null,
 *   takeOver?: (() => any) | null}} options
 */
export function showFault(problem, { values = {}, retry = null, seconds = null, enrolAgain = null, takeOver = null } = {}) {
  clearTimeout(again);
  // What is on the screen already is not announced once more to whoever listens.
  const isNew = !isShown("fault") || shown.problem !== problem;
  shown = { problem, values };
  if (isNew) sayAgain();
  at("trust-page").hidden = problem !== "insecure-context";
  at("try-again").hidden = retry === null;
  at("try-again").onclick = retry;
  at("enrol-again").hidden = enrolAgain === null;
  at("enrol-again").onclick = enrolAgain;
  at("take-over").hidden = takeOver === null;
  at("take-over").onclick = takeOver;
  at("fault-wait").hidden = seconds === null;
  if (seconds !== null) waitVisibly(Date.now() + seconds * 1000, retry);
  if (isNew) show("fault");
}

function sayAgain() {
  const { title, text, advice } = sayFault(shown.problem, shown.values);
  at("fault-title").textContent = title;
  at("fault-text").textContent = text;
  at("fault-advice").textContent = advice;
}

function waitVisibly(until, work) {
  const left = Math.ceil((until - Date.now()) / 1000);
  at("fault-wait").textContent = say("tryingAgainIn", { seconds: Math.max(0, left) });
  if (left <= 0) work();
  else again = setTimeout(() => waitVisibly(until, work), Math.min(1000, until - Date.now()));
}

/** Whatever the fault screen waited for is no longer wanted. */
export function endFault() {
  clearTimeout(again);
}
