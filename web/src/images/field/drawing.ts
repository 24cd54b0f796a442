// Draws the objects of a field on a canvas: as pixels if they are small on the screen, otherwise by their outlines.
import type { Placement } from '../viewer/TiledStage.svelte';
import type { FieldObjects } from './objects';

/** The colors of objects. */
export interface Coloring {
  palette: readonly string[]; // CSS colors
  marks: readonly string[]; // characters of the colors, which distinguish equal ones; empty: none
  colorOf: Uint16Array; // of each object, its position in the palette
}

const PIXELS_BELOW = 9; // px on the screen of a typical object
const MOST_OUTLINES = 4_000;
const MOST_HALOS = 1_200; // outlines with a dark edge
const MARKS_FROM = 26; // px
const MOST_MARKS = 400;
const LEAST_STEP = 0.8; // px between two vertices
const POINT_PX = 5; // radius
const MARK_PX = 8;
const SELECTED = '#ffffff';
const HALO = 'rgb(0 0 0 / 60%)';

export class FieldDrawing {
  readonly #context: CanvasRenderingContext2D;
  #pixels: ImageData | null = null;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.#context = canvas.getContext('2d')!;
  }

  /**
   * Draw all objects in view.
   * @param selected - for each object, whether it is selected: 1 or 0
   * @param current - the object with the focus; null: none
   * @param lasso - vertices of an unfinished lasso in CSS px
   */
  draw(
    objects: FieldObjects,
    { scale, x, y }: Placement,
    coloring: Coloring,
    selected: Uint8Array,
    current: number | null,
    lasso: readonly (readonly [number, number])[],
  ): void {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const context = this.#context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, w, h);
    if (!w || !h) return;
    const seen = objects.within(-x / scale, -y / scale, (width - x) / scale, (height - y) / scale);
    const arePixels = objects.side * scale < PIXELS_BELOW || seen.length > MOST_OUTLINES;
    if (arePixels) this.#drawPixels(objects, seen, { scale, x, y }, ratio, coloring, selected);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.lineJoin = 'round';
    const place = { scale, x, y };
    if (!arePixels) this.#drawOutlines(objects, seen, place, coloring, selected);
    if (current !== null) this.#drawCurrent(objects, current, place);
    if (lasso.length > 1) this.#drawLasso(lasso);
  }

  #drawPixels(
    objects: FieldObjects,
    seen: readonly number[],
    { scale, x, y }: Placement,
    ratio: number,
    { palette, colorOf }: Coloring,
    selected: Uint8Array,
  ): void {
    const { width, height } = this.canvas;
    if (this.#pixels?.width !== width || this.#pixels.height !== height)
      this.#pixels = this.#context.createImageData(width, height);
    const image = new Uint32Array(this.#pixels.data.buffer);
    image.fill(0);
    const colors = palette.map(packed);
    const white = packed(SELECTED);
    const side = Math.max(2, Math.min(8, Math.round(objects.side * scale * ratio * 0.6)));
    const put = (k: number, color: number, size: number) => {
      const left = Math.round((objects.centerX(k) * scale + x) * ratio) - (size >> 1);
      const top = Math.round((objects.centerY(k) * scale + y) * ratio) - (size >> 1);
      for (let row = Math.max(0, top); row < Math.min(height, top + size); row += 1)
        image.fill(
          color,
          row * width + Math.max(0, Math.min(width, left)),
          row * width + Math.max(0, Math.min(width, left + size)),
        );
    };
    const last: number[] = []; // selected objects are above the others
    for (const k of seen)
      if (selected[k]) last.push(k);
      else put(k, colors[colorOf[k]!]!, side);
    for (const k of last) {
      put(k, white, side + 2);
      put(k, colors[colorOf[k]!]!, Math.max(1, side - 2));
    }
    this.#context.putImageData(this.#pixels, 0, 0);
  }

  #drawOutlines(
    objects: FieldObjects,
    seen: readonly number[],
    place: Placement,
    { palette, marks, colorOf }: Coloring,
    selected: Uint8Array,
  ): void {
    const context = this.#context;
    const byColor: number[][] = palette.map(() => []);
    const last: number[] = [];
    for (const k of seen) (selected[k] ? last : byColor[colorOf[k]!]!).push(k);
    const hasHalo = seen.length < MOST_HALOS;
    byColor.forEach((members, color) => {
      if (!members.length) return;
      context.beginPath();
      for (const k of members) this.#trace(objects, k, place);
      if (hasHalo) this.#stroke(HALO, 3.5);
      this.#stroke(palette[color]!, 1.75);
    });
    if (last.length) {
      context.beginPath();
      for (const k of last) this.#trace(objects, k, place);
      this.#stroke(HALO, 6);
      this.#stroke(SELECTED, 4);
    }
    for (const k of last) {
      context.beginPath();
      this.#trace(objects, k, place);
      this.#stroke(palette[colorOf[k]!]!, 1.75);
    }
    if (marks.length && objects.side * place.scale > MARKS_FROM && seen.length < MOST_MARKS)
      this.#drawMarks(objects, seen, place, marks, palette, colorOf);
  }

  /** Add an object to the path: its outline, else a circle around its point, else its box. */
  #trace(objects: FieldObjects, k: number, { scale, x, y }: Placement): void {
    const context = this.#context;
    const { xy, boxes } = objects;
    let isEmpty = true;
    objects.eachRing(k, (first, last) => {
      isEmpty = false;
      let px = xy[2 * first]! * scale + x;
      let py = xy[2 * first + 1]! * scale + y;
      if (last - first === 1) {
        context.moveTo(px + POINT_PX, py);
        context.arc(px, py, POINT_PX, 0, 2 * Math.PI);
        return;
      }
      context.moveTo(px, py);
      for (let at = first + 1; at < last; at += 1) {
        const nx = xy[2 * at]! * scale + x;
        const ny = xy[2 * at + 1]! * scale + y;
        if (Math.abs(nx - px) + Math.abs(ny - py) < LEAST_STEP) continue;
        context.lineTo(nx, ny);
        [px, py] = [nx, ny];
      }
      context.closePath();
    });
    if (isEmpty)
      context.rect(
        boxes[4 * k]! * scale + x,
        boxes[4 * k + 1]! * scale + y,
        boxes[4 * k + 2]! * scale,
        boxes[4 * k + 3]! * scale,
      );
  }

  #stroke(color: string, width: number): void {
    this.#context.strokeStyle = color;
    this.#context.lineWidth = width;
    this.#context.stroke();
  }

  #drawMarks(
    objects: FieldObjects,
    seen: readonly number[],
    { scale, x, y }: Placement,
    marks: readonly string[],
    palette: readonly string[],
    colorOf: Uint16Array,
  ): void {
    const context = this.#context;
    context.font = '600 11px sans-serif';
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.lineWidth = 3;
    context.strokeStyle = HALO;
    for (const k of seen) {
      const mark = marks[colorOf[k]!];
      if (!mark) continue;
      const [left, top] = [objects.centerX(k) * scale + x, objects.centerY(k) * scale + y];
      context.fillStyle = palette[colorOf[k]!]!;
      context.beginPath();
      context.arc(left, top, MARK_PX, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = SELECTED;
      context.strokeText(mark, left, top + 1);
      context.fillText(mark, left, top + 1);
    }
  }

  /** Draw the box of the object with the focus, larger than the object if that is small on the screen. */
  #drawCurrent(objects: FieldObjects, k: number, { scale, x, y }: Placement): void {
    const context = this.#context;
    const side = Math.max(18, objects.longerSide(k) * scale + 10);
    context.beginPath();
    context.rect(
      objects.centerX(k) * scale + x - side / 2,
      objects.centerY(k) * scale + y - side / 2,
      side,
      side,
    );
    this.#stroke(HALO, 4);
    this.#stroke(SELECTED, 2);
  }

  #drawLasso(lasso: readonly (readonly [number, number])[]): void {
    const context = this.#context;
    context.beginPath();
    for (const [x, y] of lasso) context.lineTo(x, y);
    context.closePath();
    context.fillStyle = 'rgb(255 255 255 / 15%)';
    context.fill();
    this.#stroke(HALO, 4);
    context.setLineDash([6, 4]);
    this.#stroke(SELECTED, 2);
    context.setLineDash([]);
  }
}

let parser: CanvasRenderingContext2D | null = null;
const packedColors = new Map<string, number>();

/** A CSS color as a pixel of a canvas. */
function packed(color: string): number {
  let value = packedColors.get(color);
  if (value === undefined) {
    parser ??= document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
    parser.fillStyle = color;
    parser.fillRect(0, 0, 1, 1);
    value = new Uint32Array(parser.getImageData(0, 0, 1, 1).data.buffer)[0]!;
    packedColors.set(color, value);
  }
  return value;
}
