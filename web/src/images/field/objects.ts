// The objects of a field: boxes and outlines in flat arrays, and a grid that finds those at a point or in an area.

export type Point = readonly [x: number, y: number];

const CELL_SIDES = 2; // of a cell of the grid, in sides of a typical object
const LARGE_CELLS = 4; // an object of more cells is not in the grid

export class FieldObjects {
  readonly n: number;
  readonly rows: Uint32Array; // row ids
  readonly boxes: Int32Array; // x, y, width and height of each object, in pixels of the field
  readonly xy: Float32Array; // vertices
  readonly side: number; // median of the longer sides
  readonly #firstRing: Uint32Array;
  readonly #firstVertex: Uint32Array;
  readonly #grid: Grid;

  /** `buffer` is the response of the server, whose API document describes it. */
  constructor(buffer: ArrayBuffer) {
    const [n, nRings, nVertices] = new Uint32Array(buffer, 0, 3) as unknown as [number, number, number];
    let at = 12;
    const part = <T>(
      type: new (buffer: ArrayBuffer, start: number, length: number) => T,
      length: number,
    ): T => {
      const values = new type(buffer, at, length);
      at += 4 * length;
      return values;
    };
    this.n = n;
    this.rows = part(Uint32Array, n);
    this.boxes = part(Int32Array, 4 * n);
    this.#firstRing = part(Uint32Array, n + 1);
    this.#firstVertex = part(Uint32Array, nRings + 1);
    this.xy = part(Float32Array, 2 * nVertices);
    const sides = Float64Array.from({ length: n }, (_, k) => this.longerSide(k)).sort();
    this.side = n ? sides[n >> 1]! : 1;
    this.#grid = new Grid(this, CELL_SIDES * this.side, LARGE_CELLS);
  }

  longerSide(k: number): number {
    return Math.max(this.boxes[4 * k + 2]!, this.boxes[4 * k + 3]!);
  }

  /** The diameter of the circle of the same area as an object, without holes. */
  diameter(k: number): number {
    let doubled = 0;
    this.eachRing(k, (first, last) => {
      for (let a = first, b = last - 1; a < last; b = a, a += 1)
        doubled += this.xy[2 * b]! * this.xy[2 * a + 1]! - this.xy[2 * a]! * this.xy[2 * b + 1]!;
    });
    return 2 * Math.sqrt(Math.abs(doubled) / 2 / Math.PI);
  }

  /** Whether an object touches the edge of a field of this size. */
  isAtEdge(k: number, width: number, height: number): boolean {
    const [x, y, w, h] = this.boxes.subarray(4 * k, 4 * k + 4) as unknown as [number, number, number, number];
    return x <= 0 || y <= 0 || x + w >= width || y + h >= height;
  }

  centerX(k: number): number {
    return this.boxes[4 * k]! + this.boxes[4 * k + 2]! / 2;
  }

  centerY(k: number): number {
    return this.boxes[4 * k + 1]! + this.boxes[4 * k + 3]! / 2;
  }

  /** Call `each` with the range of vertices of each ring of an object. A ring of one vertex is a point. */
  eachRing(k: number, each: (first: number, last: number) => void): void {
    for (let ring = this.#firstRing[k]!; ring < this.#firstRing[k + 1]!; ring += 1)
      each(this.#firstVertex[ring]!, this.#firstVertex[ring + 1]!);
  }

  /** Whether an object has an outline: neither a point nor only a box. */
  hasOutline(k: number): boolean {
    const first = this.#firstRing[k]!;
    return first < this.#firstRing[k + 1]! && this.#firstVertex[first + 1]! - this.#firstVertex[first]! > 1;
  }

  /** Indices of the objects whose boxes meet a rectangle, in order. */
  within(left: number, top: number, right: number, bottom: number): number[] {
    const { boxes } = this;
    return this.#grid.candidates(left, top, right, bottom).filter((k) => {
      const x = boxes[4 * k]!;
      const y = boxes[4 * k + 1]!;
      return x <= right && y <= bottom && x + boxes[4 * k + 2]! >= left && y + boxes[4 * k + 3]! >= top;
    });
  }

  /**
   * The object at a point; null if there is none. The smallest outline around the point precedes boxes, of which that
   * with the nearest center is taken.
   */
  at(x: number, y: number, tolerance: number): number | null {
    let best: number | null = null;
    let least = Infinity;
    let isOutlined = false;
    for (const k of this.within(x - tolerance, y - tolerance, x + tolerance, y + tolerance)) {
      const isInside = this.hasOutline(k) && this.#contains(k, x, y);
      if (isOutlined && !isInside) continue;
      const size = isInside
        ? this.boxes[4 * k + 2]! * this.boxes[4 * k + 3]!
        : Math.hypot(this.centerX(k) - x, this.centerY(k) - y);
      if (size < least || (isInside && !isOutlined)) [best, least, isOutlined] = [k, size, isInside];
    }
    return best;
  }

  /** The other objects whose centers are nearest to that of an object, the nearest first. */
  nearest(k: number, most: number): number[] {
    const [x, y] = [this.centerX(k), this.centerY(k)];
    const distance = (other: number) => Math.hypot(this.centerX(other) - x, this.centerY(other) - y);
    for (let reach = 2 * this.side; ; reach *= 2) {
      const found = this.within(x - reach, y - reach, x + reach, y + reach).filter(
        (other) => other !== k && distance(other) <= reach,
      );
      if (found.length >= Math.min(most, this.n - 1))
        return found.sort((a, b) => distance(a) - distance(b)).slice(0, most);
    }
  }

  /** Indices of the objects whose centers are inside a polygon, in order. */
  inside(polygon: readonly Point[]): number[] {
    if (polygon.length < 3) return [];
    const xs = polygon.map(([x]) => x);
    const ys = polygon.map(([, y]) => y);
    const flat = Float64Array.from(polygon.flat());
    return this.within(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)).filter((k) =>
      isInRing(flat, 0, polygon.length, this.centerX(k), this.centerY(k)),
    );
  }

  #contains(k: number, x: number, y: number): boolean {
    let isIn = false;
    this.eachRing(k, (first, last) => {
      if (isInRing(this.xy, first, last, x, y)) isIn = !isIn;
    });
    return isIn;
  }
}

/** Whether a point is inside a ring of vertices x, y, x, y, … from one position to another. */
function isInRing(
  xy: Float32Array | Float64Array,
  first: number,
  last: number,
  x: number,
  y: number,
): boolean {
  let isIn = false;
  for (let a = first, b = last - 1; a < last; b = a, a += 1) {
    const [ay, by] = [xy[2 * a + 1]!, xy[2 * b + 1]!];
    if (ay > y === by > y) continue;
    const [ax, bx] = [xy[2 * a]!, xy[2 * b]!];
    if (x < ax + ((y - ay) / (by - ay)) * (bx - ax)) isIn = !isIn;
  }
  return isIn;
}

/** Square cells with the objects whose centers are in them. Objects much larger than a cell are in a list. */
class Grid {
  readonly #left: number = 0;
  readonly #top: number = 0;
  readonly #columns: number = 1;
  readonly #rows: number = 1;
  readonly #start: Uint32Array; // of each cell in `#members`
  readonly #members: Uint32Array;
  readonly #large: number[] = [];
  readonly #reach: number = 0; // from the center of an object in a cell to the edge of its box

  constructor(
    objects: FieldObjects,
    private readonly cell: number,
    most: number,
  ) {
    let right = -Infinity;
    let bottom = -Infinity;
    this.#left = Infinity;
    this.#top = Infinity;
    const inCells: number[] = [];
    for (let k = 0; k < objects.n; k += 1) {
      const side = objects.longerSide(k);
      if (side > most * cell) {
        this.#large.push(k);
        continue;
      }
      inCells.push(k);
      this.#reach = Math.max(this.#reach, side / 2);
      const [x, y] = [objects.centerX(k), objects.centerY(k)];
      this.#left = Math.min(this.#left, x);
      this.#top = Math.min(this.#top, y);
      right = Math.max(right, x);
      bottom = Math.max(bottom, y);
    }
    if (inCells.length) {
      this.#columns = Math.floor((right - this.#left) / cell) + 1;
      this.#rows = Math.floor((bottom - this.#top) / cell) + 1;
    }
    const cellOf = (k: number) =>
      Math.floor((objects.centerY(k) - this.#top) / cell) * this.#columns +
      Math.floor((objects.centerX(k) - this.#left) / cell);
    this.#start = new Uint32Array(this.#columns * this.#rows + 1);
    for (const k of inCells) this.#start[cellOf(k) + 1]! += 1;
    for (let c = 0; c < this.#start.length - 1; c += 1) this.#start[c + 1]! += this.#start[c]!;
    this.#members = new Uint32Array(inCells.length);
    const next = this.#start.slice();
    for (const k of inCells) this.#members[next[cellOf(k)]!++] = k;
  }

  /** The objects whose boxes may meet a rectangle, in order. */
  candidates(left: number, top: number, right: number, bottom: number): number[] {
    const limit = (value: number, n: number) => Math.max(0, Math.min(n - 1, Math.floor(value / this.cell)));
    const first = limit(left - this.#reach - this.#left, this.#columns);
    const last = limit(right + this.#reach - this.#left, this.#columns);
    const firstRow = limit(top - this.#reach - this.#top, this.#rows);
    const lastRow = limit(bottom + this.#reach - this.#top, this.#rows);
    const found = [...this.#large];
    for (let row = firstRow; row <= lastRow; row += 1) {
      const start = this.#start[row * this.#columns + first]!;
      const end = this.#start[row * this.#columns + last + 1]!;
      for (let at = start; at < end; at += 1) found.push(this.#members[at]!);
    }
    return found.sort((a, b) => a - b);
  }
}
