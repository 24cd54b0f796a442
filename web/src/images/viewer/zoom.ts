// Position of a picture on the stage: screen = picture · scale + (x, y), in px.

export interface Zoom {
  scale: number;
  x: number;
  y: number;
}

const LEAST = 0.02;
const MOST = 64;

/** Fit the picture to the stage. Small pictures are enlarged by a factor of at most 8. */
export function fitted(width: number, height: number, stageWidth: number, stageHeight: number): Zoom {
  const scale = Math.min(8, stageWidth / width, stageHeight / height);
  return { scale, x: (stageWidth - width * scale) / 2, y: (stageHeight - height * scale) / 2 };
}

/** Move the picture by a distance. */
export function moved(before: Zoom, x: number, y: number): Zoom {
  return { ...before, x: before.x + x, y: before.y + y };
}

/** Zoom by a factor; the point at (x, y) stays at its position. */
export function zoomed(before: Zoom, by: number, x: number, y: number): Zoom {
  const scale = Math.min(MOST, Math.max(LEAST, before.scale * by));
  const real = scale / before.scale;
  return { scale, x: x - (x - before.x) * real, y: y - (y - before.y) * real };
}
