// Where a picture of w × h px lies on a stage: screen = picture · scale + (x, y).

export interface Zoom {
  scale: number;
  x: number;
  y: number;
}

const LEAST = 0.02;
const MOST = 64;

/** The whole picture in the middle, small ones enlarged at most eight times. */
export function fitted(width: number, height: number, stageWidth: number, stageHeight: number): Zoom {
  const scale = Math.min(8, stageWidth / width, stageHeight / height);
  return { scale, x: (stageWidth - width * scale) / 2, y: (stageHeight - height * scale) / 2 };
}

/** Larger or smaller by a factor; the point of the picture under (x, y) stays there. */
export function zoomed(before: Zoom, by: number, x: number, y: number): Zoom {
  const scale = Math.min(MOST, Math.max(LEAST, before.scale * by));
  const real = scale / before.scale;
  return { scale, x: x - (x - before.x) * real, y: y - (y - before.y) * real };
}
