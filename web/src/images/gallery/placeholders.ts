// What a cell shows until its picture is there: the image's average colour, in the image's shape.
// The server sends four bytes for each image: red, green, blue and shape; shape 0 is not known.

export const BYTES = 4;

export interface Look {
  colour: string; // CSS
  clip: string; // CSS: what of the square cell the image covers
}

/** Shape 128 is a square, 32 more is twice as wide as high, 32 less half as wide. */
export function clipOf(shape: number): string {
  if (shape === 128) return 'none';
  const margin = 50 * (1 - 2 ** (-Math.abs(shape - 128) / 32)); // % on each of two sides
  return shape > 128 ? `inset(${margin.toFixed(2)}% 0)` : `inset(0 ${margin.toFixed(2)}%)`;
}

const clips = Array.from({ length: 256 }, (_, shape) => clipOf(shape));

export function placeholderOf(colours: Uint8Array, image: number): Look | null {
  const at = image * BYTES;
  const shape = colours[at + 3];
  if (!shape) return null;
  return {
    colour: `rgb(${colours[at]} ${colours[at + 1]} ${colours[at + 2]})`,
    clip: clips[shape]!,
  };
}

/** How many images have no colour yet. */
export function nUnknown(colours: Uint8Array): number {
  let n = 0;
  for (let at = 3; at < colours.length; at += BYTES) if (!colours[at]) n += 1;
  return n;
}
