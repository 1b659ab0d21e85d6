// The digits on the screen: a wall terminal has no keyboard, and its browser's own would cover half the page.

/** Types into the fields of a form, each of which takes digits alone; a real keyboard goes on working. */
export class Keypad {
  #fields;
  #typed;

  /** @param {HTMLFormElement} form @param {HTMLInputElement[]} fields @param {(field: HTMLInputElement) => void} typed @param {AbortSignal} signal */
  constructor(form, fields, typed, signal) {
    this.#fields = fields;
    this.#typed = typed;
    this.field = fields[0]; // the one that had the focus last
    const listen = (target, name, work) => target.addEventListener(name, work, { signal });
    listen(form, "click", (event) => this.#pressed(event.target.closest(".keypad button")));
    // A key of the keypad leaves the focus in the field that it types into.
    listen(form, "pointerdown", (event) => {
      if (event.target.closest(".keypad button")) event.preventDefault();
    });
    for (const field of fields) {
      listen(field, "input", () => this.#take(field));
      listen(field, "focus", () => (this.field = field));
    }
  }

  #pressed(button) {
    if (!button) return;
    const { digit, key } = button.dataset;
    if (key === "next") this.#fields[(this.#fields.indexOf(this.field) + 1) % this.#fields.length].focus();
    else if (key === "backspace") this.field.value = this.field.value.slice(0, -1);
    else this.field.value = (this.field.value + digit).slice(0, this.field.maxLength);
    this.#take(this.field);
  }

  #take(field) {
    const digits = field.value.replace(/\D/g, "");
    if (digits !== field.value) field.value = digits;
    this.#typed(field);
  }
}
