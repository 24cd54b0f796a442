import { expect, test } from 'vitest';

const ENDINGS = ['', '.ts', '.d.ts', '.svelte', '/index.ts'];

/** A folder may import only folders to its right. */
const ROOMS = [
  ...['main.ts', 'App.svelte', 'AccountsApp.svelte', 'routes.ts', 'features', 'charts', 'images', 'ui'],
  ...['state', 'texts', 'api', 'design'],
];

const texts: Record<string, string> = Object.fromEntries(
  Object.entries(
    import.meta.glob('../src/**/*.{ts,svelte,css}', { query: '?raw', import: 'default', eager: true }),
  ).map(([path, text]) => [path.replace('../src/', ''), String(text)]),
);
const files = Object.keys(texts);

/** Resolve `../state/router.svelte` in `features/start/Start.svelte` to `state/router.svelte`. */
function resolved(name: string, file: string): string {
  const url = new URL(name, `file:///${file}`);
  return url.pathname.slice(1);
}

function importsOf(file: string): string[] {
  const names = [...(texts[file] ?? '').matchAll(/(?:\bfrom |\bimport |\bimport\()'(\.[^']+)'/g)].map(
    (match) => match[1]!,
  );
  return names.map((name) => {
    const path = resolved(name, file);
    const there = ENDINGS.map((ending) => path + ending).find((path) => files.includes(path));
    if (!there) throw new Error(`${file} imports ${name}, which is not there`);
    return there;
  });
}

const imports = new Map(
  files.filter((file) => !file.endsWith('.css')).map((file) => [file, importsOf(file)] as const),
);

/** An import cycle that is reachable from `file`. */
function circleFrom(file: string, way: string[], seen: Set<string>): string[] | null {
  if (way.includes(file)) return [...way, file];
  if (seen.has(file)) return null;
  seen.add(file);
  for (const next of imports.get(file) ?? []) {
    const circle = circleFrom(next, [...way, file], seen);
    if (circle) return circle;
  }
  return null;
}

test('there are no import cycles, including type imports', () => {
  const seen = new Set<string>();
  expect(files.map((file) => circleFrom(file, [], seen)).filter(Boolean)).toEqual([]);
});

test('folders import only lower folders', () => {
  const room = (file: string) => ROOMS.indexOf(file.split('/')[0]!);
  const upwards = [...imports].flatMap(([file, others]) =>
    others.filter((other) => room(other) < room(file)).map((other) => `${file} imports ${other}`),
  );
  expect(upwards).toEqual([]);
  expect(files.filter((file) => room(file) < 0)).toEqual([]);
});

test('addresses of pages are relative, since the app may be in a folder of a server', () => {
  const found = Object.entries(texts).flatMap(([file, text]) =>
    file.endsWith('.svelte') && file.includes('/')
      ? (text.match(/(?:href[=:] ?|go\()["'`{]+\/.*|href=.*router\.path\b.*/g) ?? []).map(
          (line) => `${file}: ${line}`,
        )
      : [],
  );
  expect(found).toEqual([]);
});

/** The texts that the code of a page or app uses: `datasets` for `texts.datasets`. */
function partsOf(page: string): string[] {
  const all = new Set([page]);
  for (const file of all) if (file !== 'routes.ts') imports.get(file)?.forEach((other) => all.add(other)); // the set grows meanwhile
  const code = [...all].filter((file) => !/^texts\/(en|de)/.test(file)).map((file) => texts[file]);
  return [...new Set([...code.join('\n').matchAll(/\btexts\.(\w+)/g)].map(([, part]) => part!))].sort();
}

test('apps and pages are loaded with the texts that they use', () => {
  const loadedIn = (file: string) =>
    [...texts[file]!.matchAll(/\[([^[\]]*)\],\s*\(\) => import\('\.\/([^']+)'\)/g)].map(
      ([, parts, page]) => [page!, [...parts!.matchAll(/\w+/g)].map(String)] as const,
    );
  const apps = loadedIn('main.ts');
  const ofAll = apps.find(([app]) => app === 'App.svelte')![1];
  const pages = loadedIn('routes.ts');
  const dynamic = imports.get('routes.ts')!.filter((file) => file.startsWith('features/'));
  expect([apps.length, pages.length]).toEqual([2, dynamic.length]);
  expect(apps).toEqual(apps.map(([app]) => [app, partsOf(app)]));
  const ofPage = (page: string) => partsOf(page).filter((part) => !ofAll.includes(part));
  expect(pages).toEqual(pages.map(([page]) => [page, ofPage(page)]));
});
