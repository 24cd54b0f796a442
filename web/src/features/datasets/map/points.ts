// The points of a map: boxes as of objects in a field, and numbers of each.
import { FieldObjects } from '../../../images/field/objects';

export const EXTENT = 1_000_000; // side of a map in its units
export const NONE = 65_535; // the number of no class and of no group
const EXCLUDED = 1;
const RESERVED = 2;

export class MapPoints {
  readonly n: number;
  readonly objects: FieldObjects;
  readonly classes: Uint16Array;
  readonly groups: Uint16Array;
  readonly clusters: Uint16Array;
  readonly nClusters: number;
  readonly #flags: Uint16Array;

  /** `buffer` is the response of the server, whose API document describes it. */
  constructor(buffer: ArrayBuffer) {
    this.objects = new FieldObjects(buffer);
    const n = (this.n = this.objects.n);
    const start = 4 * (3 + n + 4 * n + n + 2);
    const column = (k: number) => new Uint16Array(buffer, start + 2 * k * n, n);
    [this.classes, this.groups, this.clusters, this.#flags] = [column(0), column(1), column(2), column(3)];
    this.nClusters = this.clusters.reduce((most, each) => Math.max(most, each + 1), 0);
  }

  isExcluded(k: number): boolean {
    return (this.#flags[k]! & EXCLUDED) > 0;
  }

  isReserved(k: number): boolean {
    return (this.#flags[k]! & RESERVED) > 0;
  }
}
