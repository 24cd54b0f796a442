import { beforeEach, expect, test, vi } from 'vitest';

const { router, datasets } = vi.hoisted(() => {
  vi.stubGlobal('document', { baseURI: 'http://app/' });
  const stored = new Map<string, string>();
  vi.stubGlobal('localStorage', {
    getItem: (key: string) => stored.get(key) ?? null,
    setItem: (key: string, value: string) => stored.set(key, value),
    removeItem: (key: string) => stored.delete(key),
  });
  return {
    router: { path: '/', page: '', query: new URLSearchParams() },
    datasets: new Map<string, string>(), // of trainings and predictions, by their pages
  };
});
const readJob = vi.hoisted(() => async (kind: 'train' | 'predict', id: string) => {
  const dataset_id = datasets.get(`${kind === 'train' ? 'runs' : 'predictions'}/${id}`);
  if (!dataset_id) throw new Error('not found');
  return { dataset_id };
});
vi.mock('../src/state/router.svelte', () => ({ router }));
vi.mock('../src/api/jobs', () => ({ readJob }));

const { guide } = await import('../src/features/start/guide.svelte');

async function open(address: string): Promise<void> {
  const [page = '', query] = address.split('?');
  Object.assign(router, { path: `/${page}`, page, query: new URLSearchParams(query) });
  guide.follow();
  await guide.followJob();
}

beforeEach(() => {
  datasets.clear();
  guide.start();
});

test('only trainings of the sample images are results of the guide', async () => {
  datasets.set('runs/other', 'mine').set('runs/a', 'samples').set('runs/b', 'samples');
  await open('runs/a'); // before the step Train
  expect(guide.step).toBe('overview');
  await open('train?dataset=samples');
  for (const page of ['runs/other', 'runs/removed']) {
    await open(page);
    expect([guide.step, guide.isHidden, guide.addressOf('result')]).toEqual(['train', true, undefined]);
  }
  await open('runs/a'); // it was stopped; another training begins
  await open('train?dataset=samples');
  await open('runs/b');
  expect([guide.step, guide.isHidden, guide.addressOf('result')]).toEqual(['result', false, 'runs/b']);
  await open('runs/other');
  expect([guide.isHidden, guide.addressOf('result')]).toEqual([true, 'runs/b']);
});

test('only predictions of the new sample images are reviewed in the guide', async () => {
  datasets.set('runs/a', 'samples').set('predictions/other', 'mine');
  datasets.set('predictions/a', 'samples-new').set('predictions/b', 'samples-new');
  await open('train?dataset=samples');
  await open('runs/a');
  await open('predict?run=a');
  await open('predictions/other');
  expect([guide.step, guide.isHidden]).toEqual(['predict', true]);
  await open('predictions/a');
  await open('predictions/b');
  expect([guide.step, guide.isHidden, guide.addressOf('review')]).toEqual(['review', false, 'predictions/b']);
});
