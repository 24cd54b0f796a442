// Placeholders of thumbnails: the average color in the shape of the image. The server sends four bytes for
// each image: red, green, blue and shape. Shape 0 means that the color is not computed.

export const BYTES = 4;

export interface Placeholder {
  color: string; // CSS color
  clip: string; // CSS `clip-path` of the cell
}

/** Shape 128 is a square, 160 is twice as wide as high, 96 is half as wide as high. */
export function clipOf(shape: number): string {
  if (shape === 128) return 'none';
  const margin = 50 * (1 - 2 ** (-Math.abs(shape - 128) / 32)); // percent on each of two sides
  return shape > 128 ? `inset(${margin.toFixed(2)}% 0)` : `inset(0 ${margin.toFixed(2)}%)`;
}

const clips = Array.from({ length: 256 }, (_, shape) => clipOf(shape));

export function placeholderOf(colors: Uint8Array, image: number): Placeholder | null {
  const at = image * BYTES;
  const shape = colors[at + 3];
  if (!shape) return null;
  return {
    color: `rgb(${colors[at]} ${colors[at + 1]} ${colors[at + 2]})`,
    clip: clips[shape]!,
  };
}

/** Number of images without a color. */
export function nMissing(colors: Uint8Array): number {
  let n = 0;
  for (let at = 3; at < colors.length; at += BYTES) if (!colors[at]) n += 1;
  return n;
}
