import { expect, test } from 'vitest';
import type { PixelOptions, ViewedChannel } from '../src/api/datasets';
import type { TiledImage } from '../src/api/lists';
import {
  channelNumbers,
  choiceInWords,
  DEFAULT_PIXELS,
  isQuestion,
  severalThings,
  storedChannelChoice,
} from '../src/features/datasets/pixels';
import {
  changedChannels,
  channelsByName,
  displayText,
  levelOf,
  scaleBar,
  storedChannels,
} from '../src/images/viewer/tiles';

const channel = (more: Partial<ViewedChannel> = {}): ViewedChannel => ({
  name: 'DAPI',
  color: '0000ff',
  low: 10,
  high: 200,
  is_visible: true,
  automatic_low: 10,
  automatic_high: 200,
  least: 0,
  most: 300,
  ...more,
});
const image = (channels: ViewedChannel[]): TiledImage => ({
  width: 5000,
  height: 4000,
  tile_px: 512,
  n_levels: 4,
  pixel_size_um: [0.5, 0.5],
  series: 0,
  t: 0,
  z: 0,
  series_names: [''],
  n_t: 1,
  n_z: 1,
  is_color: false,
  channels,
  preparation: null,
});

test('the address of a tile states the visible channels with colors and limits', () => {
  const channels = [
    channel(),
    channel({ is_visible: false }),
    channel({ color: '00ff00', low: 0.5, high: 1e-7 }),
  ];
  expect(displayText(channels)).toBe('0:0000ff:10:200,2:00ff00:0.5:1e-7');
  expect(displayText([])).toBe('');
});

test('changes belong to channels by name, and are ignored by images with other channels', () => {
  const [dapi, gfp] = [channel(), channel({ name: 'GFP' })];
  const changes = [{ name: 'DAPI' }, { name: 'gfp', low: 50, is_visible: false }];
  const lows = (...channels: ViewedChannel[]) =>
    changedChannels(image(channels), changes).map(({ low }) => low);
  expect(lows(dapi, gfp)).toEqual([10, 50]);
  expect(lows(gfp, dapi)).toEqual([50, 10]);
  for (const others of [
    [gfp],
    [gfp, channel({ name: 'RFP' })],
    [channel({ name: '' }), channel({ name: '' })],
  ])
    expect(lows(...others)).toEqual(others.map(() => 10));
  const unnamed = [channel({ name: '' }), channel({ name: '' })];
  expect(changedChannels(image(unnamed), [{ name: '' }, { name: '', low: 50 }])[1]!.low).toBe(50);
  expect(storedChannels([gfp])[0]!.name).toBe('GFP');
});

test('limits that nobody changed are stored as automatic', () => {
  expect(storedChannels([channel(), channel({ low: 20 })]).map(({ low, high }) => [low, high])).toEqual([
    [null, null],
    [20, 200],
  ]);
});

test('the first level of the viewer is the last of the server', () => {
  expect([0, 3].map((level) => levelOf(image([]), level))).toEqual([3, 0]);
});

test.each([
  [1, 0.25, 20, 'µm', 80],
  [0.015, 0.25, 2, 'mm', 120],
  [32, 0.25, 1, 'µm', 128],
  [64, 0.05, 100, 'nm', 128],
  [2, null, 50, 'px', 100],
  [64, null, 2, 'px', 128],
])('a scale bar at scale %d with pixels of %s µm is %d %s', (scale, um, length, unit, px) => {
  const bar = scaleBar(scale, um);
  expect([bar.length, bar.unit]).toEqual([length, unit]);
  expect(bar.px).toBeCloseTo(px);
});

const options = (more: Partial<PixelOptions> = {}): PixelOptions => ({
  keys: ['z', 'channels'],
  row_id: 1,
  series: [{ name: '', n_t: 1, n_z: 3, n_channels: 2, channels: ['DAPI', 'GFP'], levels: [[9, 9]] }],
  n_files: 2,
  are_alike: true,
  ...more,
});

test('only files with several series, time points, z-planes or channels are a question', () => {
  expect([options(), options({ keys: [] }), options({ keys: ['level'] }), null].map(isQuestion)).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect(severalThings(options())).toBe('z-planes and channels');
});

test('a choice is stored by the names of channels, and shown in words', () => {
  expect(storedChannelChoice([1], ['DAPI', 'GFP'], 2)).toEqual(['GFP']);
  expect(storedChannelChoice([0, 1], ['DAPI', 'GFP'], 2)).toBeNull();
  expect(storedChannelChoice([1], ['GFP', 'GFP'], 2)).toEqual([1]);
  expect(channelNumbers(['GFP'], ['DAPI', 'GFP'], 2)).toEqual([1]);
  expect(channelNumbers(null, [], 3)).toEqual([0, 1, 2]);
  const words = choiceInWords({ ...DEFAULT_PIXELS, z: 'max', channels: ['GFP'] }, options());
  expect(words).toContain('GFP');
  expect(words).not.toContain('series');
});

test('channels are listed in the order of their names, whatever their order in a file', () => {
  const named = (...names: string[]) => names.map((name) => ({ name }));
  const listed = (...names: string[]) => channelsByName(named(...names)).map((k) => names[k]);
  expect(listed('GFP', 'FITC', 'DAPI')).toEqual(['DAPI', 'FITC', 'GFP']);
  expect(listed('dapi', 'GFP', 'FITC ')).toEqual(['dapi', 'FITC ', 'GFP']);
  expect(listed('C10', 'C2')).toEqual(['C2', 'C10']);
  for (const names of [
    ['R', 'G', 'B'],
    ['', ''],
    ['GFP', ''],
  ])
    expect(listed(...names)).toEqual(names);
});
