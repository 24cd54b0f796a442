// Draws the objects of a field on a canvas: as pixels if they are small on the screen, otherwise by their outlines; or
// by pictures of some of them, above pixels of all.
import type { Placement } from '../viewer/TiledStage.svelte';
import type { FieldObjects, Point } from './objects';
import { type Pictures, spread } from './pictures.svelte';

/** The colors of objects. */
export interface Coloring {
  palette: readonly string[]; // CSS colors
  marks: readonly string[]; // characters of the colors, which distinguish equal ones; empty: none
  colorOf: Uint16Array; // of each object, its position in the palette
  dashed?: readonly [number, number]; // the first and the last color of dashed outlines, of predictions
}

const PIXELS_BELOW = 9; // px on the screen of a typical object
const MOST_OUTLINES = 4_000;
const MOST_HALOS = 400; // outlines with a dark edge
const MARKS_FROM = 26; // px
const MOST_MARKS = 400;
const LEAST_STEP = 1.5; // px between two vertices
const POINT_PX = 5; // radius
const MARK_PX = 8;
const DASHES = [4, 3]; // px
const N_NEIGHBORS = 6;
const SELECTED = '#ffffff';
const EDGE = '#000000'; // of selected pixels, on a light page
const HALO = 'rgb(0 0 0 / 60%)';

/** What is drawn besides the placement of the field. Equal objects are the same objects. */
interface Scene {
  objects: FieldObjects;
  coloring: Coloring;
  selected: Uint8Array; // for each object, whether it is selected: 1 or 0
}

const MARGIN = 0.25; // of the stage, drawn on each side of it
const REST_MS = 90; // without a move until the objects are drawn again
const BUSY = 5; // a drawing takes at most one of so many parts of the time while the field moves

/**
 * Objects are drawn on a picture that is larger than the stage. While the field moves, the picture is moved and scaled;
 * it is drawn again when the field is at rest, and now and then before.
 */
export class FieldDrawing {
  readonly #stage: CanvasRenderingContext2D;
  readonly #picture = document.createElement('canvas');
  readonly #context = this.#picture.getContext('2d')!;
  #pixels: ImageData | null = null;
  #scene: Scene | null = null; // of the picture
  #place: Placement = { scale: 1, x: 0, y: 0 }; // of the picture
  #size = ''; // of the stage when the picture was drawn
  #drawnAt = -Infinity;
  #version = 0; // of the pictures that are drawn
  #chosen: number[] = []; // objects whose pictures are drawn
  #side: number | null = null; // of their pictures, in units of the field; null: outlines are drawn
  #duration = 0; // of the last drawing, in ms
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.#stage = canvas.getContext('2d')!;
  }

  end(): void {
    clearTimeout(this.#timer);
  }

  /**
   * Draw all objects in view.
   * @param selected - for each object, whether it is selected: 1 or 0
   * @param current - the object with the focus; null: none
   * @param lasso - vertices of an unfinished lasso in CSS px
   * @param pictures - drawn instead of outlines, also those of the objects nearest to that with the focus
   */
  draw(
    objects: FieldObjects,
    place: Placement,
    coloring: Coloring,
    selected: Uint8Array,
    current: number | null,
    lasso: readonly Point[],
    pictures: Pictures | null,
  ): void {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (!w || !h) return;
    if (canvas.width !== w || canvas.height !== h) [canvas.width, canvas.height] = [w, h];
    const scene = { objects, coloring, selected };
    const isSame =
      this.#scene?.objects === objects &&
      this.#scene.coloring === coloring &&
      this.#scene.selected === selected &&
      this.#size === `${w} ${h}`;
    clearTimeout(this.#timer);
    const isNewest = !pictures || pictures.version === this.#version;
    if (!isSame) this.#drawPicture(scene, place, ratio, pictures);
    else if (!isNewest || !this.#covers(place, width, height)) {
      const isDue = performance.now() - this.#drawnAt > BUSY * this.#duration;
      if (isDue) this.#drawPicture(scene, place, ratio, pictures);
      else
        this.#timer = setTimeout(
          () => this.draw(objects, place, coloring, selected, current, lasso, pictures),
          Math.max(REST_MS, BUSY * this.#duration),
        );
    }
    const near = pictures && current !== null ? objects.nearest(current, N_NEIGHBORS) : [];
    const above = current === null ? [] : [...near.reverse(), current];
    if (pictures && this.#side !== null)
      pictures.want(
        [...above, ...this.#chosen].map((k) => objects.rows[k]!),
        this.#side * place.scale * ratio,
      );
    this.#show(objects, place, ratio, coloring, above, lasso, pictures);
  }

  /** The object whose picture is drawn at a place in CSS px; null: none. */
  pictureAt(objects: FieldObjects, { scale, x, y }: Placement, left: number, top: number): number | null {
    const half = ((this.#side ?? 0) * scale) / 2;
    const isAt = (k: number) =>
      Math.abs(objects.centerX(k) * scale + x - left) < half &&
      Math.abs(objects.centerY(k) * scale + y - top) < half;
    return this.#chosen.find(isAt) ?? null;
  }

  /** Whether the picture has the scale of a placement, and all that is visible. */
  #covers({ scale, x, y }: Placement, width: number, height: number): boolean {
    const { scale: drawn, x: left, y: top } = this.#place;
    return (
      isEqual(scale, drawn) && Math.abs(x - left) <= MARGIN * width && Math.abs(y - top) <= MARGIN * height
    );
  }

  #show(
    objects: FieldObjects,
    place: Placement,
    ratio: number,
    coloring: Coloring,
    above: readonly number[], // the last has the focus
    lasso: readonly Point[],
    pictures: Pictures | null,
  ): void {
    const stage = this.#stage;
    const { width, height } = this.canvas;
    const isMoved = isEqual(place.scale, this.#place.scale); // not zoomed: whole pixels stay sharp
    const grown = isMoved ? 1 : place.scale / this.#place.scale;
    const at = (value: number) => (isMoved ? Math.round(value) : value);
    const [right, down] = [place.x - grown * this.#place.x, place.y - grown * this.#place.y];
    stage.setTransform(1, 0, 0, 1, 0, 0);
    stage.clearRect(0, 0, width, height);
    const [left, top] = [Math.round(MARGIN * width), Math.round(MARGIN * height)];
    stage.drawImage(
      this.#picture,
      at(right * ratio - grown * left),
      at(down * ratio - grown * top),
      grown * this.#picture.width,
      grown * this.#picture.height,
    );
    stage.setTransform(ratio, 0, 0, ratio, 0, 0);
    const current = above.at(-1);
    if (pictures && current !== undefined) {
      const at = (k: number): Point => [
        objects.centerX(k) * place.scale + place.x,
        objects.centerY(k) * place.scale + place.y,
      ];
      stage.beginPath();
      for (const k of above) {
        stage.moveTo(...at(current));
        stage.lineTo(...at(k));
      }
      stroke(stage, HALO, 4);
      stroke(stage, SELECTED, 2);
      for (const k of this.#drawTiles(stage, objects, above, place, pictures)) {
        stage.beginPath();
        this.#trace(stage, objects, k, place);
        stroke(stage, SELECTED, 4);
        stroke(stage, coloring.palette[coloring.colorOf[k]!]!, 1.75);
      }
    }
    if (current !== undefined) this.#drawCurrent(objects, current, place);
    if (lasso.length > 1) this.#drawLasso(lasso);
  }

  #drawPicture(scene: Scene, place: Placement, ratio: number, pictures: Pictures | null): void {
    const start = performance.now();
    const { objects, coloring, selected } = scene;
    const { scale } = place;
    const [w, h] = [this.canvas.width, this.canvas.height];
    const [left, top] = [Math.round(MARGIN * w), Math.round(MARGIN * h)];
    const picture = this.#picture;
    if (picture.width !== w + 2 * left || picture.height !== h + 2 * top)
      [picture.width, picture.height] = [w + 2 * left, h + 2 * top];
    const context = this.#context;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, picture.width, picture.height);
    const moved = { scale, x: place.x + left / ratio, y: place.y + top / ratio };
    const seen = objects.within(
      -moved.x / scale,
      -moved.y / scale,
      (picture.width / ratio - moved.x) / scale,
      (picture.height / ratio - moved.y) / scale,
    );
    if (pictures || objects.side * scale < PIXELS_BELOW || seen.length > MOST_OUTLINES)
      this.#drawPixels(objects, seen, moved, ratio, coloring, selected);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    if (pictures) {
      ({ chosen: this.#chosen, side: this.#side } = spread(objects, seen, scale, selected));
      const drawn = this.#drawTiles(context, objects, this.#chosen, moved, pictures);
      this.#drawOutlines(objects, drawn, moved, coloring, selected);
      this.#version = pictures.version;
    } else if (objects.side * scale >= PIXELS_BELOW && seen.length <= MOST_OUTLINES)
      this.#drawOutlines(objects, seen, moved, coloring, selected);
    this.#scene = scene;
    this.#place = place;
    this.#size = `${w} ${h}`;
    this.#drawnAt = performance.now();
    this.#duration = this.#drawnAt - start;
  }

  #drawPixels(
    objects: FieldObjects,
    seen: readonly number[],
    { scale, x, y }: Placement,
    ratio: number,
    { palette, colorOf }: Coloring,
    selected: Uint8Array,
  ): void {
    const { width, height } = this.#picture;
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
      put(k, packed(EDGE), side + 4);
      put(k, white, side + 2);
      put(k, colors[colorOf[k]!]!, Math.max(1, side - 2));
    }
    this.#context.putImageData(this.#pixels, 0, 0);
  }

  /** Draw the pictures that are loaded. The result is their objects. */
  #drawTiles(
    context: CanvasRenderingContext2D,
    objects: FieldObjects,
    indices: readonly number[],
    { scale, x, y }: Placement,
    pictures: Pictures,
  ): number[] {
    const side = this.#side! * scale;
    return indices.filter((k) => {
      const picture = pictures.at(objects.rows[k]!);
      if (!picture) return false;
      const { sheet, x: left, y: top, width, height } = picture;
      const grown = side / Math.max(width, height);
      context.drawImage(
        sheet,
        left,
        top,
        width,
        height,
        objects.centerX(k) * scale + x - (grown * width) / 2,
        objects.centerY(k) * scale + y - (grown * height) / 2,
        grown * width,
        grown * height,
      );
      return true;
    });
  }

  #drawOutlines(
    objects: FieldObjects,
    seen: readonly number[],
    place: Placement,
    { palette, marks, colorOf, dashed }: Coloring,
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
      for (const k of members) this.#trace(context, objects, k, place);
      if (hasHalo) stroke(context, HALO, 3.5);
      if (dashed && color >= dashed[0] && color <= dashed[1]) context.setLineDash(DASHES);
      stroke(context, palette[color]!, 1.75);
      context.setLineDash([]);
    });
    if (last.length) {
      context.beginPath();
      for (const k of last) this.#trace(context, objects, k, place);
      stroke(context, HALO, 6);
      stroke(context, SELECTED, 4);
    }
    for (const k of last) {
      context.beginPath();
      this.#trace(context, objects, k, place);
      stroke(context, palette[colorOf[k]!]!, 1.75);
    }
    if (marks.length && (this.#side ?? objects.side) * place.scale > MARKS_FROM && seen.length < MOST_MARKS)
      this.#drawMarks(objects, seen, place, marks, palette, colorOf);
  }

  /** Add an object to the path: its picture, else its outline, else a circle around its point, else its box. */
  #trace(
    context: CanvasRenderingContext2D,
    objects: FieldObjects,
    k: number,
    { scale, x, y }: Placement,
  ): void {
    const { xy, boxes } = objects;
    if (this.#side !== null) {
      const side = this.#side * scale;
      const [left, top] = [objects.centerX(k) * scale + x, objects.centerY(k) * scale + y];
      context.rect(left - side / 2, top - side / 2, side, side);
      return;
    }
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
    context.lineJoin = 'round';
    context.strokeStyle = HALO;
    for (const k of seen) {
      const mark = marks[colorOf[k]!];
      if (!mark) continue;
      const aside = this.#side === null ? 0 : (this.#side * scale) / 2 - MARK_PX / 2; // at a corner of a picture
      const [left, top] = [objects.centerX(k) * scale + x - aside, objects.centerY(k) * scale + y + aside];
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
    const context = this.#stage;
    const side = Math.max(18, (this.#side ?? objects.longerSide(k)) * scale + 10);
    context.beginPath();
    context.rect(
      objects.centerX(k) * scale + x - side / 2,
      objects.centerY(k) * scale + y - side / 2,
      side,
      side,
    );
    stroke(context, HALO, 4);
    stroke(context, SELECTED, 2);
  }

  #drawLasso(lasso: readonly Point[]): void {
    const context = this.#stage;
    context.beginPath();
    for (const [x, y] of lasso) context.lineTo(x, y);
    context.closePath();
    context.fillStyle = 'rgb(255 255 255 / 15%)';
    context.fill();
    stroke(context, HALO, 4);
    context.setLineDash([6, 4]);
    stroke(context, SELECTED, 2);
    context.setLineDash([]);
  }
}

/** Whether two scales differ by rounding only. */
const isEqual = (a: number, b: number) => Math.abs(a / b - 1) < 1e-6;

function stroke(context: CanvasRenderingContext2D, color: string, width: number): void {
  context.strokeStyle = color;
  context.lineWidth = width;
  context.stroke();
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
