import { expect, test } from 'vitest';
import { definitionsOf } from '../src/features/help/glossary';
import english from '../../docs/glossary.md?raw';
import german from '../src/texts/de/glossary.md?raw';
import { addressOf, anchorOf, htmlOf } from '../src/features/help/markdown';
import { addressOfSection, hitsOf, sectionsOf } from '../src/features/help/search';

const pages = ['app', 'numbers'];
const linkTo = (target: string) => addressOf(target, 'app', pages);

test('links to files outside the app are removed', () => {
  expect(linkTo('numbers.md#calibration')).toBe('help/numbers#calibration');
  expect(linkTo('#4-train')).toBe('help/app#4-train');
  expect(linkTo('../benchmarks/RESULTS.md')).toBeNull();
  expect(anchorOf('5. Evaluate the classifier')).toBe('5-evaluate-the-classifier');
});

test('text is escaped, and blocks are separated', () => {
  const html = htmlOf(
    '# A <b>\n\nOne\nline `a|<b>`\n- *x*\n  y\n- z\n\n| k | v |\n|---|---|\n| 1 | 2 |',
    linkTo,
  );
  expect(html.split('\n')).toEqual([
    '<h1 id="a-b">A &lt;b&gt;</h1>',
    '<p>One line <code>a|&lt;b&gt;</code></p>',
    '<ul><li><em>x</em> y</li><li>z</li></ul>',
    '<div class="table"><table><thead><tr><th>k</th><th>v</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr></tbody></table></div>',
  ]);
});

test('links and emphasis can contain code, code contains no Markdown', () => {
  expect(htmlOf('See [`un<b>` here](numbers.md#x), **`a` and `b`**, `[c](d) *e*` and *f*.', linkTo)).toBe(
    '<p>See <a href="help/numbers#x"><code>un&lt;b&gt;</code> here</a>, ' +
      '<strong><code>a</code> and <code>b</code></strong>, <code>[c](d) *e*</code> and <em>f</em>.</p>',
  );
});

test('every term that a page explains is in the glossary and in its translation', () => {
  const definitions = definitionsOf(english);
  expect(definitions.get('temperature')).toEqual({
    term: 'temperature',
    html: 'number by which calibration divides the logits',
  });
  expect(definitions.get('class weights')?.html).toContain('<code>class_weights</code>');
  const translated = definitionsOf(german);
  expect([...translated.keys()]).toEqual([...definitions.keys()]);
  expect(translated.get('prevalence')?.term).toBe('Prävalenz');
  const sources = Object.values(
    import.meta.glob<string>('../src/**/*.svelte', { query: '?raw', import: 'default', eager: true }),
  );
  const named = sources.flatMap((source) =>
    [...source.matchAll(/<Terms of=\{\[([^\]]+)\]|@render part\([^[]*\[([^\]]+)\]/g)].flatMap(
      ([, terms, ofPart]) => [...(terms ?? ofPart ?? '').matchAll(/'([^']+)'/g)].map(([, name]) => name!),
    ),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((name) => !definitions.has(name))).toEqual([]);
});

test('the search finds sections by all words, headings first, and links lead to them', () => {
  const sections = [
    ...sectionsOf('README', '# Home\n\nLeakage of [groups](data.md).\n'),
    ...sectionsOf(
      'data',
      '# Data\n\n## Find leakage\n\nText\n```sh\n# no heading\n```\n\n### `b` (c)\n\ngroups and leakage',
    ),
  ];
  expect(sections.map(({ heading }) => heading)).toEqual(['', '', 'Find leakage', '`b` (c)']);
  const addresses = (query: string) =>
    hitsOf(sections, query).map(({ section }) => addressOfSection(section));
  expect(addresses('LEAKAGE')).toEqual(['help/data#find-leakage', 'help', 'help/data#b-c']);
  expect(addresses('leakage groups')).toEqual(['help', 'help/data#b-c']);
  expect(addresses('leakage absent')).toEqual(addresses('leakage')); // the sections with most of the words
  expect(addresses('absent')).toEqual([]);
  expect(addresses(' ')).toEqual([]);
  expect(hitsOf(sections, 'groups')[0]!.excerpt).toBe('Leakage of groups.');
});

test('pages of errors are the last hits of the search, whose headings are codes', () => {
  const sections = [
    ...sectionsOf('problems', '# Errors\n\n### no-leakage\n\nleakage'),
    ...sectionsOf('data', '# Data\n\nleakage'),
  ];
  expect(hitsOf(sections, 'leakage').map(({ section }) => section.page)).toEqual(['data', 'problems']);
});

test('links to the index lead to the start of the help', () => {
  expect(addressOf('README.md#tutorial', 'app', ['README'])).toBe('help#tutorial');
});
