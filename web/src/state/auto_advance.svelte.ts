// Whether a class key also selects the next image. The browser stores it.
const KEY = 'coverslip.labeling.advance';

class AutoAdvance {
  #isOn = $state(localStorage.getItem(KEY) !== 'no');

  get isOn(): boolean {
    return this.#isOn;
  }
  set isOn(isOn: boolean) {
    this.#isOn = isOn;
    localStorage.setItem(KEY, isOn ? 'yes' : 'no');
  }
}

export const autoAdvance = new AutoAdvance();
