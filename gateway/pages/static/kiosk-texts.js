// Every sentence of the terminal page, in English and German, and how times are told. The page can change its language
// without being loaded anew, because a terminal may be offline and learns its company's language only when enrolled.

export const LANGUAGES = ["en", "de"];

const ENGLISH = {
  title: "Terminal",
  language: "Language",
  enrolTitle: "Set up this terminal",
  enrolText: "IT adds the terminal in the console and gets a code for it. Type that code here, or open the address of its QR code on this device.",
  lostKey: "This terminal (“{label}”) was enrolled, but the browser has cleared its storage and the key is gone. Enrol again: IT replaces the terminal in the console and gets a new code.",
  enrolledAlready: "This device is enrolled as “{label}”. With another code it gets a new key, and the old one is given up.",
  keepAsIs: "Leave it as it is",
  enrolmentCode: "Enrolment code",
  codeHint: "8 letters, for example WDJB-MJHT",
  enrol: "Enrol this terminal",
  codeForm: "An enrolment code has 8 letters, without vowels and without Y.",
  wordsTitle: "Waiting for approval",
  wordsText: "IT now opens this terminal in the console and types two of these words. If the console accepts them, this page becomes the clock by itself.",
  thumbprint: "Key thumbprint",
  cancelEnrolment: "Give up and begin anew",
  personnelNumber: "Personnel number",
  pin: "PIN",
  signIn: "Sign in",
  keypad: "Keypad",
  backspace: "Delete the last digit",
  nextField: "To the next field",
  numberDigits: "A personnel number has 1 to 12 digits.",
  pinDigits: "A PIN has 6 to 12 digits.",
  clockIn: "Clock in",
  clockOut: "Clock out",
  breakStart: "Start break",
  breakEnd: "End break",
  clockInDone: "Clocked in",
  clockOutDone: "Clocked out",
  breakStartDone: "Break started",
  breakEndDone: "Break ended",
  done: "Done",
  lastDays: "My last 7 days",
  back: "Back",
  day: "Day",
  worked: "Worked",
  breaks: "Breaks",
  stamps: "Stamps",
  noStamps: "none",
  missingOut: "clock-out missing",
  changePin: "Change my PIN",
  currentPin: "Current PIN",
  newPin: "New PIN",
  repeatPin: "New PIN once more",
  savePin: "Save the new PIN",
  pinRules: "6 to 12 digits without a pattern, no date and not your personnel number.",
  pinsDiffer: "The two new PINs are not the same.",
  pinRefused: "This PIN is too easy to guess. Please take another one.",
  pinSaved: "Your new PIN is saved. It counts from now on, also on the phone.",
  pinUnanswered: "No answer came. We do not know whether the new PIN counts: next time try it first, then the old one.",
  currentPinWrong: "The current PIN is wrong.",
  stateOut: "Out",
  stateOutSince: "Out since {time}",
  stateInSince: "In since {time}",
  stateBreakSince: "On break since {time}",
  workedToday: "Worked today: {time}",
  hoursAndMinutes: "{hours} h {minutes} min",
  minutesAlone: "{minutes} min",
  failuresOne: "There was one failed sign-in since your last one.",
  failuresMany: "There were {count} failed sign-ins since your last one.",
  clockOutMissing: "Your last clock-out is missing. Please tell HR when you left.",
  signingOutIn: "Signing out in {seconds} s",
  backIn: "Back to the clock in {seconds} s",
  signedOut: "You are signed out.",
  loginFailed: "Personnel number or PIN is wrong.",
  throttledFor: "Too many tries. You can try again in {seconds} s.",
  throttledUntil: "Too many tries. Locked until {time}. HR or IT can unlock.",
  sessionOver: "Your sign-in has ended. Please sign in again.",
  notValid: "“{action}” is not possible now. Nothing was recorded.",
  signInLost: "No answer came, so you are not signed in. Please try again.",
  notStamped: "“{action}” was not recorded. Please try again.",
  tryAgain: "Try again",
  enrolAgain: "Enrol again",
  takeOver: "Use this window",
  trustPage: "How to trust the certificate",
  tryingAgainIn: "Trying again by itself in {seconds} s",
  whatToDo: "What to do",
};

/** Faults that take the whole screen, by problem name: what is the matter, what it means, what to do. */
const FAULTS_ENGLISH = {
  "insecure-context": ["This page needs HTTPS", "The page was opened over plain HTTP from another machine. Browsers keep a terminal's key only on a protected connection, so nothing can be enrolled or stamped here.", "Open the gateway's address with https:// instead. If its certificate is not trusted on this device yet, the page /trust shows how to install it."],
  "no-ed25519": ["This browser is too old", "The browser cannot make or keep the key that a terminal needs (Ed25519 in WebCrypto, stored in IndexedDB).", "Update it, or use a current Chrome, Edge, Firefox or Safari, and no private window."],
  "open-elsewhere": ["The terminal is open in another window", "Only one window of this browser stamps, so that its key is never used by two.", "Close the other window, and this one goes on by itself; or use this one."],
  offline: ["No connection", "The gateway cannot be reached. Stamping is not possible now, and nothing was recorded.", "Check the network cable or the Wi-Fi. If it lasts, tell IT, and write your time down for HR meanwhile."],
  busy: ["There is a lot going on", "The gateway is busy. Nothing was recorded.", "Please wait a few seconds, then sign in."],
  "state-unavailable": ["Stamping is not possible right now", "The gateway cannot check safely at the moment. Nothing was recorded.", "Please wait a little. If it lasts, tell IT, and write your time down for HR meanwhile."],
  uncertain: ["Not certain yet", "No answer came. We do not know yet whether “{action}” was recorded.", "Please wait: it is asked again and counts only once."],
  "uncertain-for-good": ["Please look again", "No answer came, so it is not certain whether “{action}” was recorded.", "Sign in again: the state shown there is the truth."],
  "device-suspended": ["This terminal is suspended", "IT has suspended it for now.", "Please use another terminal. IT can resume this one in the console; it goes on by itself then."],
  "device-revoked": ["This terminal was revoked", "Its key is blocked for ever. Nobody can stamp here.", "Please use another terminal. To use this device again, IT adds a new terminal in the console; then enrol again with its code."],
  "device-unknown": ["The gateway does not know this terminal", "Its key does not count any more, for example because IT has replaced the terminal.", "Get an enrolment code from IT and enrol again."],
  "enrolment-ended": ["The enrolment has ended", "IT has denied it, or nobody approved it within 30 minutes.", "Get a new code from IT and enrol again."],
  "key-expired": ["The key of this terminal has expired", "It was not changed in time, so it does not count any more.", "IT chooses “Replace” in the console and gets a new code; then enrol again. Name and history stay."],
  "network-not-allowed": ["Wrong network", "This terminal may not be used from the network it is in.", "Connect it to the company's network, or ask IT to allow this one."],
  "clock-skew": ["The clock of this device is wrong", "Its time cannot be brought into line with the gateway's.", "Set date and time of the device (best: automatically), then try again."],
  "gateway-changed": ["Do not type a PIN here", "The gateway's key is not the one that this terminal was enrolled with.", "Tell IT. If the gateway was set up anew, enrol again."],
  "unknown-authority": ["Wrong address", "The gateway does not know itself by the address in the address bar.", "Open its public address, or add this one to STAMPGATE_EXTRA_AUTHORITIES."],
  "unexpected-answer": ["Something else has answered", "What answered is not the gateway: perhaps the sign-in page of a Wi-Fi, or a proxy.", "Check the network and the address, then try again."],
  "signature-refused": ["The gateway did not accept this terminal's signature", "A proxy on the way may change requests, or the page and the gateway do not fit together.", "Try again. If it lasts, tell IT: `stampgate doctor` helps to find the cause."],
  "enrolment-code-invalid": ["", "", "The enrolment code is wrong, was used before, or is older than 30 minutes. Check it, or ask IT for a new one."],
  "too-many-requests": ["", "", "Too many wrong codes from this address. Please try again in {minutes} min."],
  unexpected: ["Something went wrong", "The gateway could not do what was asked ({problem}).", "Try again. If it lasts, tell IT."],
};

const GERMAN = {
  title: "Terminal",
  language: "Sprache",
  enrolTitle: "Dieses Terminal einrichten",
  enrolText: "Die IT legt das Terminal in der Konsole an und erhält dafür einen Code. Diesen Code hier eintippen oder die Adresse des QR-Codes auf diesem Gerät öffnen.",
  lostKey: "Dieses Terminal („{label}“) war angemeldet, aber der Browser hat seinen Speicher geleert, und der Schlüssel ist weg. Bitte neu anmelden: Die IT ersetzt das Terminal in der Konsole und erhält einen neuen Code.",
  enrolledAlready: "Dieses Gerät ist als „{label}“ angemeldet. Mit einem anderen Code erhält es einen neuen Schlüssel, und der alte wird aufgegeben.",
  keepAsIs: "So lassen, wie es ist",
  enrolmentCode: "Anmeldecode",
  codeHint: "8 Buchstaben, zum Beispiel WDJB-MJHT",
  enrol: "Terminal anmelden",
  codeForm: "Ein Anmeldecode hat 8 Buchstaben, ohne Vokale und ohne Y.",
  wordsTitle: "Warten auf Freigabe",
  wordsText: "Die IT öffnet jetzt dieses Terminal in der Konsole und tippt zwei dieser Wörter ein. Passen sie, wird diese Seite von selbst zur Stempeluhr.",
  thumbprint: "Fingerabdruck des Schlüssels",
  cancelEnrolment: "Aufgeben und neu beginnen",
  personnelNumber: "Personalnummer",
  pin: "PIN",
  signIn: "Anmelden",
  keypad: "Ziffernfeld",
  backspace: "Letzte Ziffer löschen",
  nextField: "Zum nächsten Feld",
  numberDigits: "Eine Personalnummer hat 1 bis 12 Ziffern.",
  pinDigits: "Eine PIN hat 6 bis 12 Ziffern.",
  clockIn: "Kommen",
  clockOut: "Gehen",
  breakStart: "Pause beginnen",
  breakEnd: "Pause beenden",
  clockInDone: "Kommen gebucht",
  clockOutDone: "Gehen gebucht",
  breakStartDone: "Pausenbeginn gebucht",
  breakEndDone: "Pausenende gebucht",
  done: "Fertig",
  lastDays: "Meine letzten 7 Tage",
  back: "Zurück",
  day: "Tag",
  worked: "Gearbeitet",
  breaks: "Pausen",
  stamps: "Buchungen",
  noStamps: "keine",
  missingOut: "Gehen fehlt",
  changePin: "Meine PIN ändern",
  currentPin: "Bisherige PIN",
  newPin: "Neue PIN",
  repeatPin: "Neue PIN noch einmal",
  savePin: "Neue PIN speichern",
  pinRules: "6 bis 12 Ziffern ohne Muster, kein Datum und nicht die Personalnummer.",
  pinsDiffer: "Die beiden neuen PINs sind nicht gleich.",
  pinRefused: "Diese PIN ist zu leicht zu erraten. Bitte eine andere nehmen.",
  pinSaved: "Die neue PIN ist gespeichert. Sie gilt ab jetzt, auch am Telefon.",
  pinUnanswered: "Es kam keine Antwort. Ob die neue PIN gilt, ist ungewiss: beim nächsten Mal zuerst sie, dann die alte versuchen.",
  currentPinWrong: "Die bisherige PIN ist falsch.",
  stateOut: "Abwesend",
  stateOutSince: "Abwesend seit {time}",
  stateInSince: "Anwesend seit {time}",
  stateBreakSince: "In Pause seit {time}",
  workedToday: "Heute gearbeitet: {time}",
  hoursAndMinutes: "{hours} h {minutes} min",
  minutesAlone: "{minutes} min",
  failuresOne: "Seit der letzten Anmeldung gab es einen Fehlversuch.",
  failuresMany: "Seit der letzten Anmeldung gab es {count} Fehlversuche.",
  clockOutMissing: "Die letzte Gehen-Buchung fehlt. Bitte der Personalabteilung sagen, wann Feierabend war.",
  signingOutIn: "Abmeldung in {seconds} s",
  backIn: "Zurück zur Uhr in {seconds} s",
  signedOut: "Abgemeldet.",
  loginFailed: "Personalnummer oder PIN ist falsch.",
  throttledFor: "Zu viele Versuche. Neuer Versuch in {seconds} s möglich.",
  throttledUntil: "Zu viele Versuche. Gesperrt bis {time}. Personalabteilung oder IT können entsperren.",
  sessionOver: "Die Anmeldung ist beendet. Bitte neu anmelden.",
  notValid: "„{action}“ ist jetzt nicht möglich. Es wurde nichts gebucht.",
  signInLost: "Es kam keine Antwort, darum nicht angemeldet. Bitte noch einmal versuchen.",
  notStamped: "„{action}“ wurde nicht gebucht. Bitte noch einmal versuchen.",
  tryAgain: "Noch einmal versuchen",
  enrolAgain: "Neu anmelden",
  takeOver: "Dieses Fenster benutzen",
  trustPage: "So wird dem Zertifikat vertraut",
  tryingAgainIn: "Neuer Versuch von selbst in {seconds} s",
  whatToDo: "Was zu tun ist",
};

const FAULTS_GERMAN = {
  "insecure-context": ["Diese Seite braucht HTTPS", "Die Seite wurde über einfaches HTTP von einem anderen Gerät geöffnet. Browser bewahren den Schlüssel eines Terminals nur bei geschützter Verbindung auf; darum kann hier nichts angemeldet und nichts gestempelt werden.", "Die Adresse des Servers mit https:// öffnen. Wird seinem Zertifikat auf diesem Gerät noch nicht vertraut, zeigt die Seite /trust, wie man es installiert."],
  "no-ed25519": ["Dieser Browser ist zu alt", "Der Browser kann den Schlüssel, den ein Terminal braucht, nicht erzeugen oder nicht behalten (Ed25519 in WebCrypto, in IndexedDB gespeichert).", "Bitte aktualisieren oder ein aktuelles Chrome, Edge, Firefox oder Safari benutzen, kein privates Fenster."],
  "open-elsewhere": ["Das Terminal ist in einem anderen Fenster offen", "Nur ein Fenster dieses Browsers stempelt, damit nie zwei denselben Schlüssel benutzen.", "Das andere Fenster schließen, dann geht es hier von selbst weiter; oder dieses benutzen."],
  offline: ["Keine Verbindung", "Der Server ist nicht erreichbar. Stempeln ist jetzt nicht möglich, und es wurde nichts gebucht.", "Netzwerkkabel oder WLAN prüfen. Wenn es dauert: die IT verständigen und die Zeit für die Personalabteilung aufschreiben."],
  busy: ["Gerade ist viel los", "Der Server ist ausgelastet. Es wurde nichts gebucht.", "Bitte ein paar Sekunden warten, dann anmelden."],
  "state-unavailable": ["Stempeln ist gerade nicht möglich", "Der Server kann im Moment nicht sicher prüfen. Es wurde nichts gebucht.", "Bitte etwas warten. Wenn es dauert: die IT verständigen und die Zeit für die Personalabteilung aufschreiben."],
  uncertain: ["Noch nicht sicher", "Es kam keine Antwort. Noch ist nicht bekannt, ob „{action}“ gebucht wurde.", "Bitte warten: es wird noch einmal gefragt und zählt nur einmal."],
  "uncertain-for-good": ["Bitte noch einmal nachsehen", "Es kam keine Antwort; es ist nicht sicher, ob „{action}“ gebucht wurde.", "Bitte neu anmelden: der dort gezeigte Stand gilt."],
  "device-suspended": ["Dieses Terminal ist gesperrt", "Die IT hat es vorübergehend gesperrt.", "Bitte ein anderes Terminal benutzen. Die IT kann dieses in der Konsole wieder zulassen; dann geht es von selbst weiter."],
  "device-revoked": ["Dieses Terminal wurde endgültig gesperrt", "Sein Schlüssel gilt nie wieder. Hier kann niemand stempeln.", "Bitte ein anderes Terminal benutzen. Soll dieses Gerät wieder dienen, legt die IT in der Konsole ein neues Terminal an; mit dessen Code neu anmelden."],
  "device-unknown": ["Der Server kennt dieses Terminal nicht", "Sein Schlüssel gilt nicht mehr, zum Beispiel weil die IT das Terminal ersetzt hat.", "Bei der IT einen Anmeldecode holen und neu anmelden."],
  "enrolment-ended": ["Die Anmeldung ist beendet", "Die IT hat sie abgelehnt, oder niemand hat sie innerhalb von 30 Minuten freigegeben.", "Bei der IT einen neuen Code holen und neu anmelden."],
  "key-expired": ["Der Schlüssel dieses Terminals ist abgelaufen", "Er wurde nicht rechtzeitig gewechselt und gilt nicht mehr.", "Die IT wählt in der Konsole „Ersetzen“ und erhält einen neuen Code; damit neu anmelden. Name und Verlauf bleiben."],
  "network-not-allowed": ["Falsches Netz", "Dieses Terminal darf aus dem Netz, in dem es ist, nicht benutzt werden.", "Mit dem Firmennetz verbinden oder die IT bitten, dieses Netz zu erlauben."],
  "clock-skew": ["Die Uhr dieses Geräts geht falsch", "Seine Zeit lässt sich nicht mit der des Servers in Einklang bringen.", "Datum und Uhrzeit des Geräts stellen (am besten automatisch), dann noch einmal versuchen."],
  "gateway-changed": ["Hier keine PIN eingeben", "Der Schlüssel des Servers ist nicht der, mit dem dieses Terminal angemeldet wurde.", "Bitte die IT verständigen. Wurde der Server neu aufgesetzt: neu anmelden."],
  "unknown-authority": ["Falsche Adresse", "Der Server kennt sich nicht unter der Adresse in der Adresszeile.", "Seine öffentliche Adresse öffnen oder diese in STAMPGATE_EXTRA_AUTHORITIES eintragen."],
  "unexpected-answer": ["Es hat etwas anderes geantwortet", "Was geantwortet hat, ist nicht der Server: vielleicht die Anmeldeseite eines WLANs oder ein Proxy.", "Netz und Adresse prüfen, dann noch einmal versuchen."],
  "signature-refused": ["Der Server hat die Signatur dieses Terminals nicht angenommen", "Ein Proxy unterwegs verändert vielleicht Anfragen, oder Seite und Server passen nicht zusammen.", "Noch einmal versuchen. Wenn es dauert, die IT verständigen: `stampgate doctor` hilft bei der Suche."],
  "enrolment-code-invalid": ["", "", "Der Anmeldecode ist falsch, wurde schon benutzt oder ist älter als 30 Minuten. Bitte prüfen oder bei der IT einen neuen holen."],
  "too-many-requests": ["", "", "Zu viele falsche Codes von dieser Adresse. Bitte in {minutes} min noch einmal versuchen."],
  unexpected: ["Etwas ist schiefgegangen", "Der Server konnte nicht tun, was verlangt war ({problem}).", "Noch einmal versuchen. Wenn es dauert, die IT verständigen."],
};

/** The names of texts and faults in each language, to be compared. */
export const CATALOGUES = {
  en: { texts: ENGLISH, faults: FAULTS_ENGLISH },
  de: { texts: GERMAN, faults: FAULTS_GERMAN },
};

const SIGNATURE_FAULTS = [
  ...["signature-missing", "signature-malformed", "covered-components", "signature-parameters", "signature-invalid"],
  ...["content-digest-mismatch", "non-canonical-target", "bad-nonce", "nonce-replayed"],
];

export const ACTION_TEXTS = { clock_in: "clockIn", clock_out: "clockOut", break_start: "breakStart", break_end: "breakEnd" };

let language = "en";
let region = "en";
let timeZone;

/** Speak a language; a `locale` such as `de-AT` also says how dates are written. */
export function speak(locale) {
  const asked = locale.replace("_", "-");
  language = LANGUAGES.find((known) => known === asked.toLowerCase().split("-")[0]) ?? LANGUAGES[0];
  const wishes = [asked, ...navigator.languages].filter((tag) => tag.toLowerCase().split("-")[0] === language);
  region = Intl.DateTimeFormat.supportedLocalesOf(wishes)[0] ?? (language === "en" ? "en-GB" : language);
  if (region === "en") region = "en-GB";
  return language;
}

/** Tell times in the company's IANA time zone; an unknown one leaves the device's own. */
export function useTimeZone(zone) {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    timeZone = zone;
  } catch {
    timeZone = undefined;
  }
}

export function say(name, values = {}) {
  return filled(CATALOGUES[language].texts[name], values);
}

/** `{title, text, advice}` of a fault. */
export function sayFault(problem, values = {}) {
  const faults = CATALOGUES[language].faults;
  const name = SIGNATURE_FAULTS.includes(problem) ? "signature-refused" : problem;
  const [title, text, advice] = (faults[name] ?? faults.unexpected).map((part) => filled(part, { problem, ...values }));
  return { title, text, advice };
}

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const formatted = (seconds, options) => new Intl.DateTimeFormat(region, { timeZone, ...options }).format(seconds * 1000);
const HOURS = { hourCycle: "h23", hour: "2-digit", minute: "2-digit" };

/** All in Unix seconds: `07:58`, `07:58:12`, `Friday, 21 November 2025`, `Fri 21 Nov`. */
export const timeOf = (seconds) => formatted(seconds, HOURS);
export const timeWithSeconds = (seconds) => formatted(seconds, { ...HOURS, second: "2-digit" });
export const dateOf = (seconds) => formatted(seconds, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
export const shortDateOf = (seconds) => formatted(seconds, { weekday: "short", day: "numeric", month: "short" });
export const dayOf = (isoDate) =>
  new Intl.DateTimeFormat(region, { timeZone: "UTC", weekday: "short", day: "numeric", month: "short" }).format(new Date(isoDate));

/** A moment as short as it can be told: with its day when that is not today. */
export function momentOf(seconds, now) {
  const isToday = shortDateOf(seconds) === shortDateOf(now) && Math.abs(now - seconds) < 86_400;
  return isToday ? timeOf(seconds) : `${shortDateOf(seconds)}, ${timeOf(seconds)}`;
}

export function stateInWords(status, now) {
  if (!status.since) return say("stateOut");
  const name = { out: "stateOutSince", in: "stateInSince", break: "stateBreakSince" }[status.state];
  return say(name, { time: momentOf(Date.parse(status.since) / 1000, now) });
}

export function workedInWords(status) {
  return say("workedToday", { time: duration(status.worked_today_seconds) });
}

/** How long nobody can sign in: the seconds, or until when. One sentence wherever a PIN is refused so. */
export function throttledInWords(seconds, now) {
  if (seconds < 90) return say("throttledFor", { seconds });
  // Rounded up to the minute, as in the console: whoever comes back at the time shown must not be too early.
  return say("throttledUntil", { time: momentOf(Math.ceil((now + seconds) / 60) * 60, now) });
}

/** `7 h 32 min`, `15 min`: one way in sentences and tables, broken between hours and minutes alone. */
export function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  const text = say(minutes < 60 ? "minutesAlone" : "hoursAndMinutes", { hours: Math.floor(minutes / 60), minutes: minutes % 60 });
  return text.replace(/(\d) /g, "$1\u00a0");
}
