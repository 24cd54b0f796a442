// Whether a key that gives an image its class goes on with the next image. The browser remembers it.
const KEY = 'coverslip.labelling.advance';

class Advancing {
  #isOn = $state(localStorage.getItem(KEY) !== 'no');

  get isOn(): boolean {
    return this.#isOn;
  }
  set isOn(isOn: boolean) {
    this.#isOn = isOn;
    localStorage.setItem(KEY, isOn ? 'yes' : 'no');
  }
}

export const advancing = new Advancing();
