// One window is the terminal.
//
// The windows of one browser share the terminal's key. One that went on signing with a key that another has changed would
// look like a copy of the terminal, and the gateway would suspend it. So only one works; another that is opened says so
// and takes its place when it is closed, or at once when somebody wants that.

import { endFault, showFault } from "./kiosk-screens.js";

const NAME = "stampgate-kiosk-window";
const STAYS = "stampgate-kiosk.stays"; // in sessionStorage, which a window keeps when it is loaded anew
const PATIENCE = 1000; // milliseconds: a page that is loaded anew has to wait for the one before it to be gone

/** Resolves when this window is the terminal; it stays so until it is closed, or loaded anew because another takes over. */
export function becomeTheTerminal() {
  return new Promise((resolve) => {
    const ask = (options) => {
      navigator.locks
        .request(NAME, options, () => {
          clearTimeout(late);
          endFault();
          resolve();
          return new Promise(() => {}); // held as long as the page lives
        })
        .catch(() => location.reload()); // taken over: whatever runs here must end
    };
    let taking = false; // a second tap would take it from this window itself
    const takeOver = () => {
      if (!taking) ask({ steal: true });
      taking = true;
    };
    const late = setTimeout(() => showFault("open-elsewhere", { takeOver }), PATIENCE);
    if (hasToStay()) takeOver();
    else ask({});
  });
}

/** Load the terminal's page anew: nobody may be there to take it back from a window behind it, which would get it. */
export function loadAnew() {
  try {
    sessionStorage.setItem(STAYS, "yes");
  } catch {
    // Without it a window that waits takes over.
  }
  location.reload();
}

function hasToStay() {
  try {
    const stays = sessionStorage.getItem(STAYS) !== null;
    sessionStorage.removeItem(STAYS);
    return stays;
  } catch {
    return false;
  }
}
