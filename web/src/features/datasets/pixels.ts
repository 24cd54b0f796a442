// The choice of series, time point, z-planes, channels and level, in words and as a request.
import type { PixelChoice, PixelOptions } from '../../api/datasets';
import { texts } from '../../texts';
import { count, list } from '../../texts/language';

const words = texts.datasets.pixels;

export const DEFAULT_PIXELS: PixelChoice = { series: 0, t: 0, z: 0, channels: null, level: 0 };

/** Whether the files contain something that the user must choose. Resolutions alone are no question. */
export function isQuestion(options: PixelOptions | null): boolean {
  return options?.keys.some((key) => key !== 'level') ?? false;
}

/** What the described file contains several of. Other files of a mixed dataset may contain more. */
export function severalKeys({ keys, series }: PixelOptions): PixelOptions['keys'] {
  const has = {
    series: series.length > 1,
    t: series.some(({ n_t }) => n_t > 1),
    z: series.some(({ n_z }) => n_z > 1),
    channels: series.some(({ n_channels }) => n_channels > 1),
    level: series.some(({ levels }) => levels.length > 1),
  };
  return keys.filter((key) => has[key]);
}

/** The same for a sentence. */
export function severalThings(options: PixelOptions): string {
  const keys = severalKeys(options).filter((key) => key !== 'level');
  return list(keys.map((key) => words.several[key]));
}

/** A choice in words; only what the files have several of. */
export function choiceInWords(choice: PixelChoice, options: PixelOptions): string {
  const { series = 0, t = 0, z = 0, channels = null, level = 0 } = choice;
  const parts = {
    series: words.ofSeries(count(series + 1)),
    t: words.ofTime(count(t + 1)),
    z: typeof z === 'number' ? words.ofPlane(count(z + 1)) : words.ofProjection[z],
    channels: channels
      ? words.ofChannels(
          channels.map((each) => (typeof each === 'number' ? count(each + 1) : each)).join(', '),
        )
      : words.allChannels,
    level: words.ofLevel(count(level)),
  };
  return list(severalKeys(options).map((key) => parts[key]));
}

/** Channels as stored: by name if the file names them; null for all. */
export function storedChannelChoice(numbers: readonly number[], names: readonly string[], n: number) {
  if (numbers.length === n) return null;
  return numbers.map((k) =>
    names[k] && names.filter((name) => name === names[k]).length === 1 ? names[k] : k,
  );
}

/** The numbers of stored channels. */
export function channelNumbers(
  channels: PixelChoice['channels'],
  names: readonly string[],
  n: number,
): number[] {
  if (!channels) return Array.from({ length: n }, (_, k) => k);
  return channels
    .map((channel) => (typeof channel === 'number' ? channel : names.indexOf(channel)))
    .filter((k) => k >= 0 && k < n);
}
