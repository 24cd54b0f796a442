// What a cell shows until its picture is there: the image's average color, in the image's shape.
// The server sends four bytes for each image: red, green, blue and shape; shape 0 is not known.

export const BYTES = 4;

export interface Look {
  color: string; // CSS
  clip: string; // CSS: what of the square cell the image covers
}

/** Shape 128 is a square, 32 more is twice as wide as high, 32 less half as wide. */
export function clipOf(shape: number): string {
  if (shape === 128) return 'none';
  const margin = 50 * (1 - 2 ** (-Math.abs(shape - 128) / 32)); // % on each of two sides
  return shape > 128 ? `inset(${margin.toFixed(2)}% 0)` : `inset(0 ${margin.toFixed(2)}%)`;
}

const clips = Array.from({ length: 256 }, (_, shape) => clipOf(shape));

export function placeholderOf(colors: Uint8Array, image: number): Look | null {
  const at = image * BYTES;
  const shape = colors[at + 3];
  if (!shape) return null;
  return {
    color: `rgb(${colors[at]} ${colors[at + 1]} ${colors[at + 2]})`,
    clip: clips[shape]!,
  };
}

/** How many images have no color yet. */
export function nUnknown(colors: Uint8Array): number {
  let n = 0;
  for (let at = 3; at < colors.length; at += BYTES) if (!colors[at]) n += 1;
  return n;
}
