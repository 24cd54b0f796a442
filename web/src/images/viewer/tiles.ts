// Levels, channels and scale bar of the viewer for tiled images, as pure functions.
import type { ChannelDisplay, ViewedChannel } from '../../api/datasets';
import type { TiledImage } from '../../api/lists';

/** Changes of a channel by the user, with its name; undefined values are those of the image. */
export type ChannelChange = Partial<ChannelDisplay> & Pick<ChannelDisplay, 'name'>;

const plain = ({ name }: { name: string }) => name.trim().toLowerCase();

/**
 * The numbers of channels in the order of their names, so that a list has the same order for files of any order; in
 * the order of the file if names are missing or single letters.
 */
export function channelsByName(channels: readonly { name: string }[]): number[] {
  const numbers = channels.map((_, k) => k);
  if (channels.some((channel) => plain(channel).length < 2)) return numbers;
  return numbers.sort((a, b) =>
    plain(channels[a]!).localeCompare(plain(channels[b]!), 'en', { numeric: true }),
  );
}

/** Changes of the user in the order of the channels of an image, by name; none if it has other channels. */
export function changesOf(
  channels: readonly ViewedChannel[],
  changes: readonly ChannelChange[],
): ChannelChange[] {
  const none = channels.map(({ name }) => ({ name }));
  if (changes.length !== channels.length) return none;
  if (channels.every((channel, k) => plain(channel) === plain(changes[k]!))) return [...changes];
  const byName = new Map(changes.map((change) => [plain(change), change]));
  const inOrder = channels.flatMap((channel) => byName.get(plain(channel)) ?? []);
  return byName.size === changes.length && inOrder.length === channels.length ? inOrder : none;
}

/** The channels of an image with the changes of the user. */
export function changedChannels(image: TiledImage, changes: readonly ChannelChange[]): ViewedChannel[] {
  const inOrder = changesOf(image.channels, changes);
  return image.channels.map((channel, k) => {
    const { color, is_visible, low, high } = inOrder[k]!;
    return {
      ...channel,
      color: color ?? channel.color,
      is_visible: is_visible ?? channel.is_visible,
      low: low ?? channel.low,
      high: high ?? channel.high,
    };
  });
}

/** The visible channels as the addresses of tiles state them. */
export function displayText(channels: readonly ViewedChannel[]): string {
  return channels
    .flatMap(({ is_visible, color, low, high }, k) => (is_visible ? [`${k}:${color}:${low}:${high}`] : []))
    .join(',');
}

/** What is stored with the dataset. Limits that nobody changed stay automatic for each image. */
export function storedChannels(channels: readonly ViewedChannel[]): ChannelDisplay[] {
  return channels.map(({ name, color, is_visible, low, high, automatic_low, automatic_high }) => ({
    name,
    color,
    is_visible,
    low: low === automatic_low && high === automatic_high ? null : low,
    high: low === automatic_low && high === automatic_high ? null : high,
  }));
}

/** The level of the server for a level of the viewer, whose level 0 is the smallest. */
export function levelOf(image: TiledImage, viewerLevel: number): number {
  return image.n_levels - 1 - viewerLevel;
}

const LONGEST_PX = 140;
const UNITS: readonly [string, number][] = [
  ['nm', 1e-3],
  ['µm', 1],
  ['mm', 1e3],
  ['cm', 1e4],
];

export interface ScaleBar {
  px: number; // on the screen
  length: number;
  unit: string;
}

/** The longest scale bar of 1, 2 or 5 times a power of ten; in pixels of the image if their size is unknown. */
export function scaleBar(scale: number, pixelUm: number | null): ScaleBar {
  const longest = (LONGEST_PX / scale) * (pixelUm ?? 1);
  const power = 10 ** Math.floor(Math.log10(longest));
  const step = [5, 2, 1].find((step) => step * power <= longest * (1 + 1e-9)) ?? 1;
  const length = step * power;
  const px = (length / (pixelUm ?? 1)) * scale;
  if (pixelUm === null) {
    const whole = Math.max(1, length);
    return { px: whole * scale, length: whole, unit: 'px' };
  }
  const [unit, size] = [...UNITS].reverse().find(([, size]) => length >= size * (1 - 1e-9)) ?? UNITS[0]!;
  return { px, length: Number((length / size).toPrecision(1)), unit };
}
