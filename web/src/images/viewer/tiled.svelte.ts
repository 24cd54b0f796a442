// State of the viewer for tiled images: the image, its plane, and the display of its channels.
import type { ViewedChannel } from '../../api/datasets';
import type { TiledAddress, TiledImage, ViewedPlane } from '../../api/lists';
import { Problem } from '../../api/client';
import { resource } from '../../state/resource.svelte';
import { changedChannels, changesOf, displayText, type ChannelChange } from './tiles';

const OF_IMAGE: ViewedPlane = { series: null, t: null, z: null };
const AGAIN_MS = 500; // between two requests while levels are computed

interface Loaded {
  address: TiledAddress;
  plane: ViewedPlane;
  image: TiledImage;
}

/** Tiles of an image with a plane and a display. Equal keys show the same part of the sample. */
export interface TileSet {
  key: string;
  image: TiledImage;
  url: (level: number, x: number, y: number) => string;
}

export class TiledView {
  plane = $state.raw<ViewedPlane>(OF_IMAGE);
  changes = $state.raw<ChannelChange[]>([]);

  /** `address` is that of the open image; null without one. Create the object while a component is initialized. */
  constructor(private readonly address: () => TiledAddress | null) {
    $effect(() => {
      if (!this.image?.preparation) return;
      const timer = setTimeout(() => void this.#loaded.reload(), AGAIN_MS);
      return () => clearTimeout(timer);
    });
  }

  readonly #loaded = resource<Loaded | null>(async (signal) => {
    const address = this.address();
    const plane = this.plane;
    try {
      return address && { address, plane, image: await address.read(plane, signal) };
    } catch (error) {
      // Another image may have fewer planes than the one for which the plane was chosen.
      const isRefused = error instanceof Problem && error.status >= 400;
      if (isRefused && !signal.aborted && plane !== OF_IMAGE) this.plane = OF_IMAGE;
      throw error;
    }
  });
  // During a change of the plane, the earlier description stays.
  readonly #current = $derived.by(() =>
    this.#loaded.value?.address.key === this.address()?.key ? this.#loaded.value : null,
  );
  /** The description of the open image; null until it is loaded. */
  readonly image = $derived(this.#current?.image ?? null);
  /** Why the open image cannot be shown. */
  readonly problem = $derived(this.#loaded.loading ? null : this.#loaded.error);
  readonly channels: ViewedChannel[] = $derived(this.image ? changedChannels(this.image, this.changes) : []);
  readonly #display = $derived(displayText(this.channels));
  readonly hasChanges = $derived(this.changes.length > 0);

  readonly tiles: TileSet | null = $derived.by(() => {
    const current = this.#current;
    if (!current || current.image.preparation) return null;
    const { address, plane, image } = current;
    const display = this.#display;
    return {
      key: `${address.key} ${image.series}`,
      image,
      url: (level, x, y) => address.tileUrl(plane, display, level, x, y),
    };
  });

  /** Change a channel. Black and white point keep their order. */
  change(channel: number, change: Partial<ChannelChange>): void {
    const changes = changesOf(this.channels, this.changes);
    changes[channel] = { ...changes[channel]!, ...change };
    this.changes = changes;
  }

  /** Show another series, time point or z-plane. */
  move(plane: Partial<ViewedPlane>): void {
    this.plane = plane.series === undefined ? { ...this.plane, ...plane } : { ...OF_IMAGE, ...plane };
  }

  /** Discard the changes of channels. */
  discard(): void {
    this.changes = [];
    void this.#loaded.reload();
  }
}
