// Display settings of the viewer: some are sent to the server, others change only the screen.

/** Settings that the server applies; null uses the default of the server. */
export interface View {
  channel: number | null;
  plane: number | null;
  low: number | null;
  high: number | null;
}

/** Channels, planes and intensity range of an image. */
export interface Depth {
  n_channels: number;
  n_planes: number;
  bit_depth: number;
  low: number | null; // lowest pixel value, for the intensity window of images with more than 8 bits
  high: number | null;
}

interface Window {
  low: number;
  high: number;
}

export class DisplaySettings {
  brightness = $state(100); // percent
  contrast = $state(100);
  view = $state.raw<View>({ channel: null, plane: null, low: null, high: null });
  #sliding = $state.raw<Window | null>(null); // values while a slider is moved

  constructor(private readonly depth: () => Depth | null) {}

  readonly isDeep = $derived.by(() => (this.depth()?.bit_depth ?? 0) > 8);
  /** Range of the black and white points; null if it is not available or empty. */
  readonly range: Window | null = $derived.by(() => {
    const depth = this.depth();
    if (depth?.low == null || depth.high == null || depth.high <= depth.low) return null;
    return { low: depth.low, high: depth.high };
  });
  readonly filter = $derived.by(() => `brightness(${this.brightness}%) contrast(${this.contrast}%)`);

  /** Black or white point of the sliders; null for the default of the server. */
  level(end: 'low' | 'high'): number | null {
    return this.#sliding?.[end] ?? this.view[end];
  }

  /** Move a slider. The server receives the value when the slider is released. */
  slide(end: 'low' | 'high', value: number): void {
    if (!this.range) return;
    const whole = this.range.high - this.range.low > 256 ? Math.round(value) : Number(value.toPrecision(4));
    const now = this.#sliding ?? {
      low: this.view.low ?? this.range.low,
      high: this.view.high ?? this.range.high,
    };
    this.#sliding = { ...now, [end]: whole };
  }

  /** Apply the values of the sliders. */
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

  /** Reset the intensity window for another image. Channel and plane stay. */
  resetWindow(): void {
    this.#window({ low: null, high: null });
  }

  /** Reset a channel or plane that the image does not have. */
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
