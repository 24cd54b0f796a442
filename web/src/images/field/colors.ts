// Colors of objects as a canvas needs them: without variables of the page.
import { colorOf } from '../classes';

export const EXCLUDED = '#5c5c5c'; // of images that a user excluded

/** The color of the class with each index, as that of its mark. */
export function classColors(indices: readonly number[]): string[] {
  const probe = document.createElement('span');
  document.body.append(probe);
  const colors = indices.map((index) => {
    probe.style.color = colorOf(index);
    return getComputedStyle(probe).color;
  });
  probe.remove();
  return colors;
}
