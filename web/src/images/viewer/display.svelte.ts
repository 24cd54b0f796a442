// How the viewer shows an image: what the server is asked to draw, and what is changed on the screen alone.

/** What the server is asked to draw; null leaves it to the server. */
export interface View {
  channel: number | null;
  plane: number | null;
  low: number | null;
  high: number | null;
}

/** What an image's file holds. */
export interface Depth {
  n_channels: number;
  n_planes: number;
  bit_depth: number;
  low: number | null; // of the pixels' values, for the window of deep images
  high: number | null;
}

interface Window {
  low: number;
  high: number;
}

export class Look {
  brightness = $state(100); // %
  contrast = $state(100);
  view = $state.raw<View>({ channel: null, plane: null, low: null, high: null });
  #sliding = $state.raw<Window | null>(null); // while a slider is moved

  constructor(private readonly depth: () => Depth | null) {}

  readonly isDeep = $derived.by(() => (this.depth()?.bit_depth ?? 0) > 8);
  /** The values that can be shown black and white; null where they are not known, or all one. */
  readonly range: Window | null = $derived.by(() => {
    const depth = this.depth();
    if (depth?.low == null || depth.high == null || depth.high <= depth.low) return null;
    return { low: depth.low, high: depth.high };
  });
  readonly filter = $derived.by(() => `brightness(${this.brightness}%) contrast(${this.contrast}%)`);

  /** What is shown black or white, as the sliders say; null: as the server chooses. */
  level(end: 'low' | 'high'): number | null {
    return this.#sliding?.[end] ?? this.view[end];
  }

  /** A slider on its way: the server is not asked yet. */
  slide(end: 'low' | 'high', value: number): void {
    if (!this.range) return;
    const whole = this.range.high - this.range.low > 256 ? Math.round(value) : Number(value.toPrecision(4));
    const now = this.#sliding ?? {
      low: this.view.low ?? this.range.low,
      high: this.view.high ?? this.range.high,
    };
    this.#sliding = { ...now, [end]: whole };
  }

  /** The sliders were let go. */
  settle(): void {
    if (this.#sliding && this.#sliding.high > this.#sliding.low)
      this.view = { ...this.view, ...this.#sliding };
  }

  stretch(): void {
    const range = this.range;
    this.#window(this.isDeep || !range ? { low: null, high: null } : range);
  }

  reset(): void {
    this.brightness = 100;
    this.contrast = 100;
    this.#window({ low: null, high: null });
  }

  /** Another image: whoever looks at channel 2 does so in image after image. */
  turned(): void {
    this.#window({ low: null, high: null });
  }

  /** A channel or plane that this image does not have is looked at no more. */
  fit(): void {
    const depth = this.depth();
    if (!depth) return;
    if ((this.view.channel ?? 0) >= depth.n_channels) this.view = { ...this.view, channel: null };
    if ((this.view.plane ?? 0) >= depth.n_planes) this.view = { ...this.view, plane: null };
  }

  #window(window: { low: number | null; high: number | null }): void {
    this.#sliding = null;
    this.view = { ...this.view, ...window };
  }
}
