// Placeholders of thumbnails: the average color in the shape of the image. The server sends eight bytes for
// each image with a known color, in the order of row ids: the row id, red, green, blue and shape.

export interface Colors {
  n: number; // number of images with a known color
  numbers: Uint32Array; // row ids at even places
  bytes: Uint8Array;
}

export interface Placeholder {
  color: string; // CSS color
  clip: string; // CSS `clip-path` of the cell
}

export function colorsOf(buffer: ArrayBuffer): Colors {
  const numbers = new Uint32Array(buffer);
  return { n: numbers.length / 2, numbers, bytes: new Uint8Array(buffer) };
}

/** Shape 128 is a square, 160 is twice as wide as high, 96 is half as wide as high. */
export function clipOf(shape: number): string {
  if (shape === 128) return 'none';
  const margin = 50 * (1 - 2 ** (-Math.abs(shape - 128) / 32)); // percent on each of two sides
  return shape > 128 ? `inset(${margin.toFixed(2)}% 0)` : `inset(0 ${margin.toFixed(2)}%)`;
}

const clips = Array.from({ length: 256 }, (_, shape) => clipOf(shape));

/** The placeholder of the image with this row id; null without a known color. */
export function placeholderOf({ n, numbers, bytes }: Colors, row: number): Placeholder | null {
  let [from, to] = [0, n];
  while (from < to) {
    const middle = (from + to) >> 1;
    if (numbers[2 * middle]! < row) from = middle + 1;
    else to = middle;
  }
  if (from === n || numbers[2 * from] !== row) return null;
  const at = 8 * from + 4;
  return {
    color: `rgb(${bytes[at]} ${bytes[at + 1]} ${bytes[at + 2]})`,
    clip: clips[bytes[at + 3]!]!,
  };
}
