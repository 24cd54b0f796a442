import { expect, test } from 'vitest';
import { FieldObjects, type Point } from '../src/images/field/objects';
import { spread } from '../src/images/field/pictures.svelte';

/** The bytes of the server for objects with these boxes and rings. */
function encoded(boxes: number[][], rings: number[][][][]): Promise<ArrayBuffer> {
  const all = rings.flat();
  const vertices = all.flat(2);
  const starts = (lengths: number[]) => lengths.reduce((sums, n) => [...sums, sums.at(-1)! + n], [0]);
  const header = [boxes.length, all.length, vertices.length / 2, ...boxes.map((_, k) => k + 100)];
  const firsts = [...starts(rings.map((each) => each.length)), ...starts(all.map((ring) => ring.length))];
  return new Blob([
    new Uint32Array(header),
    new Int32Array(boxes.flat()),
    new Uint32Array(firsts),
    new Float32Array(vertices),
  ]).arrayBuffer();
}

const square = (x: number, y: number, side: number) => [
  [x, y],
  [x + side, y],
  [x + side, y + side],
  [x, y + side],
];

const load = async (boxes: number[][], rings: number[][][][]) =>
  new FieldObjects(await encoded(boxes, rings));

test('the object at a point is the smallest outline around it, without its holes', async () => {
  const objects = await load(
    [
      [0, 0, 40, 40],
      [10, 10, 8, 8],
      [60, 0, 20, 20],
      [100, 100, 30, 30],
    ],
    [[square(0, 0, 40)], [square(10, 10, 8)], [square(60, 0, 20), square(65, 5, 10).reverse()], []],
  );
  expect([...objects.rows]).toEqual([100, 101, 102, 103]);
  expect(objects.at(30, 30, 1)).toBe(0);
  expect(objects.at(14, 14, 1)).toBe(1);
  expect(objects.at(62, 3, 1)).toBe(2);
  expect(objects.at(110, 120, 1)).toBe(3); // a box without an outline
  expect(objects.at(50, 50, 1)).toBeNull();
  expect(objects.hasOutline(3)).toBe(false);
});

test('of overlapping points, the nearest is at a point', async () => {
  const objects = await load(
    [
      [0, 0, 40, 40],
      [15, 0, 40, 40],
    ],
    [[[[20, 20]]], [[[35, 20]]]],
  );
  expect(objects.at(26, 20, 1)).toBe(0);
  expect(objects.at(30, 20, 1)).toBe(1);
});

test('areas and lassos contain the same objects as a test of each of them', async () => {
  let state = 7;
  const random = () => (state = (state * 16807) % 2147483647) / 2147483647;
  const boxes = Array.from({ length: 400 }, (_, k) => [
    Math.floor(random() * 1000) - 20,
    Math.floor(random() * 700) - 20,
    k % 97 === 0 ? 600 : 4 + Math.floor(random() * 30), // a few are much larger than the others
    4 + Math.floor(random() * 30),
  ]);
  const objects = await load(
    boxes,
    boxes.map(() => []),
  );
  for (let n = 0; n < 30; n += 1) {
    const [left, top] = [random() * 1000 - 50, random() * 700 - 50];
    const [right, bottom] = [left + random() * 400, top + random() * 300];
    const meets = boxes.flatMap(([x, y, width, height], k) =>
      x! <= right && y! <= bottom && x! + width! >= left && y! + height! >= top ? [k] : [],
    );
    expect(objects.within(left, top, right, bottom)).toEqual(meets);
    const rectangle: Point[] = [
      [left, top],
      [right, top],
      [right, bottom],
      [left, bottom],
    ];
    const inside = boxes.flatMap(([x, y, width, height], k) => {
      const [cx, cy] = [x! + width! / 2, y! + height! / 2];
      return cx > left && cx < right && cy > top && cy < bottom ? [k] : [];
    });
    expect(objects.inside(rectangle)).toEqual(inside);
  }
});

test('a field without objects has none anywhere', async () => {
  const objects = await load([], []);
  expect(objects.at(1, 1, 5)).toBeNull();
  expect(objects.within(0, 0, 9, 9)).toEqual([]);
});

test('pictures of a map do not overlap, prefer selected objects, and stay as it is enlarged', async () => {
  const boxes = Array.from({ length: 900 }, (_, k) => [(k * 7919) % 1000, (k * 104_729) % 1000, 4, 4]);
  const objects = await load(
    boxes,
    boxes.map(() => []),
  );
  const all = [...boxes.keys()];
  const none = new Uint8Array(objects.n);
  const { chosen, side } = spread(objects, all, 1, none);
  expect(chosen.length).toBeGreaterThan(150);
  expect(side).toBeGreaterThanOrEqual(12);
  for (const a of chosen)
    for (const b of chosen.filter((each) => each > a))
      expect(
        Math.max(
          Math.abs(objects.centerX(a) - objects.centerX(b)),
          Math.abs(objects.centerY(a) - objects.centerY(b)),
        ),
      ).toBeGreaterThanOrEqual(side);
  expect(spread(objects, all, 1.2, none)).toEqual({ chosen, side }); // the same cells
  const hidden = all.find((k) => !chosen.includes(k))!;
  const selected = none.slice().fill(1, hidden, hidden + 1);
  const near = objects.nearest(hidden, 3);
  expect(spread(objects, [hidden, ...near], 1, selected).chosen).toContain(hidden);
  const distance = (k: number) =>
    Math.hypot(objects.centerX(k) - objects.centerX(hidden), objects.centerY(k) - objects.centerY(hidden));
  const others = all.filter((k) => k !== hidden).sort((a, b) => distance(a) - distance(b));
  expect(near.map(distance)).toEqual(others.slice(0, 3).map(distance));
});
