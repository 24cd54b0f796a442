// One field on a page: its objects with their outlines, its tiles, and the list of its objects.
import { onDestroy, tick, untrack } from 'svelte';
import type { FieldOfView, FieldSource } from '../../api/lists';
import { resource, type Resource } from '../../state/resource.svelte';
import { ImageList, type Source } from '../gallery/image_list.svelte';
import { clicked } from '../gallery/selection';
import { TiledView } from '../viewer/tiled.svelte';
import { FieldObjects } from './objects';

/** A field that is open; made by a component, which is another one for another field. */
export class OpenField<Item extends { row_id: number }, Query extends object> {
  readonly list: ImageList<Item, Query>;
  readonly view: TiledView;
  readonly outlines: Resource<FieldObjects>;

  /**
   * `object` is the row id of an object to select. `revision` changes with the objects; those of a job never change.
   */
  constructor(
    images: Pick<Source<Item, Query>, 'read' | 'sheetUrl'>,
    source: FieldSource,
    { row_id: row, version }: FieldOfView,
    object: number | null,
    revision: () => unknown = () => null,
  ) {
    const tiled = source.tiled(row, version);
    this.outlines = resource(async (signal) => {
      void revision();
      return new FieldObjects(await source.outlines(row, signal));
    });
    this.view = new TiledView(() => tiled);
    this.list = new ImageList({
      ...images,
      list: async () => ({ rows: this.objects?.rows ?? new Uint32Array(), digest: null }),
    });
    $effect(() => {
      if (!this.objects) return;
      if (untrack(() => this.list.rows)) void this.list.reload();
      else void this.#show(object === row ? null : object);
    });
    onDestroy(() => this.list.end());
  }

  get objects(): FieldObjects | null {
    return this.outlines.value;
  }

  async #show(object: number | null): Promise<void> {
    await this.list.show({} as Query);
    const index = object === null ? -1 : this.list.indexOf(object);
    if (index < 0) return;
    this.list.selection = clicked(this.list.selection, index);
    await tick();
    this.list.onshow(index);
  }
}
