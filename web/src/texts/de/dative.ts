// Counted things after “von”, “auf”, “mit” and “aus”, where their form differs from that of `counts`.
import { count, plural } from '../language';

export const dative = {
  images: (n: number) => plural(n, { one: `${count(n)} Bild`, other: `${count(n)} Bildern` }),
  testImages: (n: number) => plural(n, { one: `${count(n)} Testbild`, other: `${count(n)} Testbildern` }),
  misclassified: (n: number) =>
    plural(n, {
      one: `${count(n)} falsch klassifizierten Bild`,
      other: `${count(n)} falsch klassifizierten Bildern`,
    }),
  testSets: (n: number) =>
    plural(n, { one: `${count(n)} externen Testset`, other: `${count(n)} externen Testsets` }),
};
